import { lowestAggregateValue } from "../aggregate.ts";
import type { Filter } from "../filter.ts";
import { hasRam } from "../headroom.ts";
import { parseFloatText } from "../number-text.ts";

/** As RamFilter, with `ram_allocation_ratio` of the host's aggregates where they set one (nova up to 20: scheduler/filters/ram_filter.py). */
export const aggregateRam: Filter = {
  name: "AggregateRamFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare:
    ({ flavor }) =>
    (host) =>
      hasRam(
        host,
        flavor,
        lowestAggregateValue(host, "ram_allocation_ratio", parseFloatText, host.ramAllocationRatio),
      ),
};
