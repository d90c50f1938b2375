import type { Interruption, ResourceName } from "../../core/cloud.ts";

/** What was broken off, and the ways out of it, as a line. */
export function describeInterruption(interruption: Interruption): string {
  const { resource, was } = interruption;
  return `${resource.type} ${JSON.stringify(resource.name)}: its ${was} was interrupted; ${describeWaysOut(interruption)}`;
}

/** The commands that end what was broken off. A change is none of `gc`'s: its resource has an owner. */
export function describeWaysOut({ resource, was }: Interruption): string {
  const apply = `stackyard reconcile ${resource.type} ${toWord(resource)}`;
  switch (was) {
    case "creation":
      return `finish it with ${apply}, or take it back with stackyard gc --yes`;
    case "change":
      return `finish it with ${apply}`;
    case "removal":
      return `finish it with stackyard gc --yes, or keep the ${resource.type} with ${apply}`;
  }
}

/** A name as it stands in a shell's command; the id where the name would need quotes. */
function toWord({ id, name }: ResourceName): string {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name) ? name : id;
}
