import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { describeDrift } from "../../core/drift.ts";
import type { Drift } from "../../core/resource.ts";

/** Stands for a value that a preview does not know yet (pulumi: sdk/nodejs/runtime/rpc.ts, `unknownValue`). */
export const unknownMarker = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Version of the state's layout, kept in each resource's `__v`, for later releases to tell old state by. */
export const stateVersion = 1;

/**
 * Inputs of ours beside the user's. The CLI hides keys that start with `__`.
 * `__urn` addresses messages to the resource; `__maker` is the URN it was created under, which a later alias does not change.
 */
const internalKeys = ["__provider", "__urn", "__maker", "__defaultName", "__v"] as const;
/** Set in a preview only. `check` takes it away: it is in no state and no diff. */
export const previewKey = "__preview";

export type InternalKey = (typeof internalKeys)[number];

/** Output of ours: the inputs that the cloud filled in when it applied, and that the program left open. */
export const filledKey = "__filled";

/** Input that `read` fills with what is not as declared; the program always wants it empty, so the next update repairs. */
export const driftKey = "drift";

/** Whether a value is, or contains, one that the preview does not know. */
export function containsUnknown(value: JsonValue | undefined): boolean {
  if (value === unknownMarker) return true;
  if (Array.isArray(value)) return value.some(containsUnknown);
  return isJsonObject(value) && Object.values(value).some(containsUnknown);
}

/** A property that is text, such as `__urn`; empty when it is not there. */
export function textProperty(properties: JsonObject, key: InternalKey | "uuid"): string {
  const value = properties[key];
  return typeof value === "string" ? value : "";
}

/** The list under {@link filledKey}. */
export function filledKeys(properties: JsonObject): readonly string[] {
  const value = properties[filledKey];
  return Array.isArray(value) ? value.filter((key) => typeof key === "string") : [];
}

/** A resource's inputs as the cloud names them: without internals and drift; Pulumi's `uuid` is the cloud's `id`. */
export function toCloudInputs(properties: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([key, value]) => value !== undefined && key !== driftKey && !key.startsWith("__"))
      .map(([key, value]) => [key === "uuid" ? "id" : key, value]),
  );
}

/** The cloud's inputs as Pulumi's properties: `id` is `uuid`, unknown when it is not decided yet. */
export function fromCloudInputs(inputs: JsonObject, drift: readonly Drift[]): JsonObject {
  const { id, ...rest } = inputs;
  return dropUndefined({
    ...rest,
    uuid: id ?? unknownMarker,
    [driftKey]: drift.map((found) => describeDrift(found, "update")),
  });
}

/** The internal properties among others. */
export function internalsOf(properties: JsonObject): JsonObject {
  return dropUndefined(Object.fromEntries(internalKeys.map((key) => [key, properties[key]])));
}

/** The same object without absent keys at any depth: Pulumi's wire has no `undefined` and fails on one without naming it. */
export function dropUndefined(object: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(object).flatMap(([key, value]) => (value === undefined ? [] : [[key, dropIn(value)]])),
  );
}

function dropIn(value: JsonValue): JsonValue {
  if (isJsonObject(value)) return dropUndefined(value);
  return Array.isArray(value) ? value.map(dropIn) : value;
}
