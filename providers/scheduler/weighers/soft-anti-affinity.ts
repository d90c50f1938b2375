import { countMembers } from "../server-group.ts";
import type { Weigher } from "../weigher.ts";

/** Members of a soft-anti-affinity group on the host, taken times -1 (nova: scheduler/weights/affinity.py). */
export const softAntiAffinity: Weigher = {
  name: "ServerGroupSoftAntiAffinityWeigher",
  minimum: undefined,
  multiplierKey: "soft_anti_affinity_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.soft_anti_affinity_weight_multiplier,
  negated: false,
  prepare: ({ group }) => {
    if (group?.policy !== "soft-anti-affinity") return undefined;
    const count = countMembers(group);
    return (host) => 0 - count(host);
  },
};
