import type { Filter } from "../filter.ts";
import { hasRam } from "../headroom.ts";

/** Enough RAM under the host's own allocation ratio (nova up to 19: scheduler/filters/ram_filter.py). */
export const ram: Filter = {
  name: "RamFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare:
    ({ flavor }) =>
    (host) =>
      hasRam(host, flavor, host.ramAllocationRatio),
};
