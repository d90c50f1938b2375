import { aggregateAlternatives } from "../aggregate.ts";
import type { Filter } from "../filter.ts";

/**
 * The host's aggregates name the project in `filter_tenant_id`, or name none
 * (nova: scheduler/filters/aggregate_multitenancy_isolation.py).
 */
export const aggregateMultiTenancyIsolation: Filter = {
  name: "AggregateMultiTenancyIsolation",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare:
    ({ projectId }) =>
    (host) => {
      const projects = aggregateAlternatives(host, "filter_tenant_id");
      return projects.size === 0 || projects.has(projectId);
    },
};
