import type { InterruptedWork } from "./cloud.ts";
import { StackyardError, type ErrorCode } from "./errors.ts";
import type { Drift } from "./resource.ts";

/** Codes of errors that tell of somebody else's object in a resource's place. */
const foreignCodes: readonly ErrorCode[] = ["not-ours", "foreign-cloud", "conflict"];

/** Whether an observation failed since something foreign is where the resource should be: that is drift, and no failure. */
export function isForeign(error: unknown): error is StackyardError {
  return error instanceof StackyardError && foreignCodes.includes(error.code);
}

/** The drift that a foreign object is. The next apply stops at it: what is not ours is left alone. */
export function describeForeign(field: string, { message, remedy }: StackyardError): Drift {
  return { field, expected: "this cloud's own", found: message, repair: `stops, and leaves it: ${remedy}` };
}

/** A drift as a line for an engine that shows lists of text; `apply` is the engine's word for it: `update`. */
export function describeDrift(drift: Drift, apply: string): string {
  const where = drift.host === undefined ? "" : ` on ${drift.host}`;
  return `${drift.field}: expected ${drift.expected}, found ${drift.found}${where}; the next ${apply} ${describeRepair(drift)}`;
}

/** What was broken off, as a drift: the next apply finishes it. */
export function describeBroken(was: InterruptedWork): Drift {
  const repair = was === "removal" ? "keeps it, and makes anew what is gone" : "finishes it";
  return { field: "resource", expected: "whole", found: `its ${was} was interrupted`, repair };
}

/** What the next apply does about a drift, with the label of that change: `starts it (live)`. */
export function describeRepair({ repair, label }: Pick<Drift, "repair" | "label">): string {
  return label === undefined ? repair : `${repair} (${label})`;
}
