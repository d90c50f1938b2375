import { StackyardError } from "../core/errors.ts";
import type { JsonValue } from "../core/json.ts";
import { equalJson, isJsonObject } from "../core/json.ts";
import { hostAttribute } from "./host-attribute.ts";
import type { HostState } from "./host-state.ts";
import { isJsonList, parseJson } from "./json-value.ts";

const field = "hints.query";

/** Deeper queries would exhaust the stack. */
const maxDepth = 100;

type Operator = (terms: readonly JsonValue[]) => JsonValue;

/** Nova's query language (nova: scheduler/filters/json_filter.py). `not` answers a list, one truth for each term. */
const operators: Readonly<Record<string, Operator>> = {
  "=": (terms) => compareFirst(terms, equals),
  "<": (terms) => compareFirst(terms, (a, b) => order(a, b) < 0),
  ">": (terms) => compareFirst(terms, (a, b) => order(a, b) > 0),
  "<=": (terms) => compareFirst(terms, (a, b) => order(a, b) <= 0),
  ">=": (terms) => compareFirst(terms, (a, b) => order(a, b) >= 0),
  in: ([first, ...others]) => first !== undefined && others.some((other) => equals(first, other)),
  not: (terms) => terms.map((term) => !isTrue(term)),
  or: (terms) => terms.some(isTrue),
  and: (terms) => terms.every(isTrue),
};

/** Reads the text of a query. Raises `invalid-input` when it is not JSON. */
export function parseQuery(text: string): JsonValue {
  const query = parseJson(text);
  if (query === undefined) {
    throw new StackyardError("invalid-input", { message: "the query is not JSON", field, value: text });
  }
  return query;
}

/** Whether the host answers the query with a truth. Raises `invalid-input` for an unknown operator or values that cannot be compared. */
export function answerQuery(query: JsonValue, host: HostState): boolean {
  const answer = evaluate(query, host, 0);
  return isJsonList(answer) ? answer.some(isTrue) : isTrue(answer);
}

function evaluate(query: JsonValue, host: HostState, depth: number): JsonValue {
  if (depth > maxDepth) {
    throw new StackyardError("invalid-input", {
      message: `the query is nested deeper than ${maxDepth} levels`,
      field,
    });
  }
  if (!isTrue(query)) return true;
  const [name, ...given] = isJsonList(query) ? query : [query];
  const operate = typeof name === "string" && Object.hasOwn(operators, name) ? operators[name] : undefined;
  if (operate === undefined) {
    throw new StackyardError("invalid-input", {
      message: `the query uses an unknown operator; known are ${Object.keys(operators).join(" ")}`,
      field,
      value: name,
    });
  }
  const terms = given.map((term) => {
    if (isJsonList(term)) return evaluate(term, host, depth + 1);
    return typeof term === "string" ? resolve(term, host) : term;
  });
  return operate(terms.filter((term) => term !== null));
}

/** `$name` is an attribute of the host, `$name.key` an entry of it; unknown and empty ones are null. */
function resolve(text: string, host: HostState): JsonValue {
  if (text === "") return null;
  if (!text.startsWith("$")) return text;
  const [first = "", ...rest] = text.slice(1).split(".");
  let value: JsonValue = hostAttribute(host, first);
  for (const part of rest) {
    if (value === null) return null;
    if (!isJsonObject(value)) {
      throw new StackyardError("invalid-input", {
        message: `the query asks for an entry of ${first}, which has none`,
        field,
        value: text,
      });
    }
    value = (Object.hasOwn(value, part) ? value[part] : null) ?? null;
  }
  return value;
}

/** The first term compared with each of the others; false with fewer than two. */
function compareFirst(terms: readonly JsonValue[], holds: (a: JsonValue, b: JsonValue) => boolean): boolean {
  const [first, ...others] = terms;
  return first !== undefined && others.length > 0 && others.every((other) => holds(first, other));
}

/** Python's truth of a value. */
function isTrue(value: JsonValue): boolean {
  if (isJsonList(value)) return value.length > 0;
  if (isJsonObject(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Python counts True as 1 and False as 0. */
function asNumber(value: JsonValue): number | undefined {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" ? value : undefined;
}

function equals(a: JsonValue, b: JsonValue): boolean {
  const [left, right] = [asNumber(a), asNumber(b)];
  return left === undefined || right === undefined ? equalJson(a, b) : left === right;
}

function order(a: JsonValue, b: JsonValue): number {
  const [left, right] = [asNumber(a), asNumber(b)];
  if (left !== undefined && right !== undefined) return left - right;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  throw new StackyardError("invalid-input", {
    message: `the query compares ${JSON.stringify(a)} with ${JSON.stringify(b)}, which have no order`,
    field,
    value: JSON.stringify([a, b]),
  });
}
