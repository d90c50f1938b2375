import type { Filter } from "../filter.ts";

/** The host is enabled and has been heard of lately (nova: scheduler/filters/compute_filter.py). */
export const compute: Filter = {
  name: "ComputeFilter",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare: () => (host) => host.enabled && host.up,
};
