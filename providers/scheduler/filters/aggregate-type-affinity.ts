import { aggregateAlternatives } from "../aggregate.ts";
import type { Filter } from "../filter.ts";

/** The host's aggregates name the flavor in `instance_type`, or name none (nova: scheduler/filters/type_filter.py). */
export const aggregateTypeAffinity: Filter = {
  name: "AggregateTypeAffinityFilter",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare:
    ({ flavor }) =>
    (host) => {
      const names = aggregateAlternatives(host, "instance_type");
      return names.size === 0 || names.has(flavor.name);
    },
};
