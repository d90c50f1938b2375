import type { Weigher } from "../weigher.ts";

/** Builds that failed lately; the multiplier is negated, so that a positive one avoids the host (nova: scheduler/weights/compute.py). */
export const buildFailure: Weigher = {
  name: "BuildFailureWeigher",
  minimum: undefined,
  multiplierKey: "build_failure_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.build_failure_weight_multiplier,
  negated: true,
  prepare: () => (host) => host.failedBuilds,
};
