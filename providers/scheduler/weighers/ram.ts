import type { Weigher } from "../weigher.ts";

/** Free RAM; no allocation ratio is applied (nova: scheduler/weights/ram.py). */
export const ram: Weigher = {
  name: "RAMWeigher",
  minimum: 0,
  multiplierKey: "ram_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.ram_weight_multiplier,
  negated: false,
  prepare: () => (host) => host.freeRamMib,
};
