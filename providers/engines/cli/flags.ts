import { InvalidArgumentError, Option, type Command } from "commander";
import { z } from "zod";
import { policyOf, shapeOf, unwrapSchema } from "../../core/fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { toKebabCase } from "./text.ts";

/** How a value is written on the command line. */
export type FlagKind =
  | { readonly kind: "text" }
  | { readonly kind: "choice"; readonly values: readonly string[] }
  | { readonly kind: "number" }
  /** `--enabled` or `--no-enabled`. */
  | { readonly kind: "switch" }
  /** `key=value`, repeated. */
  | { readonly kind: "map"; readonly value: FlagKind }
  /** A JSON object, or `key=value,key=value`. */
  | { readonly kind: "object"; readonly fields: Readonly<Record<string, FlagKind>> }
  /** Repeated, one element each time; or once as a JSON list. */
  | { readonly kind: "list"; readonly element: FlagKind }
  /** Anything, as JSON. */
  | { readonly kind: "json" };

/** A field of a resource, or of an action's input, as an option of a command. */
export interface Flag {
  /** Path of the field: `quota.ramMib`. */
  readonly path: string;
  /** Name without dashes: `quota.ram-mib`. A secret's ends in `-file`, since its value is never an argument. */
  readonly name: string;
  readonly kind: FlagKind;
  readonly doc: string;
  readonly required: boolean;
  readonly secret: boolean;
  /** Type whose id or name it takes. */
  readonly references: string | undefined;
}

/** The flags of an object schema, nested objects' fields after their parent. */
export function listFlags(object: z.ZodObject, prefix = "", parentRequired = true): readonly Flag[] {
  return Object.entries(shapeOf(object)).flatMap(([key, schema]) => {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    const policy = policyOf(schema);
    const secret = policy?.secret === true;
    const required = parentRequired && !schema._zod.optin;
    const flag: Flag = {
      path,
      name: secret ? `${toKebabCase(path)}-file` : toKebabCase(path),
      kind: flagKindOf(schema),
      doc: policy?.doc ?? "",
      required: required && policy?.computed === undefined,
      secret,
      references: policy?.references,
    };
    const inner = unwrapSchema(schema);
    return inner instanceof z.ZodObject ? [flag, ...listFlags(inner, path, required)] : [flag];
  });
}

function flagKindOf(schema: z.core.$ZodType): FlagKind {
  const inner = unwrapSchema(schema);
  if (inner instanceof z.ZodEnum) return { kind: "choice", values: inner.options.map(String) };
  if (inner instanceof z.ZodLiteral) return { kind: "choice", values: [...inner.values].map(String) };
  if (inner instanceof z.ZodString || inner instanceof z.ZodStringFormat) return { kind: "text" };
  if (inner instanceof z.ZodNumber) return { kind: "number" };
  if (inner instanceof z.ZodBoolean) return { kind: "switch" };
  if (inner instanceof z.ZodArray) return { kind: "list", element: flagKindOf(inner.element) };
  if (inner instanceof z.ZodRecord) return { kind: "map", value: flagKindOf(inner.valueType) };
  if (inner instanceof z.ZodObject) {
    const fields = Object.entries(shapeOf(inner)).map(([key, field]) => [key, flagKindOf(field)] as const);
    return { kind: "object", fields: Object.fromEntries(fields) };
  }
  return { kind: "json" };
}

/** What stands for the value in `--help`: `<number>`, `<key=value>`, …; nothing for a switch. */
function placeholderOf(flag: Flag): string {
  if (flag.secret) return " <path>";
  if (flag.references !== undefined) return ` <${flag.references}>`;
  switch (flag.kind.kind) {
    case "text":
      return " <text>";
    case "choice":
      return " <choice>";
    case "number":
      return " <number>";
    case "switch":
      return "";
    case "map":
      return " <key=value>";
    case "object":
      return " <json>";
    case "list":
      return flag.kind.element.kind === "object" ? " <key=value,…>" : " <value>";
    case "json":
      return " <json>";
  }
}

