import { StackyardError } from "../providers/core/errors.ts";
import type { LabState } from "./state.ts";

type Json = LabState["topology"];

/** The first field in which a topology is another than the one on record; absent where the field is. */
interface Difference {
  readonly field: string;
  readonly known: Json | undefined;
  readonly given: Json | undefined;
}

/** The entries of an object or a list, whose length comes first; undefined for what has none. */
function entriesOf(value: Json | undefined): ReadonlyMap<string, Json> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  return new Map([["length", value.length], ...value.map((item, index) => [String(index), item] as const)]);
}

function findDifference(
  known: Json | undefined,
  given: Json | undefined,
  field: string,
): Difference | undefined {
  const [before, now] = [entriesOf(known), entriesOf(given)];
  if (before === undefined || now === undefined) return known === given ? undefined : { field, known, given };
  for (const key of new Set([...before.keys(), ...now.keys()])) {
    const found = findDifference(before.get(key), now.get(key), `${field}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const show = (value: Json | undefined): string => (value === undefined ? "nothing" : JSON.stringify(value));

/** @throws StackyardError `conflict` that names the first field that differs, and what it is in both. */
export function requireSameTopology(name: string, known: Json, given: Json): void {
  const difference = findDifference(known, given, "topology");
  if (difference === undefined) return;
  const { field } = difference;
  throw new StackyardError("conflict", {
    message: `lab "${name}" exists with another topology: its ${field} is ${show(difference.known)}, and ${show(difference.given)} is asked for`,
    field,
    value: difference.given ?? null,
    remedy: `Bring it up as it is (stackyard lab up --name ${name}), or choose another name. Taking it down first (stackyard lab down --name ${name}) removes its disks and snapshots.`,
  });
}
