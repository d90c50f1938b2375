import { StackyardError } from "../core/errors.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition } from "../core/resource.ts";
import { listDependencies } from "../core/validate.ts";
import type { RecordMirror } from "../store/mirror.ts";

/** Raises `in-use` when another resource depends on this one. */
export function refuseReferenced(
  record: ResourceRecord,
  mirror: RecordMirror,
  definitionOf: (type: string) => Definition,
): void {
  const users: ResourceRecord[] = [];
  for (const other of mirror.everything()) {
    const dependencies = listDependencies(definitionOf(other.type), other);
    if (other.id !== record.id && dependencies.some((dependency) => dependency.id === record.id))
      users.push(other);
  }
  if (users.length === 0) return;
  const shown = users.slice(0, 5).map((user) => `${user.type} ${JSON.stringify(user.name)}`);
  throw new StackyardError("in-use", {
    message: `${record.type} ${JSON.stringify(record.name)} is used by ${shown.join(", ")}${users.length > 5 ? ` and ${String(users.length - 5)} more` : ""}`,
    value: record.id,
  });
}
