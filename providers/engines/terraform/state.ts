import { z } from "zod";
import type { ResourceView } from "../../core/cloud.ts";
import { listIdentityFields } from "../../core/diff.ts";
import { describeDrift } from "../../core/drift.ts";
import { listSecretKeys, shapeOf } from "../../core/fields.ts";
import { canonicalJson, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { Drift, Definition } from "../../core/resource.ts";
import { parseInputs } from "../../core/validate.ts";
import { writeOnlyKeys, type Attribute } from "./schema.ts";
import {
  containsUnknown,
  fromJson,
  isList,
  isValues,
  toJson,
  unknown,
  type Value,
  type Values,
} from "./values.ts";

/** What we keep beside a resource's state. */
export interface PrivateState {
  /** Inputs that the cloud filled in when it applied, and that the configuration left open. */
  readonly filled: readonly string[];
}

const privateState = z.object({ filled: z.array(z.string()) });

/** Reads what {@link encodePrivate} wrote; nothing for a resource of another origin. */
export function decodePrivate(bytes: Uint8Array): PrivateState {
  if (bytes.length === 0) return { filled: [] };
  return privateState.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
}

export function encodePrivate(state: PrivateState): Buffer {
  return Buffer.from(JSON.stringify(state));
}

/** What we keep of a resource as the cloud has it. */
export function privateOf({ record }: ResourceView, attributes: readonly Attribute[]): PrivateState {
  const filled = attributes
    .filter(({ key, input }) => input?.computed === "apply" && record.inputs[key] === undefined)
    .map(({ key }) => key);
  return { filled };
}

/** The inputs in a configuration: those known, as the cloud has them, and the keys of those with something unknown in them. */
export interface GivenInputs {
  readonly inputs: JsonObject;
  readonly unknown: readonly string[];
}

/** The inputs that a configuration gives. A write-only secret stands for its twin. */
export function readInputs(definition: Definition, config: Values): GivenInputs {
  const inputs: Record<string, JsonValue> = {};
  const unknownKeys: string[] = [];
  for (const key of Object.keys(shapeOf(definition.inputs))) {
    const value = config[key] ?? config[writeOnlyKeys(key).value] ?? null;
    if (containsUnknown(value)) unknownKeys.push(key);
    else {
      const json = toJson(value);
      if (json !== undefined) inputs[key] = json;
    }
  }
  return { inputs, unknown: unknownKeys };
}

/**
 * Who makes the resource: stack, type, project and name, or for a type without names what identifies it. `undefined` while that is not known.
 * Terraform tells a provider no addresses.
 */
export function makerOf(stack: string, definition: Definition, given: GivenInputs): string | undefined {
  const { type } = definition;
  const keys = "name" in shapeOf(definition.inputs) ? ["name"] : listIdentityFields(definition);
  if (keys.some((key) => given.unknown.includes(key))) return undefined;
  const name = given.inputs["name"] ?? canonicalJson(keys.map((key) => given.inputs[key] ?? null));
  const project = given.inputs["project"] ?? "";
  return ["terraform", stack, type, ...[project, name].map(String)].join(":");
}

/** A resource as Terraform's state has it. What the cloud does not tell (secrets, what is given once) is kept from `known`. */
export function toState(
  definition: Definition,
  attributes: readonly Attribute[],
  view: ResourceView,
  known: Values | undefined,
): Values {
  const secrets = listSecretKeys(definition.inputs);
  const kept = [...secrets, ...secrets.map((key) => writeOnlyKeys(key).version)];
  // Fields that an older release did not know have their defaults.
  const inputs = Object.fromEntries(Object.entries(view.inputs).filter(([key]) => key !== "id"));
  const parsed = parseInputs(definition, inputs, secrets).inputs;
  const found: JsonObject = { ...view.outputs, ...parsed };
  const entries = attributes.map(({ key, type, writeOnly, output }): [string, Value] => {
    if (writeOnly) return [key, null];
    if (key === "id") return [key, view.id];
    if (key === "drift") return [key, listDrift(view)];
    const remembered = known?.[key] ?? null;
    const before = remembered === unknown ? null : remembered;
    if (kept.includes(key)) return [key, before];
    const value = fromJson(found[key], type);
    return [key, value === null && output?.onceOnly === true ? before : value];
  });
  return Object.fromEntries(entries);
}

/** What is not as declared, a line each; that the last apply was not carried out is told too. */
function listDrift({ drift, record }: ResourceView): readonly string[] {
  const unfinished: readonly Drift[] =
    record.status === "active"
      ? []
      : [
          {
            field: "record",
            expected: "active",
            found: record.fault === undefined ? record.status : `${record.status}: ${record.fault.message}`,
            repair: "goes on with what was begun",
          },
        ];
  return [...unfinished, ...drift].map((found) => describeDrift(found, "apply"));
}

/**
 * The state after an apply: what was planned stays as it was promised, what was unknown is as found. An output that turned out otherwise is
 * shown by the next refresh; Terraform takes a broken promise for a broken provider, and the resource for tainted.
 */
export function conform(planned: Values, found: Values): Values {
  return conformObject(planned, found);
}

function conformValue(planned: Value, found: Value): Value {
  if (planned === unknown) return found;
  if (!containsUnknown(planned)) return planned;
  if (isList(planned)) {
    const entries = isList(found) ? found : [];
    return planned.map((entry, index) => conformValue(entry, entries[index] ?? null));
  }
  return isValues(planned) ? conformObject(planned, isValues(found) ? found : {}) : found;
}

function conformObject(planned: Values, found: Values): Values {
  return Object.fromEntries(
    Object.entries(planned).map(([key, entry]) => [key, conformValue(entry, found[key] ?? null)]),
  );
}
