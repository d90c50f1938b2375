import type { Command } from "commander";
import type { Cloud, Preview } from "../../core/cloud.ts";
import { hasCode } from "../../core/errors.ts";
import { escapeLines } from "../../core/escape.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Definition } from "../../core/resource.ts";
import { addJsonOption, describeCommand, wantsJson, writeExampleFlags } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { listFlags } from "./flags.ts";
import { findRepairs, toJsonPlan, writePlanText, type PlannedChange } from "./resource-change.ts";
import { addInputOptions, makerOf, raiseIssues, readInputs, resolveReferences } from "./resource-inputs.ts";

/** Lines around a change. */
const contextLines = 3;

/** Adds `preview TYPE NAME --FIELD VALUE`: what `create` or `set` would do, down to the commands on the hosts. */
export function registerPreviewCommand(program: Command, context: CommandContext): void {
  const group = program.command("preview");
  describeCommand(
    group,
    "show what a create or a set would do: fields, host, filters, domain XML, and commands; writes nothing anywhere",
    ["preview server my-server --flavor small", "preview server --help"],
  );
  for (const definition of context.definitions) registerPreviewOf(group, definition, context);
}

function registerPreviewOf(group: Command, definition: Definition, context: CommandContext): void {
  const { type } = definition;
  const flags = listFlags(definition.inputs);
  const command = group.command(type).argument("<id-or-name>", `the ${type}, or the name of a new one`);
  addInputOptions(
    command,
    flags.filter(({ path }) => path !== "name"),
  );
  command.action(async (idOrName: string) => {
    await context.withCloud(async (cloud) => {
      const known = await findKnown(cloud, type, idOrName);
      const given = await readInputs(command, flags, known?.record.inputs ?? {}, context);
      const inputs = await resolveReferences(cloud, definition, given);
      const request =
        known === undefined
          ? requestOfNew(definition, idOrName, inputs)
          : {
              type,
              maker: known.record.maker ?? `cli:${known.id}`,
              defaultName: known.record.name,
              inputs: { ...inputs, id: known.id },
              prior: known.record.applied ?? known.record.inputs,
            };
      const preview = await context.withProgress(`preview ${type} ${idOrName}`, (onProgress) => {
        onProgress("asking the hosts");
        return cloud.preview(request, context.signal);
      });
      raiseIssues(`apply the ${type}`, preview.issues);
      const repairs =
        known === undefined ? [] : await findRepairs(cloud, definition, known.id, true, context);
      await writePreview(command, definition, preview, { ...preview, repairs }, context);
    });
  });
  addJsonOption(command);
  const shown = flags.filter((flag) => flag.required && flag.path !== "name");
  describeCommand(command, `show what creating or changing a ${type} would do`, [
    `preview ${type} my-${type} ${writeExampleFlags(shown)}`.trimEnd(),
    `preview ${type} my-${type} --file ${type}.yaml --json`,
  ]);
}

async function findKnown(
  cloud: Cloud,
  type: string,
  idOrName: string,
): Promise<Awaited<ReturnType<Cloud["find"]>> | undefined> {
  try {
    return await cloud.find(type, idOrName);
  } catch (error) {
    if (hasCode(error, "not-found")) return undefined;
    throw error;
  }
}

/** The request that `create` would make. */
function requestOfNew(
  definition: Definition,
  name: string,
  given: JsonObject,
): Parameters<Cloud["preview"]>[0] {
  const { type } = definition;
  const inputs = Object.hasOwn(definition.inputs.shape, "name") ? { ...given, name } : given;
  return { type, maker: makerOf(type, inputs), defaultName: name, inputs };
}

async function writePreview(
  command: Command,
  definition: Definition,
  preview: Preview,
  planned: PlannedChange,
  context: CommandContext,
): Promise<void> {
  const { placement, domains, commands, incomplete } = preview;
  if (wantsJson(command)) {
    context.writeJson({ ...toJsonPlan(definition, planned), ...(await toJsonPreview(preview)) });
    return;
  }
  // Other commands are spared the time that its library takes to load.
  const {
    describeChoice,
    describeCommand: describePreviewed,
    diffDomain,
  } = await import("../preview/preview-text.ts");
  writePlanText(definition, planned, context);
  if (placement !== undefined) {
    context.writeText(escapeLines(`\n${describeChoice(placement)}`));
    if (!placement.isKept)
      context.writeTable(
        [{ title: "FILTER" }, { title: "HOSTS" }, { title: "REMOVED" }],
        placement.filters.map(({ name, before, removed }) => [name, String(before), String(removed)]),
      );
  }
  for (const domain of domains) {
    const diff = diffDomain(domain, contextLines);
    context.writeText(
      escapeLines(`\ndomain of ${domain.name} on host ${domain.host}:${diff === "" ? " as it is" : ""}`),
    );
    if (diff !== "") context.writeText(escapeLines(diff));
  }
  for (const entry of commands) context.writeText(escapeLines(`\n${describePreviewed(entry)}`));
  if (commands.length === 0 && incomplete === undefined) context.writeText("no command would run on a host");
  if (incomplete !== undefined)
    context.note(
      `the preview ends at step ${incomplete.step}: ${incomplete.error.message} [${incomplete.error.code}]`,
    );
}

/** What would be done on the hosts, as `--json` prints it. Keys and their order are part of the interface. */
export async function toJsonPreview({ placement, domains, commands, incomplete }: Preview): Promise<object> {
  const { diffDomain } = await import("../preview/preview-text.ts");
  return {
    placement: placement === undefined ? null : { host: null, ...placement },
    domains: domains.map((domain) => ({
      host: domain.host,
      name: domain.name,
      diff: diffDomain(domain, contextLines),
    })),
    commands: commands.map(({ host, step, purpose, command, inputBytes }) => ({
      host,
      step,
      purpose,
      command,
      inputBytes: inputBytes ?? null,
    })),
    incomplete:
      incomplete === undefined
        ? null
        : { step: incomplete.step, code: incomplete.error.code, message: incomplete.error.message },
  };
}
