import { z } from "zod";
import type { ChangeLabel } from "./change.ts";
import type { JsonObject, JsonValue } from "./json.ts";

/** What a changed input does: one label, or a rule that decides by values and says so in the docs. */
export type ChangeRule =
  | ChangeLabel
  | {
      readonly says: string;
      /** Whether the field is part of what the resource is: with another value it is made anew, under another id. Default false; a function gives the part that is. */
      readonly isIdentity?: boolean | ((value: JsonValue | undefined) => JsonValue | undefined);
      /** By the field's two values, and all inputs before and after, with their defaults. */
      label(
        from: JsonValue | undefined,
        to: JsonValue | undefined,
        before: JsonObject,
        after: JsonObject,
      ): ChangeLabel;
    };

/** Everything about a leaf that its type does not say. All engines, the docs and the laws read it. */
export interface FieldPolicy {
  /** One or two sentences for the user; unit and default included. */
  readonly doc: string;
  /** Inputs: what changing it does. Default `live`. */
  readonly change?: ChangeRule;
  /** Never shown in a log, plan, error or listing; engines mark it secret. */
  readonly secret?: boolean;
  /** Outputs: given by create only; a later read keeps what the engine has. */
  readonly onceOnly?: boolean;
  /** Inputs: filled when unset, already in the preview (`plan`) or only when applied (`apply`). */
  readonly computed?: "plan" | "apply";
  /** Inputs: what fills it is chosen among what is free, so that a later plan, or one in another order, may choose otherwise. */
  readonly chosen?: boolean;
  /**
   * Outputs: top-level inputs whose change may change it; none: it stays as it was made. Default: any change may. Within a list's entries it says too
   * that the list keeps them, in order, as long as the resource is there.
   */
  readonly follows?: readonly string[];
  /** Inputs: holds the id of a resource of this type; engines accept the resource itself. */
  readonly references?: string;
}

const policies = new WeakMap<z.core.$ZodType, FieldPolicy>();

/** Attaches doc and policy to a leaf. Call it last: a later `.optional()` would make a new schema without them. */
export function field<S extends z.ZodType>(schema: S, policy: FieldPolicy): S {
  // A copy: several fields may be made of one schema.
  const own = schema.clone();
  policies.set(own, policy);
  return own;
}

/** The policy of a schema, if {@link field} gave it one. */
export function policyOf(schema: z.core.$ZodType): FieldPolicy | undefined {
  return policies.get(schema);
}

/** The fields of an object schema by key. */
export function shapeOf(object: z.ZodObject): Readonly<Record<string, z.core.$ZodType>> {
  return object.shape;
}

/** One field of a definition, with its path (`networks[].port`). */
export interface Leaf {
  readonly path: string;
  readonly schema: z.core.$ZodType;
  readonly policy: FieldPolicy | undefined;
}

/** Takes `.optional()`, `.nullable()`, `.default()` and `.prefault()` off a schema. */
export function unwrapSchema(schema: z.core.$ZodType): z.core.$ZodType {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    const inner: z.core.$ZodType = schema.unwrap();
    return unwrapSchema(inner);
  }
  return schema;
}

/** The default of a field that has one. */
export function presetOf(schema: z.core.$ZodType): JsonValue | undefined {
  if (!(schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)) return undefined;
  return schema.parse(undefined) as JsonValue;
}

/** Keys of an object schema's fields that are secret. A law holds definitions to secrets that are text, at the top level of their inputs. */
export function listSecretKeys(object: z.ZodObject): readonly string[] {
  const known = secretKeys.get(object);
  if (known !== undefined) return known;
  const keys = Object.entries(shapeOf(object))
    .filter(([, schema]) => policyOf(schema)?.secret === true)
    .map(([key]) => key);
  secretKeys.set(object, keys);
  return keys;
}

/** Asked for with every read of a resource, and the same for ever. */
const secretKeys = new WeakMap<z.ZodObject, readonly string[]>();

/** Every field of an object schema, nested ones after their parent. */
export function* listLeaves(object: z.ZodObject, prefix = ""): Generator<Leaf> {
  for (const [key, schema] of Object.entries(shapeOf(object))) {
    yield* descend(schema, prefix === "" ? key : `${prefix}.${key}`);
  }
}

function* descend(schema: z.core.$ZodType, path: string): Generator<Leaf> {
  yield { path, schema, policy: policyOf(schema) };
  const inner = unwrapSchema(schema);
  if (inner instanceof z.ZodObject) yield* listLeaves(inner, path);
  if (inner instanceof z.ZodArray) {
    const element = unwrapSchema(inner.element);
    if (element instanceof z.ZodObject) yield* listLeaves(element, `${path}[]`);
  }
}
