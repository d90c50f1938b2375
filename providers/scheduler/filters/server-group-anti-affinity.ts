import type { Filter } from "../filter.ts";

/**
 * An anti-affinity group has fewer members on the host than its rule allows, or the instance itself is there already
 * (nova: scheduler/filters/affinity_filter.py).
 */
export const serverGroupAntiAffinity: Filter = {
  name: "ServerGroupAntiAffinityFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: ({ group, instanceId }) => {
    if (group?.policy !== "anti-affinity") return undefined;
    const members = new Set(group.members);
    return ({ servers }) => {
      let there = 0;
      for (const { id } of servers) {
        if (id === instanceId) return true;
        if (members.has(id)) there++;
      }
      return there < group.maxServerPerHost;
    };
  },
};
