import { z } from "zod";
import type { Issue } from "./cloud.ts";
import { listLeaves, policyOf, shapeOf } from "./fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import type { CompletionContext, Definition, World } from "./resource.ts";

/** Longest text in any input, in characters, where the field sets no smaller limit. */
const maxTextChars = 1_048_576;

/** Inputs with defaults filled in, or what is wrong with them. Fields in `unknown` are left out of both. */
export function parseInputs(
  definition: Definition,
  inputs: JsonObject,
  unknown: readonly string[],
): { readonly inputs: JsonObject; readonly issues: readonly Issue[] } {
  const result = schemaWithout(definition.inputs, unknown).safeParse(inputs);
  if (!result.success)
    return { inputs, issues: result.error.issues.flatMap((issue) => toIssues(definition, inputs, issue)) };
  const parsed = result.data as JsonObject;
  const tooLong = [...listTexts(parsed, "")].filter(([, text]) => text.length > maxTextChars);
  return {
    inputs: parsed,
    issues: tooLong.map(([field]) => ({
      code: "invalid-input",
      field,
      message: `is longer than ${String(maxTextChars)} characters`,
    })),
  };
}

/** Schemas without some of their fields: zod compiles a new one at its first use, which takes longer than all later ones. */
const partialSchemas = new WeakMap<z.ZodObject, Map<string, z.ZodObject>>();

function schemaWithout(object: z.ZodObject, unknown: readonly string[]): z.ZodObject {
  const fields = Object.entries(shapeOf(object)).filter(([key]) => !unknown.includes(key));
  const ofObject = partialSchemas.get(object) ?? new Map<string, z.ZodObject>();
  partialSchemas.set(object, ofObject);
  // By the fields that the object has: what else callers name would grow the map for ever.
  const key = fields.map(([name]) => name).join(" ");
  const known = ofObject.get(key);
  if (known !== undefined) return known;
  const schema = z.strictObject(Object.fromEntries(fields));
  ofObject.set(key, schema);
  return schema;
}

function toIssues(definition: Definition, inputs: JsonObject, issue: z.core.$ZodIssue): readonly Issue[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(shapeOf(definition.inputs)).join(", ");
    return issue.keys.map((key) => ({
      code: "invalid-input",
      field: [...path, key].map(shorten).join("."),
      message: "is not a field of this resource",
      remedy: `Remove it. Known fields: ${known}.`,
    }));
  }
  const value = pick(inputs, path);
  const secret = isSecretField(definition, path);
  const message =
    value === undefined && issue.code === "invalid_type" ? "is missing" : lowerFirst(issue.message);
  return [
    {
      code: "invalid-input",
      field: path.map(shorten).join("."),
      message,
      ...(value === undefined || secret || holdsSecret(value) ? {} : { value }),
    },
  ];
}

/** Longest part of a path that is repeated in full. Keys of records are the user's own. */
const maxKeyChars = 64;

function shorten(key: string): string {
  return key.length <= maxKeyChars ? key : `${key.slice(0, maxKeyChars)}…`;
}

