import { lowestAggregateValue } from "../aggregate.ts";
import type { Filter } from "../filter.ts";
import { parseIntegerText } from "../number-text.ts";

/** As IoOpsFilter, with the limit of the host's aggregates where they set one (nova: scheduler/filters/io_ops_filter.py). */
export const aggregateIoOps: Filter = {
  name: "AggregateIoOpsFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: (_request, options) => {
    const limit = options.filter_scheduler.max_io_ops_per_host;
    return (host) =>
      host.numIoOps < lowestAggregateValue(host, "max_io_ops_per_host", parseIntegerText, limit);
  },
};
