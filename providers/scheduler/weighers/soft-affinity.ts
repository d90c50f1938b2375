import { countMembers } from "../server-group.ts";
import type { Weigher } from "../weigher.ts";

/** Members of a soft-affinity group on the host (nova: scheduler/weights/affinity.py). */
export const softAffinity: Weigher = {
  name: "ServerGroupSoftAffinityWeigher",
  minimum: undefined,
  multiplierKey: "soft_affinity_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.soft_affinity_weight_multiplier,
  negated: false,
  prepare: ({ group }) => (group?.policy === "soft-affinity" ? countMembers(group) : undefined),
};
