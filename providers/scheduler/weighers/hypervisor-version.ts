import type { Weigher } from "../weigher.ts";

/** Version of the hypervisor, newer first (nova: scheduler/weights/hypervisor_version.py). */
export const hypervisorVersion: Weigher = {
  name: "HypervisorVersionWeigher",
  minimum: undefined,
  multiplierKey: "hypervisor_version_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.hypervisor_version_weight_multiplier,
  negated: false,
  prepare: () => (host) => host.hypervisorVersion ?? 0,
};
