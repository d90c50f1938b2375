import type { Command } from "commander";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { Cloud, ResourceView } from "../../core/cloud.ts";
import { hasCode, StackyardError } from "../../core/errors.ts";
import { escapeLine } from "../../core/escape.ts";
import { isUnfinished } from "../../core/record.ts";
import type { Definition } from "../../core/resource.ts";
import { addJsonOption, describeCommand, wantsJson } from "../cli/command-help.ts";
import type { CommandContext } from "../cli/context.ts";
import { planImports, type ImportWish, type PlannedImport } from "./import-file.ts";

interface ImportFileFlags {
  readonly out?: string;
  readonly force?: true;
}

/** Adds `stackyard pulumi import-file`. */
export function registerPulumiCommand(program: Command, context: CommandContext): void {
  const group = program.command("pulumi");
  describeCommand(group, "hand resources over to a Pulumi stack", ["pulumi import-file --out import.json"]);
  const command = group
    .command("import-file")
    .argument(
      "[resource...]",
      "a type; or type/name, type/id, with =NAME after it for the name that the program declares it by; default: all that you may read and that somebody made",
    )
    .option("--out <file>", "write the file there; default: standard output")
    .option("--force", "write over a file that exists")
    .action(async (selectors: readonly string[], { out, force }: ImportFileFlags) => {
      const wanted = selectors.map((text) => parseSelector(text, context.definitions));
      refuseRepeated(wanted);
      await context.withCloud(async (cloud) => {
        const { wishes, unfinished } = await findWishes(cloud, wanted, context.definitions);
        const planned = planImports(wishes);
        const file = { resources: planned.map(({ entry }) => entry) };
        if (out === undefined) context.writeJson(file);
        else await writeNew(out, `${JSON.stringify(file, undefined, 2)}\n`, force === true);
        for (const view of unfinished)
          context.note(`${nameOf(view)} is left out: a task on it has not ended (${view.record.status})`);
        for (const plan of planned) for (const line of describePlan(plan)) context.note(line);
        if (out === undefined) return;
        if (wantsJson(command)) context.writeJson({ file: out, resources: planned.map(toJsonPlan) });
        else {
          context.writeTable(
            ["TYPE", "NAME IN THE PROGRAM", "ID"].map((title) => ({ title })),
            planned.map(({ wish, entry }) => [wish.definition.type, entry.name, entry.id]),
          );
          context.writeText(
            `next, in the stack's project, with Pulumi 3.254 or newer:\n  pulumi import --file ${escapeLine(out)} --generate-code=false --protect=false`,
          );
        }
      });
    });
  addJsonOption(command);
  describeCommand(
    command,
    "write what `pulumi import --file` takes, so that a stack goes on with resources that are there",
    [
      "pulumi import-file --out import.json",
      "pulumi import-file network subnet server/web=frontend --out import.json",
      "pulumi import-file server --json --out import.json --force",
    ],
  );
}

/** What one word of the command line asks for. */
interface Selector {
  readonly text: string;
  readonly definition: Definition;
  /** Absent: all of the type. */
  readonly idOrName?: string;
  readonly name?: string;
}

function parseSelector(text: string, definitions: readonly Definition[]): Selector {
  const slash = text.indexOf("/");
  const type = slash === -1 ? text : text.slice(0, slash);
  const definition = definitions.find((candidate) => candidate.type === type);
  if (definition === undefined) {
    throw refusal(text, `there is no resource type ${JSON.stringify(type)}`, {
      remedy: `Types: ${definitions.map((candidate) => candidate.type).join(", ")}.`,
    });
  }
  if (slash === -1) return { text, definition };
  const rest = text.slice(slash + 1);
  const sign = rest.lastIndexOf("=");
  const idOrName = sign === -1 ? rest : rest.slice(0, sign);
  const name = sign === -1 ? undefined : rest.slice(sign + 1);
  if (idOrName === "" || name === "")
    throw refusal(text, "this names no resource", { remedy: `Write ${type}/NAME or ${type}/NAME=NEW-NAME.` });
  return { text, definition, idOrName, ...(name === undefined ? {} : { name }) };
}

/** A name that is given to two resources of a type would be one resource in Pulumi. */
function refuseRepeated(wanted: readonly Selector[]): void {
  const given = new Set<string>();
  for (const { text, definition, name } of wanted) {
    if (name === undefined) continue;
    const key = `${definition.type}/${name}`;
    if (given.has(key))
      throw refusal(text, `the name ${JSON.stringify(name)} is given to two ${definition.plural}`, {
        code: "conflict",
        remedy: "Give each its own name: the program tells them apart by it.",
      });
    given.add(key);
  }
}

