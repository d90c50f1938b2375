import type { Command } from "commander";
import { z } from "zod";
import type { Cloud, Issue } from "../../core/cloud.ts";
import { StackyardError } from "../../core/errors.ts";
import { shapeOf } from "../../core/fields.ts";
import { isUuid } from "../../core/ids.ts";
import { canonicalJson, textOf, type JsonObject } from "../../core/json.ts";
import type { Definition } from "../../core/resource.ts";
import { listReferences } from "../../core/validate.ts";
import type { CommandContext } from "./context.ts";
import { addFlags, readFlags, setAt, type Flag } from "./flags.ts";

const fragmentSchema = z.record(z.string(), z.json());

/** Inputs out of the text of a YAML or JSON file. Raises `invalid-input` naming the file. */
export async function parseFragment(text: string, path: string): Promise<JsonObject> {
  const wrong = (cause?: unknown): StackyardError =>
    new StackyardError("invalid-input", {
      message: "the file of --file does not hold the inputs of a resource",
      field: "--file",
      value: path,
      remedy: "Write the fields as a YAML or JSON object, e.g. `ramMib: 512`.",
      cause,
    });
  // Commands without a file are spared the time that the library takes to load.
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw wrong(cause);
  }
  const result = fragmentSchema.safeParse(value);
  if (!result.success) throw wrong();
  return result.data;
}

/** Inputs in which each reference that was given by name holds the id. Raises `unknown-reference` naming the field. */
export async function resolveReferences(
  cloud: Cloud,
  definition: Definition,
  inputs: JsonObject,
): Promise<JsonObject> {
  let resolved = inputs;
  for (const { field, type, id: idOrName } of listReferences(definition, inputs)) {
    if (isUuid(idOrName)) continue;
    const id = await findReferenced(cloud, type, idOrName, field);
    resolved = setAt(resolved, field.split("."), id);
  }
  return resolved;
}

async function findReferenced(cloud: Cloud, type: string, name: string, field: string): Promise<string> {
  try {
    return (await cloud.find(type, name)).id;
  } catch (error) {
    if (!(error instanceof StackyardError) || error.code !== "not-found") throw error;
    throw new StackyardError("unknown-reference", {
      message: `there is no ${type} of this id or name`,
      field,
      value: name,
      remedy: `See what there is: stackyard ${type} list`,
    });
  }
}

/** Raises the first of a plan's issues, with the others as notes. */
export function raiseIssues(attempted: string, issues: readonly Issue[]): void {
  const [first, ...others] = issues;
  if (first === undefined) return;
  throw new StackyardError(first.code, {
    message: `cannot ${attempted}: ${first.field} ${first.message}`,
    field: first.field,
    ...(first.value === undefined ? {} : { value: first.value }),
    ...(first.remedy === undefined ? {} : { remedy: first.remedy }),
    notes: others.map(({ field, message }) => `also: ${field} ${message}`),
  });
}

/** The name that inputs give, `undefined` for a type without names. Raises `invalid-input` when it is missing. */
export function readName(attempted: string, definition: Definition, inputs: JsonObject): string | undefined {
  if (!Object.hasOwn(shapeOf(definition.inputs), "name")) return undefined;
  const { name } = inputs;
  if (typeof name === "string") return name;
  throw new StackyardError("invalid-input", {
    message: `cannot ${attempted}: it needs a name`,
    field: "name",
    remedy: "Give it by --name.",
  });
}

/** Maker of a resource that the command line creates: it follows from type, project and name, so that a second create finds the first. */
export function makerOf(type: string, inputs: JsonObject): string {
  return `cli:${canonicalJson([type, inputs["project"] ?? null, textOf(inputs, "name") ?? inputs])}`;
}

/** Adds `--file` and an option a field. */
export function addInputOptions(command: Command, flags: readonly Flag[]): void {
  command.option(
    "--file <path>",
    "Fields from a YAML or JSON file; - is standard input. Options win over it.",
  );
  addFlags(command, flags);
}

/** The fields that a command line gives over `base`: those of `--file`, and over them the options. */
export async function readInputs(
  command: Command,
  flags: readonly Flag[],
  base: JsonObject,
  context: CommandContext,
): Promise<JsonObject> {
  const path: unknown = command.getOptionValue("file");
  const fragment =
    typeof path === "string" ? await parseFragment(await context.readText(path, "--file"), path) : {};
  return readFlags(flags, command, { ...base, ...fragment }, (file, option) =>
    context.readSecret(file, option),
  );
}
