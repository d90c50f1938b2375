import { lowestAggregateValue } from "../aggregate.ts";
import type { Filter } from "../filter.ts";
import { hasVcpus } from "../headroom.ts";
import { parseFloatText } from "../number-text.ts";

/** As CoreFilter, with `cpu_allocation_ratio` of the host's aggregates where they set one (nova up to 20: scheduler/filters/core_filter.py). */
export const aggregateCore: Filter = {
  name: "AggregateCoreFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare:
    ({ flavor }) =>
    (host) =>
      hasVcpus(
        host,
        flavor,
        lowestAggregateValue(host, "cpu_allocation_ratio", parseFloatText, host.cpuAllocationRatio),
      ),
};
