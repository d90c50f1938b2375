import { decode, encode, ExtData } from "@msgpack/msgpack";
import { StackyardError } from "../../core/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { Attribute, AttributeType } from "./schema.ts";

/** Stands for a value that is known only after apply. */
export const unknown: unique symbol = Symbol("unknown");

/** A value of Terraform's, its objects under our keys (`ramMib`). */
export type Value = string | number | boolean | null | typeof unknown | readonly Value[] | Values;

/** An object of Terraform's. Of attributes it has each one, null where nothing is set. */
export interface Values {
  readonly [key: string]: Value;
}

/** Whether a value is an object or a map. */
export function isValues(value: Value | undefined): value is Values {
  return typeof value === "object" && value !== null && !isList(value);
}

/** Whether a value is a list. */
export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** Whether something in a value is known only after apply. */
export function containsUnknown(value: Value): boolean {
  if (value === unknown) return true;
  if (isList(value)) return value.some(containsUnknown);
  return isValues(value) && Object.values(value).some(containsUnknown);
}

/**
 * Reads an object from the wire's MessagePack (terraform: docs/plugin-protocol/object-wire-format.md); `undefined` for null. Attributes that are missing
 * are null, those that the schema does not have are dropped.
 * @throws StackyardError `invalid-input` for a number beyond 2^53, which JavaScript cannot hold, and for what is no MessagePack of ours.
 */
export function decodeObject(bytes: Uint8Array, attributes: readonly Attribute[]): Values | undefined {
  if (bytes.length === 0) return undefined;
  let raw: unknown;
  try {
    raw = decode(bytes, { useBigInt64: true });
  } catch (cause) {
    throw new StackyardError("invalid-input", { message: "the values cannot be read", cause });
  }
  return readObject(raw, attributes, "");
}

/** Reads a stored object, JSON under Terraform's names, whatever release has written it. */
export function decodeState(text: string, attributes: readonly Attribute[]): Values | undefined {
  const raw: unknown = JSON.parse(text);
  return readObject(raw, attributes, "");
}

function readObject(raw: unknown, attributes: readonly Attribute[], path: string): Values | undefined {
  if (!isRecord(raw)) return undefined;
  return Object.fromEntries(
    attributes.map(({ key, name, type }) => [key, readValue(raw[name], type, join(path, key))]),
  );
}

function readValue(raw: unknown, type: AttributeType, path: string): Value {
  if (raw === null || raw === undefined) return null;
  // Type 0 is "unknown", type 12 one that is known to be within limits; later ones will be no more known.
  if (raw instanceof ExtData) return unknown;
  switch (type.kind) {
    case "object":
      return readObject(raw, type.attributes, path) ?? null;
    case "objects":
      return readList(raw, path, (entry, at) =>
        entry instanceof ExtData ? unknown : (readObject(entry, type.attributes, at) ?? null),
      );
    case "list":
      return readList(raw, path, (entry, at) => readValue(entry, type.element, at));
    case "map":
      return isRecord(raw)
        ? Object.fromEntries(
            Object.entries(raw).map(([key, entry]) => [key, readValue(entry, type.element, join(path, key))]),
          )
        : null;
    case "number":
      return readNumber(raw, path);
    case "string":
      return typeof raw === "string" ? raw : null;
    case "bool":
      return typeof raw === "boolean" ? raw : null;
  }
}

function readList(raw: unknown, path: string, read: (entry: unknown, path: string) => Value): Value {
  if (!Array.isArray(raw)) return null;
  return raw.map((entry: unknown, index) => read(entry, join(path, String(index))));
}

/** Integers beyond 64 bits, and fractions that no double holds, come as text. */
function readNumber(raw: unknown, path: string): Value {
  const number = typeof raw === "bigint" || typeof raw === "string" ? Number(raw) : raw;
  if (typeof number !== "number") return null;
  const isExact = typeof raw === "number" || BigInt(Math.trunc(number)).toString() === String(raw);
  if (isExact && Math.abs(number) <= Number.MAX_SAFE_INTEGER) return number;
  throw new StackyardError("invalid-input", {
    message: "the number is too large or too exact: numbers here are held as doubles, exact up to 2^53",
    field: path,
    value: String(raw),
    remedy: "Use a number from -9007199254740991 to 9007199254740991.",
  });
}

/** Writes an object, `undefined` as null: every attribute of the schema, and nothing else. */
export function encodeObject(values: Values | undefined, attributes: readonly Attribute[]): Buffer {
  const bytes = encode(values === undefined ? null : writeObject(values, attributes));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const unknownOnTheWire = new ExtData(0, new Uint8Array(1));

function writeObject(values: Values, attributes: readonly Attribute[]): object {
  return Object.fromEntries(
    attributes.map(({ key, name, type }) => [name, writeValue(values[key] ?? null, type)]),
  );
}

function writeValue(value: Value, type: AttributeType): unknown {
  if (value === unknown) return unknownOnTheWire;
  if ("attributes" in type) {
    if (isList(value)) return value.map((entry) => writeValue(entry, { ...type, kind: "object" }));
    return isValues(value) ? writeObject(value, type.attributes) : null;
  }
  if ("element" in type) {
    if (isList(value)) return value.map((entry) => writeValue(entry, type.element));
    if (!isValues(value)) return null;
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, writeValue(entry, type.element)]),
    );
  }
  return value;
}

/** Plain data as a value of this type. What the type does not have is dropped. */
export function fromJson(json: JsonValue | undefined, type: AttributeType): Value {
  if (json === undefined || json === null) return null;
  switch (type.kind) {
    case "object":
      return isJsonObject(json)
        ? Object.fromEntries(
            type.attributes.map((inner) => [inner.key, fromJson(json[inner.key], inner.type)]),
          )
        : null;
    case "objects":
      return Array.isArray(json)
        ? (json as readonly JsonValue[]).map((entry) => fromJson(entry, { ...type, kind: "object" }))
        : null;
    case "list":
      return Array.isArray(json)
        ? (json as readonly JsonValue[]).map((entry) => fromJson(entry, type.element))
        : null;
    case "map":
      return isJsonObject(json)
        ? Object.fromEntries(Object.entries(json).map(([key, entry]) => [key, fromJson(entry, type.element)]))
        : null;
    case "string":
      return typeof json === "string" ? json : null;
    case "number":
      return typeof json === "number" ? json : null;
    case "bool":
      return typeof json === "boolean" ? json : null;
  }
}

/** A known value as plain data: what is not set is absent, at any depth. Unknown parts are left out: ask {@link containsUnknown} first. */
export function toJson(value: Value): JsonValue | undefined {
  if (value === null || value === unknown) return undefined;
  if (isList(value)) return value.map((entry) => toJson(entry) ?? null);
  if (!isValues(value)) return value;
  const entries = Object.entries(value).flatMap(([key, entry]) => {
    const json = toJson(entry);
    return json === undefined ? [] : [[key, json] as const];
  });
  const object: JsonObject = Object.fromEntries(entries);
  return object;
}

/** Whether two values are the same, unknown parts included. */
export function equalValues(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  if (isList(a) && isList(b))
    return a.length === b.length && a.every((entry, index) => equalValues(entry, b[index]));
  if (!isValues(a) || !isValues(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => equalValues(a[key], b[key]));
}

function isRecord(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) && !(raw instanceof ExtData);
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
