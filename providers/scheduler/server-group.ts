import type { HostState } from "./host-state.ts";
import type { ServerGroup } from "./request.ts";

/** Compiles the count of a group's members on a host. */
export function countMembers(group: ServerGroup): (host: HostState) => number {
  const members = new Set(group.members);
  return ({ servers }) => {
    let count = 0;
    for (const { id } of servers) if (members.has(id)) count++;
    return count;
  };
}
