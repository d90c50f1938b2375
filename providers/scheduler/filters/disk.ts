import type { Filter } from "../filter.ts";
import { hasDisk } from "../headroom.ts";

/** Enough disk under the host's own allocation ratio (nova up to 19: scheduler/filters/disk_filter.py). */
export const disk: Filter = {
  name: "DiskFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare:
    ({ flavor }) =>
    (host) =>
      hasDisk(host, flavor, host.diskAllocationRatio),
};
