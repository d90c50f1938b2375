import type { Command } from "commander";
import type { Leftover, LeftoverReport } from "../../core/cloud.ts";
import { toStackyardError, type StackyardError } from "../../core/errors.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { describeWaysOut } from "./interruption.ts";
import { countThings } from "./text.ts";

/** A leftover whose removal failed. */
interface Refusal {
  readonly leftover: Leftover;
  readonly error: StackyardError;
}

/** Adds `gc`: lists, and with `--yes` removes, what carries the cloud's mark and no record owns. */
export function registerGcCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("gc")
    .option("--yes", "remove what is listed")
    .action(async (options: { readonly yes?: true }) => {
      await context.withCloud(async (cloud) => {
        const report = await context.withProgress("gc", (onProgress, onWaiting) => {
          onProgress("asking the hosts");
          return cloud.listLeftovers({ signal: context.signal, onWaiting });
        });
        const refusals: Refusal[] = [];
        if (options.yes === true) {
          await context.withProgress("gc", async (onProgress) => {
            for (const leftover of report.leftovers) {
              onProgress(`removing ${leftover.kind} ${leftover.id} on ${leftover.host}`);
              try {
                await cloud.removeLeftover(leftover, context.signal);
              } catch (cause) {
                context.signal.throwIfAborted();
                refusals.push({ leftover, error: toStackyardError(cause, `removing ${leftover.id}`) });
              }
            }
          });
        }
        const [error] = [...report.failures, ...refusals].map((failed) => failed.error);
        if (error !== undefined) context.exitCode = exitCodeOf(error);
        const removed = options.yes === true ? without(report.leftovers, refusals) : undefined;
        if (wantsJson(command)) writeJson(report, removed, context);
        else writeText(report, removed, context);
        noteErrors(report, refusals, context);
      });
    });
  addJsonOption(command);
  describeCommand(
    command,
    "list what no record owns: on hosts and in the store, with this cloud's mark only; remove it with --yes",
    ["gc", "gc --yes", "gc --json"],
  );
}

function without(leftovers: readonly Leftover[], refusals: readonly Refusal[]): readonly Leftover[] {
  return leftovers.filter((leftover) => !refusals.some((refusal) => refusal.leftover === leftover));
}

function writeJson(
  { leftovers }: LeftoverReport,
  removed: readonly Leftover[] = [],
  context: CommandContext,
): void {
  context.writeJson(
    leftovers.map((leftover) => {
      const { host, kind, id, description } = leftover;
      return { host, kind, id, description, removed: removed.includes(leftover) };
    }),
  );
}

function writeText(
  { leftovers, failures }: LeftoverReport,
  removed: readonly Leftover[] | undefined,
  context: CommandContext,
): void {
  if (leftovers.length === 0) {
    context.writeText(
      failures.length === 0 ? "nothing is left over" : "nothing is left over where hosts answered",
    );
    return;
  }
  context.writeTable(
    [{ title: "HOST" }, { title: "KIND" }, { title: "ID", whole: true }, { title: "DESCRIPTION" }],
    leftovers.map(({ host, kind, id, description }) => [host, kind, id, description]),
  );
  if (removed !== undefined) {
    const isAll = removed.length === leftovers.length;
    context.note(
      isAll
        ? "all of it was removed"
        : `${String(removed.length)} of ${countThings(leftovers.length, "leftover")} were removed`,
    );
    return;
  }
  for (const { description, interruption } of leftovers) {
    if (interruption !== undefined) context.note(`${description}; ${describeWaysOut(interruption)}`);
  }
  context.note("remove all of it with: stackyard gc --yes");
}

function noteErrors(
  { failures }: LeftoverReport,
  refusals: readonly Refusal[],
  context: CommandContext,
): void {
  const blocks = [
    ...failures.map(({ host, error }) => ({ title: `host ${host} could not be looked at:`, error })),
    ...refusals.map(({ leftover, error }) => ({
      title: `${leftover.kind} ${leftover.id} could not be removed:`,
      error,
    })),
  ];
  for (const { title, error } of blocks) context.noteError(title, error);
}
