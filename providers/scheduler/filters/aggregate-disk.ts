import { lowestAggregateValue } from "../aggregate.ts";
import type { Filter } from "../filter.ts";
import { hasDisk } from "../headroom.ts";
import { parseFloatText } from "../number-text.ts";

/** As DiskFilter, with `disk_allocation_ratio` of the host's aggregates where they set one (nova up to 20: scheduler/filters/disk_filter.py). */
export const aggregateDisk: Filter = {
  name: "AggregateDiskFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare:
    ({ flavor }) =>
    (host) =>
      hasDisk(
        host,
        flavor,
        lowestAggregateValue(host, "disk_allocation_ratio", parseFloatText, host.diskAllocationRatio),
      ),
};
