import type { z } from "zod";
import { listLeaves, type FieldPolicy } from "../../core/fields.ts";
import type { JsonObject } from "../../core/json.ts";

/** Top-level keys of an object that have, at any depth, a field whose policy passes. Pulumi marks secrets by top-level key. */
export function keysWith(object: z.ZodObject, passes: (policy: FieldPolicy) => boolean): string[] {
  const keys = new Set<string>();
  for (const { path, policy } of listLeaves(object)) {
    const [key] = path.split(/[.[]/, 1);
    if (key !== undefined && policy !== undefined && passes(policy)) keys.add(key);
  }
  return [...keys];
}

/** The entries of an object that are set and whose key passes. */
export function pick(object: JsonObject, passes: (key: string) => boolean): JsonObject {
  return Object.fromEntries(
    Object.entries(object).filter(([key, value]) => value !== undefined && passes(key)),
  );
}
