import type { Filter } from "../filter.ts";
import { hasVcpus } from "../headroom.ts";

/** Enough CPUs under the host's own allocation ratio (nova up to 19: scheduler/filters/core_filter.py). */
export const core: Filter = {
  name: "CoreFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare:
    ({ flavor }) =>
    (host) =>
      hasVcpus(host, flavor, host.cpuAllocationRatio),
};
