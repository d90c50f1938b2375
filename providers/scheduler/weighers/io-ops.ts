import type { Weigher } from "../weigher.ts";

/** Builds and moves that run on the host; the multiplier is negative by default (nova: scheduler/weights/io_ops.py). */
export const ioOps: Weigher = {
  name: "IoOpsWeigher",
  minimum: 0,
  multiplierKey: "io_ops_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.io_ops_weight_multiplier,
  negated: false,
  prepare: () => (host) => host.numIoOps,
};
