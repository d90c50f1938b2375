import { readFileSync } from "node:fs";
import { isNode, parseDocument, visit } from "yaml";
import { z } from "zod";
import { StackyardError } from "../providers/core/errors.ts";

/** A check whose failure carries its own way out. */
export function rule<Value>(test: (value: Value) => boolean, message: string, remedy: string) {
  return (context: z.core.ParsePayload<Value>): void => {
    if (test(context.value)) return;
    context.issues.push({ code: "custom", input: context.value, message, params: { remedy } });
  };
}

/** What a file describes, as errors speak of it: `topology`; and all keys that it may have, as a sentence lists them. */
export interface InputKind {
  readonly what: string;
  readonly knownKeys: string;
  /** A key of the top level below which values may be secret: errors do not show them. */
  readonly secretKey?: string;
}

/** The value at a path, or the short form that stands for it there: a name, a count. */
function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : value),
    input,
  );
}

/** Types of YAML in words, with an example. */
const typeWords: Readonly<Record<string, readonly [string, string]>> = {
  string: ["text", "in quotes, if it looks like something else"],
  int: ["a whole number", "without a unit"],
  number: ["a number", "without a unit"],
  boolean: ["true or false", "without quotes"],
  array: ["a list", "[a, b]"],
  object: ["a mapping", "{ field: value }"],
  record: ["a mapping", "{ field: value }"],
};

/** How the schema's own words begin, where it has been given none. */
const givenNoWords = /^(Too (small|big)|Invalid input)\b/;

/** What is wrong, in words that go on after the name of the field. */
function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "unrecognized_keys") return "is unknown";
  if (!givenNoWords.test(issue.message)) return issue.message;
  if (issue.code === "too_small")
    return `is ${issue.inclusive === false ? "not more" : "less"} than ${String(issue.minimum)}`;
  if (issue.code === "too_big") return `is more than ${String(issue.maximum)}`;
  const [type] = issue.code === "invalid_type" ? (typeWords[issue.expected] ?? []) : [];
  if (type === undefined) return issue.message;
  return value === undefined ? "is missing" : `is not ${type}`;
}

function remedyFor(issue: z.core.$ZodIssue, { what, knownKeys }: InputKind): string {
  if (issue.code === "too_small")
    return `Give ${issue.inclusive === false ? `more than ${String(issue.minimum)}` : `${String(issue.minimum)} or more`}.`;
  if (issue.code === "too_big") return `Give ${String(issue.maximum)} or less.`;
  if (issue.code === "invalid_type") {
    const [type, example] = typeWords[issue.expected] ?? [];
    if (type !== undefined && example !== undefined) return `Write ${type}: ${example}.`;
  }
  if (issue.code === "custom") return z.object({ remedy: z.string() }).parse(issue.params).remedy;
  if (issue.code === "invalid_value")
    return `Use ${issue.values.map((value) => `"${String(value)}"`).join(" or ")}.`;
  if (issue.code === "unrecognized_keys")
    return `Remove the key, or correct its name. Known keys: ${knownKeys}.`;
  return `Correct the field of the ${what} and run again.`;
}

/**
 * What `input` describes, complete with defaults. A key of a record is at fault in its own name.
 * @throws StackyardError `invalid-input` that names the first field at fault, its value and the way out.
 */
export function parseInput<Output>(schema: z.ZodType<Output>, input: unknown, kind: InputKind): Output {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  if (first === undefined)
    throw new StackyardError("internal", { message: `the ${kind.what} was refused for no reason` });
  const [inner] = first.code === "invalid_key" ? first.issues : [];
  const issue = inner ?? first;
  const path = first.code === "unrecognized_keys" ? [...first.path, ...first.keys.slice(0, 1)] : first.path;
  const field = path.join(".");
  const value = inner === undefined ? valueAt(input, path) : path.at(-1);
  throw new StackyardError("invalid-input", {
    message: `the ${kind.what} is not valid: ${field === "" ? "it" : field} ${messageOf(issue, value)}`,
    field,
    ...(inner === undefined && kind.secretKey !== undefined && path[0] === kind.secretKey ? {} : { value }),
    remedy: remedyFor(issue, kind),
  });
}

/**
 * What a YAML (or JSON) file holds.
 * @param field the argument or field that names the file.
 * @param textKeys keys of the top level below which numbers and truth values are text, as written: a version 3.10 is none of 3.1.
 * @throws StackyardError `not-found` when it cannot be read, `invalid-input` when it is no YAML.
 */
export function readYamlFile(
  file: string,
  field: string,
  what: string,
  textKeys: readonly string[] = [],
): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new StackyardError("not-found", {
      message: `the ${what} file cannot be read`,
      field,
      value: file,
      remedy: `Check the path given as ${field}.`,
      cause,
    });
  }
  const document = parseDocument(text);
  const [error] = document.errors;
  // The lines after the first are the file's own, which may hold what is nobody's.
  if (error !== undefined) throw noYaml(file, field, what, error.message.split(":\n")[0] ?? "");
  for (const key of textKeys) {
    const node = document.get(key, true);
    if (!isNode(node)) continue;
    visit(node, {
      Scalar: (place, scalar) => {
        if (place !== "key" && scalar.value !== null && scalar.source !== undefined)
          scalar.value = scalar.source;
      },
    });
  }
  try {
    const value: unknown = document.toJS();
    if (!containsItself(value)) return value;
  } catch (cause) {
    // Aliases without an anchor, and so many that they would fill memory.
    throw noYaml(file, field, what, cause instanceof Error ? cause.message : String(cause));
  }
  throw noYaml(file, field, what, "an alias (*) stands for what it is a part of");
}

function containsItself(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return false;
  } catch {
    return true;
  }
}

function noYaml(file: string, field: string, what: string, why: string): StackyardError {
  return new StackyardError("invalid-input", {
    message: `the ${what} file is not valid YAML: ${why}`,
    field,
    value: file,
    remedy: "Correct the place that is named.",
  });
}