/** The resources that are asked for, each once, and those of whole types that cannot be taken since a task is on them. */
async function findWishes(
  cloud: Cloud,
  wanted: readonly Selector[],
  definitions: readonly Definition[],
): Promise<{ readonly wishes: readonly ImportWish[]; readonly unfinished: readonly ResourceView[] }> {
  const wishes = new Map<string, ImportWish>();
  for (const { text, definition, idOrName, name } of wanted) {
    if (idOrName === undefined) continue;
    const view = await cloud.find(definition.type, idOrName);
    if (isUnfinished(view.record))
      throw refusal(text, `${nameOf(view)} is ${view.record.status}`, { code: "wrong-state" });
    if (wishes.has(view.id))
      throw refusal(text, `${nameOf(view)} is named twice`, { code: "conflict", remedy: "Name it once." });
    wishes.set(view.id, { definition, view, name });
  }
  const unfinished: ResourceView[] = [];
  const whole =
    wanted.length === 0
      ? definitions
      : wanted.flatMap(({ definition, idOrName }) => (idOrName === undefined ? [definition] : []));
  for (const definition of new Set(whole)) {
    for (const view of await listMade(cloud, definition, wanted.length === 0)) {
      if (isUnfinished(view.record)) unfinished.push(view);
      else if (!wishes.has(view.id)) wishes.set(view.id, { definition, view, name: undefined });
    }
  }
  return { wishes: [...wishes.values()], unfinished };
}

/**
 * Those of a type that somebody made: the cloud's own administrator and project are nobody's to take into a stack, and what a resource made for itself
 * comes with that.
 */
async function listMade(
  cloud: Cloud,
  { type }: Definition,
  mayBeForbidden: boolean,
): Promise<readonly ResourceView[]> {
  try {
    return (await cloud.list(type)).filter(
      ({ record: { maker, owner } }) => maker !== undefined && owner === undefined,
    );
  } catch (error) {
    if (mayBeForbidden && hasCode(error, "forbidden")) return [];
    throw error;
  }
}

function nameOf({ type, record }: ResourceView): string {
  return `${type} ${JSON.stringify(record.name)}`;
}

/** What a reader has to know of one resource, a line each. */
function describePlan({ wish, entry, secrets, missing }: PlannedImport): readonly string[] {
  const { view } = wish;
  const { record } = view;
  const stack = /^urn:pulumi:(?<stack>.+?)::(?<project>.+?)::/.exec(record.maker ?? "")?.groups;
  return [
    ...(wish.name === undefined && entry.name !== record.name
      ? [
          `${nameOf(view)}: others have this name; the program declares this one as ${JSON.stringify(entry.name)}`,
        ]
      : []),
    ...(stack === undefined
      ? []
      : [
          `${nameOf(view)} was made by stack ${String(stack["stack"])} of project ${String(stack["project"])}: if that stack still has it, take it out there with pulumi state delete`,
        ]),
    ...(record.status === "error"
      ? [
          `${nameOf(view)} is in error: ${record.fault?.message ?? "its last task failed"}; the next update goes on with it`,
        ]
      : []),
    ...(secrets.length === 0
      ? []
      : [
          `${nameOf(view)}: ${secrets.join(", ")} is secret and not in the file; give it in the program, and the next preview shows that it is set`,
        ]),
    ...(missing.length === 0
      ? []
      : [`${nameOf(view)}: ${missing.join(", ")} was given only once; the stack will not have it`]),
  ];
}

/** An imported resource as `--json` prints it. Keys and their order are part of the interface. */
function toJsonPlan({ wish, entry, secrets, missing }: PlannedImport): object {
  const { type, record } = wish.view;
  return { type, name: entry.name, id: entry.id, status: record.status, secrets, missing };
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Writes it for the user alone, whatever was there. In a folder of many, somebody else may have put something of that name there: no symbolic link is
 * followed, and nobody else's file is written to.
 */
async function writeNew(file: string, text: string, overwrite: boolean): Promise<void> {
  try {
    const handle = await open(file, O_WRONLY | O_CREAT | O_NOFOLLOW | (overwrite ? 0 : O_EXCL), 0o600);
    try {
      const { uid } = await handle.stat();
      if (uid !== process.getuid?.()) throw new Error("the file is another user's");
      await handle.chmod(0o600);
      await handle.truncate();
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new StackyardError("conflict", {
      message: "the file cannot be written",
      field: "--out",
      value: file,
      remedy:
        "Name a file that does not exist, in a folder that does; --force writes over one of your own, through no symbolic link.",
      cause,
    });
  }
}

function refusal(
  value: string,
  message: string,
  { code = "invalid-input", remedy }: { readonly code?: StackyardError["code"]; readonly remedy?: string },
): StackyardError {
  return new StackyardError(code, {
    message,
    field: "resource",
    value,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
