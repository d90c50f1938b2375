import type { Filter } from "../filter.ts";

/**
 * The host is one of those that an affinity group is on; while it is on none, every host passes
 * (nova: scheduler/filters/affinity_filter.py).
 */
export const serverGroupAffinity: Filter = {
  name: "ServerGroupAffinityFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: ({ group }) => {
    if (group?.policy !== "affinity" || group.hosts.length === 0) return undefined;
    const hosts = new Set(group.hosts);
    return (host) => hosts.has(host.name);
  },
};
