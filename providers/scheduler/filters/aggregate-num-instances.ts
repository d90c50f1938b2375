import { lowestAggregateValue } from "../aggregate.ts";
import type { Filter } from "../filter.ts";
import { parseIntegerText } from "../number-text.ts";

/** As NumInstancesFilter, with the limit of the host's aggregates where they set one (nova: scheduler/filters/num_instances_filter.py). */
export const aggregateNumInstances: Filter = {
  name: "AggregateNumInstancesFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: (_request, options) => {
    const limit = options.filter_scheduler.max_instances_per_host;
    return (host) =>
      host.numInstances < lowestAggregateValue(host, "max_instances_per_host", parseIntegerText, limit);
  },
};
