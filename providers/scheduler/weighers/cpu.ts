import type { Weigher } from "../weigher.ts";

/** Free virtual CPUs, under the host's allocation ratio (nova: scheduler/weights/cpu.py). */
export const cpu: Weigher = {
  name: "CPUWeigher",
  minimum: 0,
  multiplierKey: "cpu_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.cpu_weight_multiplier,
  negated: false,
  prepare: () => (host) => host.vcpusTotal * host.cpuAllocationRatio - host.vcpusUsed,
};
