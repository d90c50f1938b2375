import { newId } from "../../providers/core/ids.ts";
import type { CompletionContext } from "../../providers/core/resource.ts";

/** A context in which there is no other resource. */
export function inEmptyWorld(): CompletionContext {
  return {
    id: newId(),
    world: { find: () => undefined, all: () => [], holder: () => undefined },
  };
}
