import type { Weigher } from "../weigher.ts";

/** Free disk; no allocation ratio is applied (nova: scheduler/weights/disk.py). */
export const disk: Weigher = {
  name: "DiskWeigher",
  minimum: 0,
  multiplierKey: "disk_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.disk_weight_multiplier,
  negated: false,
  prepare: () => (host) => host.freeDiskMib,
};
