import type { z } from "zod";
import { isIdentity } from "../../core/diff.ts";
import { listLeaves, policyOf, shapeOf, type FieldPolicy } from "../../core/fields.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Definition } from "../../core/resource.ts";

/** The top-level key of a path such as `networks[].port` or `networks.0.port`. */
export function topKey(path: string): string {
  return path.split(/[.[]/, 1)[0] ?? path;
}

/** Top-level keys of an object that have, at any depth, a field whose policy passes. Pulumi marks secrets by top-level key. */
export function keysWith(object: z.ZodObject, passes: (policy: FieldPolicy) => boolean): string[] {
  const keys = new Set<string>();
  for (const { path, policy } of listLeaves(object)) {
    if (policy !== undefined && passes(policy)) keys.add(topKey(path));
  }
  return [...keys];
}

/** The entries of an object that are set and whose key passes. */
export function pick(object: JsonObject, passes: (key: string) => boolean): JsonObject {
  return Object.fromEntries(
    Object.entries(object).filter(([key, value]) => value !== undefined && passes(key)),
  );
}

/**
 * Whether a resource that refers to one of this type stays when that one is replaced, as a server stays when its flavor is: the new one
 * must then be there before the old one goes, unless it cannot be.
 */
export function hasLastingUsers(type: string, definitions: readonly Definition[]): boolean {
  if (definitions.some((definition) => definition.type === type && definition.goesFirst === true))
    return false;
  return definitions.some(({ inputs }) =>
    keysWith(inputs, ({ references }) => references === type).some((key) => !isReplacedBy(inputs, key)),
  );
}

function isReplacedBy(inputs: z.ZodObject, key: string): boolean {
  const schema = shapeOf(inputs)[key];
  return schema !== undefined && isIdentity(policyOf(schema)?.change);
}
