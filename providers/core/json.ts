/** Plain data: what records, messages and engines exchange. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** An object of plain data. `undefined` means the key is absent. */
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** Whether two plain values are equal, order of keys aside; an absent key equals `undefined`. */
export function equalJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  // Text, numbers and what is absent, which are most values, need no writing down.
  if (a === b || !isContainer(a) || !isContainer(b)) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}

function isContainer(value: JsonValue | undefined): boolean {
  return typeof value === "object" && value !== null;
}

/** Text that is equal for equal values: keys sorted, absent keys dropped. */
export function canonicalJson(value: JsonValue | undefined): string {
  return JSON.stringify(value, (_key, entry: JsonValue) => (isJsonObject(entry) ? sortKeys(entry) : entry));
}

/** Whether a value is an object (not null, not a list). */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The text under a key; `undefined` where there is none, or something else. */
export function textOf(object: JsonObject, key: string): string | undefined {
  const value = object[key];
  return typeof value === "string" ? value : undefined;
}

function sortKeys(object: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(object)
      .filter(([, entry]) => entry !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
