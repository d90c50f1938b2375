import { setTimeout as sleep } from "node:timers/promises";
import { InvalidArgumentError, type Command } from "commander";
import type { Cloud, DriftFailure, DriftFinding, DriftOptions, DriftReport } from "../../core/cloud.ts";
import { describeRepair } from "../../core/drift.ts";
import { encodeError } from "../../core/errors.ts";
import { escapeLine } from "../../core/escape.ts";
import type { JsonObject } from "../../core/json.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { driftExitCode, exitCodes } from "./exit-codes.ts";
import { describeInterruption } from "./interruption.ts";
import { countThings } from "./text.ts";
import { absent, toJsonDrift } from "./view.ts";

/** Between two looks of `--watch`, in seconds. */
const defaultWatchSeconds = 30;

/** Adds `drift [TYPE NAME]`: what is not as declared, and what the next apply does about it. */
export function registerDriftCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("drift")
    .argument("[type]", "type of the one resource to look at")
    .argument("[id-or-name]", "that resource")
    .option("--deep", "read the files of images on hosts whole, and compare their checksums")
    .option(
      "--watch [seconds]",
      `look again every so many seconds, until interrupted; default ${String(defaultWatchSeconds)}`,
      parseSeconds,
    )
    .action(
      async (
        type: string | undefined,
        idOrName: string | undefined,
        options: { readonly deep?: true; readonly watch?: true | number },
      ) => {
        if (type !== undefined && idOrName === undefined)
          command.error(`error: name the ${type} to look at, or leave the type out`);
        await context.withCloud(async (cloud) => {
          const asked: DriftOptions = {
            ...(type === undefined || idOrName === undefined
              ? {}
              : { resource: { type, id: (await cloud.find(type, idOrName)).id } }),
            deep: options.deep === true,
            signal: context.signal,
          };
          if (options.watch === undefined) {
            const report = await context.withProgress("drift", (onProgress, onWaiting) => {
              onProgress("asking the hosts");
              return cloud.drift({ ...asked, onWaiting });
            });
            writeReport(report, command, context);
            return;
          }
          const seconds = options.watch === true ? defaultWatchSeconds : options.watch;
          await watch(cloud, asked, seconds, command, context);
        });
      },
    );
  addJsonOption(command);
  describeCommand(
    command,
    "show what is not as declared, and what the next apply does about it; ends with 2 when something drifted or was interrupted",
    ["drift", "drift server my-server", "drift --deep --json", "drift --watch 60"],
  );
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 1) throw new InvalidArgumentError("It is a number from 1 on.");
  return seconds;
}

/** Looks again and again. Ctrl-C is how it ends: the exit code is then that of the last look. */
async function watch(
  cloud: Cloud,
  asked: DriftOptions,
  seconds: number,
  command: Command,
  context: CommandContext,
): Promise<void> {
  const isInterrupted = (): boolean => context.signal.aborted;
  while (!isInterrupted()) {
    try {
      const report = await cloud.drift(asked);
      if (!wantsJson(command)) context.note(new Date().toISOString());
      writeReport(report, command, context);
      await sleep(seconds * 1000, undefined, { signal: context.signal });
    } catch (error) {
      if (!isInterrupted()) throw error;
    }
  }
}

function writeReport(report: DriftReport, command: Command, context: CommandContext): void {
  const { checked, inWork, interrupted, findings, failures } = report;
  const isAsDeclared = findings.length === 0 && interrupted.length === 0;
  context.exitCode = failures.length > 0 ? exitCodes.error.code : isAsDeclared ? 0 : driftExitCode;
  if (wantsJson(command)) {
    context.writeJson({
      checked,
      inWork,
      interrupted: interrupted.map(({ resource, was }) => ({ ...resource, was })),
      findings: findings.map(toJsonFinding),
      errors: failures.map(toJsonFailure),
    });
    return;
  }
  if (findings.length === 0) {
    context.writeText(escapeLine(`no drift in ${countSeen(checked, failures)}`));
  } else {
    context.writeTable(
      ["HOST", "TYPE", "NAME", "FIELD", "EXPECTED", "FOUND", "NEXT APPLY"].map((title) => ({ title })),
      findings.map((finding) => [
        finding.host ?? absent,
        finding.resource.type,
        finding.resource.name,
        finding.field,
        finding.expected,
        finding.found,
        describeRepair(finding),
      ]),
    );
  }
  for (const interruption of interrupted) context.writeText(escapeLine(describeInterruption(interruption)));
  if (inWork > 0)
    context.note(
      `${countThings(inWork, "resource")} left out: ${inWork === 1 ? "a task is at work on it" : "tasks are at work on them"}`,
    );
  for (const { host, error, resources } of failures) {
    const where = host === undefined ? "" : ` of host ${host}`;
    context.noteError(`${countThings(resources.length, "resource")}${where} could not be looked at:`, error);
  }
}

/** How many resources were looked at, of how many, and where the others are. */
function countSeen(checked: number, failures: readonly DriftFailure[]): string {
  if (failures.length === 0) return countThings(checked, "resource");
  const failed = failures.reduce((sum, { resources }) => sum + resources.length, 0);
  const places = failures.map(({ host, resources }) =>
    [String(resources.length), ...(host === undefined ? [] : [`on ${host}`])].join(" "),
  );
  return `${String(checked - failed)} of ${countThings(checked, "resource")}; ${places.join(", ")} could not be looked at`;
}

/** A finding as `--json` prints it. Keys and their order are part of the interface. */
function toJsonFinding({ resource, ...drift }: DriftFinding): JsonObject {
  return { ...resource, ...toJsonDrift(drift) };
}

function toJsonFailure({ host, error, resources }: DriftFailure): JsonObject {
  return {
    host: host ?? null,
    error: encodeError(error),
    resources: resources.map((resource) => ({ ...resource })),
  };
}
