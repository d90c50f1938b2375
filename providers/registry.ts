import type { Definition } from "./core/resource.ts";

/** Every definition. Engines, docs and laws walk this list; nothing else knows all nouns. */
export const definitions: readonly Definition[] = [];

/** The definition of a type. */
export function findDefinition(type: string): Definition | undefined {
  return definitions.find((definition) => definition.type === type);
}
