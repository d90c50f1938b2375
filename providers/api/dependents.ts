import { StackyardError } from "../core/errors.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition } from "../core/resource.ts";
import { listDependencies } from "../core/validate.ts";
import type { RecordMirror } from "../store/mirror.ts";

/** Raises `in-use` when another resource depends on this one, has made it for itself, or depends on what would go with it. */
export function refuseReferenced(
  record: ResourceRecord,
  mirror: RecordMirror,
  definitionOf: (type: string) => Definition,
): void {
  const going = [record, ...listGoing(record, mirror, definitionOf)];
  const users = new Map<ResourceRecord, ResourceRecord[]>();
  for (const other of mirror.everything()) {
    if (going.some(({ id }) => id === other.id)) continue;
    const dependencies = listDependencies(definitionOf(other.type), other);
    const used = going.find(
      ({ id, owner }) => other.id === owner || dependencies.some((dependency) => dependency.id === id),
    );
    if (used !== undefined) users.set(used, [...(users.get(used) ?? []), other]);
  }
  const [first] = users;
  if (first === undefined) return;
  const [used, by] = first;
  const shown = by.slice(0, 5).map(describe);
  const along = used === record ? "" : `, which goes with ${describe(record)},`;
  throw new StackyardError("in-use", {
    message: `${describe(used)}${along} is used by ${shown.join(", ")}${by.length > 5 ? ` and ${String(by.length - 5)} more` : ""}`,
    value: record.id,
  });
}

/** What a resource has made for itself, and takes along. */
function listGoing(
  record: ResourceRecord,
  mirror: RecordMirror,
  definitionOf: (type: string) => Definition,
): readonly ResourceRecord[] {
  if (definitionOf(record.type).keepsOwned?.(record) === true) return [];
  return [...mirror.everything()].filter(({ owner }) => owner === record.id);
}

function describe({ type, name }: ResourceRecord): string {
  return `${type} ${JSON.stringify(name)}`;
}
