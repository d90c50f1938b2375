import type { Weigher } from "../weigher.ts";

/** Number of servers; off by default (nova: scheduler/weights/num_instances.py). */
export const numInstances: Weigher = {
  name: "NumInstancesWeigher",
  minimum: undefined,
  multiplierKey: "num_instances_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.num_instances_weight_multiplier,
  negated: false,
  prepare: () => (host) => host.numInstances,
};