/** Adds the options of flags to a command. Values are parsed at once: a wrong one is an error of usage. */
export function addFlags(command: Command, flags: readonly Flag[]): void {
  for (const flag of flags) {
    const doc = flag.required ? `${flag.doc} Required.` : flag.doc;
    const repeats = flag.kind.kind === "list" || flag.kind.kind === "map" ? " Can be repeated." : "";
    const fromFile = flag.secret ? " Read from this file; - is standard input." : "";
    const option = new Option(`--${flag.name}${placeholderOf(flag)}`, `${doc}${repeats}${fromFile}`);
    if (flag.kind.kind === "switch") {
      command.addOption(option);
      command.addOption(new Option(`--no-${flag.name}`, `The opposite of --${flag.name}.`));
      continue;
    }
    if (!flag.secret) {
      option.argParser((text: string, previous: JsonValue | undefined) =>
        accumulate(flag.kind, text, previous),
      );
      if (flag.kind.kind === "choice") option.description += ` One of: ${flag.kind.values.join(", ")}.`;
    }
    command.addOption(option);
  }
}

function accumulate(kind: FlagKind, text: string, previous: JsonValue | undefined): JsonValue {
  if (kind.kind === "list") {
    const added = text.startsWith("[") ? parseJson(text) : [parseValue(kind.element, text)];
    if (!Array.isArray(added)) throw new InvalidArgumentError("It is no JSON list.");
    return [
      ...(Array.isArray(previous) ? (previous as readonly JsonValue[]) : []),
      ...(added as readonly JsonValue[]),
    ];
  }
  if (kind.kind === "map") {
    const added = text.startsWith("{") ? parseJson(text) : parsePairs([text], () => kind.value);
    return { ...(isJsonObject(previous) ? previous : {}), ...(isJsonObject(added) ? added : {}) };
  }
  return parseValue(kind, text);
}

function parseValue(kind: FlagKind, text: string): JsonValue {
  switch (kind.kind) {
    case "text":
      return text;
    case "choice":
      if (!kind.values.includes(text))
        throw new InvalidArgumentError(`It is one of: ${kind.values.join(", ")}.`);
      return text;
    case "number":
      return parseNumber(text);
    case "switch":
      if (text !== "true" && text !== "false") throw new InvalidArgumentError("It is true or false.");
      return text === "true";
    case "object":
      return text.startsWith("{")
        ? parseJson(text)
        : parsePairs(text.split(","), (key) => kind.fields[key] ?? { kind: "text" });
    case "list":
    case "map":
    case "json":
      return parseJson(text);
  }
}

function parseNumber(text: string): number {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(number)) throw new InvalidArgumentError("It is no number.");
  return number;
}

function parseJson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw new InvalidArgumentError("It is no JSON.");
  }
}

function parsePairs(pairs: readonly string[], kindOfKey: (key: string) => FlagKind): JsonObject {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [key, value] = splitPair(pair);
      return [key, parseValue(kindOfKey(key), value)];
    }),
  );
}

function splitPair(pair: string): readonly [key: string, value: string] {
  const at = pair.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It is no key=value.");
  return [pair.slice(0, at), pair.slice(at + 1)];
}

/** Parses an option that is a whole number of at least 1. */
export function parseCount(text: string): number {
  const count = parseNumber(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError("It is no whole number from 1.");
  return count;
}

/** Parses an option of `key=value` that is repeated. */
export function accumulateTexts(
  pair: string,
  previous: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [key, value] = splitPair(pair);
  return { ...previous, [key]: value };
}

/** Reads the values of flags out of a command's parsed options into inputs, over `base`. */
export async function readFlags(
  flags: readonly Flag[],
  command: Command,
  base: JsonObject,
  readSecret: (path: string, option: string) => Promise<string>,
): Promise<JsonObject> {
  let inputs = base;
  for (const flag of flags) {
    const value: unknown = command.getOptionValue(new Option(`--${flag.name}`).attributeName());
    if (value === undefined) continue;
    inputs = setAt(
      inputs,
      flag.path.split("."),
      flag.secret ? await readSecret(value as string, `--${flag.name}`) : (value as JsonValue),
    );
  }
  return inputs;
}

/** A copy of `value` with another value at a path of keys and indices; `undefined` takes the key away. */
export function setAt(value: JsonObject, path: readonly string[], to: JsonValue | undefined): JsonObject {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  if (rest.length === 0) return { ...value, [head]: to };
  const inner = value[head];
  if (Array.isArray(inner)) return { ...value, [head]: setInList(inner as readonly JsonValue[], rest, to) };
  return { ...value, [head]: setAt(isJsonObject(inner) ? inner : {}, rest, to) };
}

function setInList(
  list: readonly JsonValue[],
  [index = "0", ...rest]: readonly string[],
  to: JsonValue | undefined,
): readonly JsonValue[] {
  return list.map((entry, at) => {
    if (at !== Number(index)) return entry;
    return rest.length === 0 ? (to ?? null) : setAt(isJsonObject(entry) ? entry : {}, rest, to);
  });
}