/** A private key pasted into the wrong field, or a password within a URL, must not be repeated in the error. */
function holdsSecret(value: JsonValue): boolean {
  return typeof value === "string" && /PRIVATE KEY|:\/\/[^/?#]*@/.test(value);
}

function isSecretField(definition: Definition, path: readonly string[]): boolean {
  const schema = shapeOf(definition.inputs)[path[0] ?? ""];
  return schema !== undefined && policyOf(schema)?.secret === true;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function pick(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  if (isJsonObject(value)) return pick(value[head], rest);
  if (Array.isArray(value)) return pick((value as readonly JsonValue[])[Number(head)], rest);
  return undefined;
}

function* listTexts(value: JsonValue | undefined, path: string): Generator<readonly [string, string]> {
  if (typeof value === "string") yield [path, value];
  else if (Array.isArray(value)) {
    for (const [index, entry] of (value as readonly JsonValue[]).entries())
      yield* listTexts(entry, join(path, String(index)));
  } else if (isJsonObject(value)) {
    for (const [key, entry] of Object.entries(value)) yield* listTexts(entry, join(path, key));
  }
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** A reference to another resource found in inputs. */
export interface Reference {
  /** Path with indices: `networks.0.port`. */
  readonly field: string;
  readonly type: string;
  readonly id: string;
}

/** Every reference in the inputs, nested ones included. */
export function listReferences(definition: Definition, inputs: JsonObject): readonly Reference[] {
  return findReferences(definition.inputs, inputs);
}

/** Every resource that a stored one depends on: what its inputs refer to, and what its outputs say that it uses, such as a server's host. */
export function listDependencies(
  definition: Definition,
  record: { readonly inputs: JsonObject; readonly outputs: JsonObject },
): readonly Reference[] {
  return [
    ...findReferences(definition.inputs, record.inputs),
    ...findReferences(definition.outputs, record.outputs),
  ];
}

/** Where a schema holds references: schemas never change, and removals look at those of every record. */
const referenceFields = new WeakMap<
  z.ZodObject,
  readonly { readonly path: readonly string[]; readonly type: string }[]
>();

function listReferenceFields(
  schema: z.ZodObject,
): readonly { readonly path: readonly string[]; readonly type: string }[] {
  const known = referenceFields.get(schema);
  if (known !== undefined) return known;
  const fields = [...listLeaves(schema)].flatMap(({ path, policy }) =>
    policy?.references === undefined ? [] : [{ path: path.split("."), type: policy.references }],
  );
  referenceFields.set(schema, fields);
  return fields;
}

function findReferences(schema: z.ZodObject, values: JsonObject): readonly Reference[] {
  return listReferenceFields(schema).flatMap(({ path, type }) =>
    [...expand(values, path, "")].flatMap(([field, value]) =>
      typeof value === "string" ? [{ field, type, id: value }] : [],
    ),
  );
}

function* expand(
  value: JsonValue | undefined,
  path: readonly string[],
  at: string,
): Generator<readonly [string, JsonValue]> {
  const [head, ...rest] = path;
  if (value === undefined || value === null) return;
  if (head === undefined) {
    if (Array.isArray(value)) {
      for (const [index, entry] of (value as readonly JsonValue[]).entries())
        yield [join(at, String(index)), entry];
    } else yield [at, value];
    return;
  }
  const isList = head.endsWith("[]");
  const key = isList ? head.slice(0, -2) : head;
  if (!isJsonObject(value)) return;
  const inner = value[key];
  if (isList && Array.isArray(inner)) {
    for (const [index, entry] of (inner as readonly JsonValue[]).entries())
      yield* expand(entry, rest, join(join(at, key), String(index)));
  } else if (!isList) yield* expand(inner, rest, join(at, key));
}

/** References that lead nowhere. */
export function checkReferences(definition: Definition, inputs: JsonObject, world: World): readonly Issue[] {
  return listReferences(definition, inputs)
    .filter((reference) => world.find(reference.type, reference.id) === undefined)
    .map((reference): Issue => ({
      code: "unknown-reference",
      field: reference.field,
      value: reference.id,
      message: `refers to a ${reference.type} that does not exist`,
    }));
}

/** Rules that do not hold. */
export function checkRules(
  definition: Definition,
  inputs: JsonObject,
  unknown: readonly string[],
  context: CompletionContext,
): readonly Issue[] {
  const issues: Issue[] = [];
  for (const rule of definition.rules) {
    if (rule.reads.some((field) => unknown.includes(field))) continue;
    const violation = rule.violated(inputs, context);
    if (violation === undefined) continue;
    const { field, problem } =
      typeof violation === "string" ? { field: rule.field, problem: violation } : violation;
    issues.push({
      code: rule.code ?? "invalid-input",
      field,
      message: problem,
      ...(rule.remedy === undefined ? {} : { remedy: rule.remedy }),
      ...withValue(pick(inputs, field.split("."))),
    });
  }
  return issues;
}

function withValue(value: JsonValue | undefined): { value?: JsonValue } {
  return value === undefined ? {} : { value };
}
