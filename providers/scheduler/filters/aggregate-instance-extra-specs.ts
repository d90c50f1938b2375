import { aggregateAlternatives } from "../aggregate.ts";
import { compileRequirement } from "../extra-spec.ts";
import type { Filter } from "../filter.ts";

const scope = "aggregate_instance_extra_specs";

/**
 * The metadata of the host's aggregates meets the flavor's extra specs: keys in the scope `aggregate_instance_extra_specs:`, and all
 * keys without scope. One of the alternatives has to match; a missing key does not
 * (nova: scheduler/filters/aggregate_instance_extra_specs.py).
 */
export const aggregateInstanceExtraSpecs: Filter = {
  name: "AggregateInstanceExtraSpecsFilter",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare: ({ flavor }) => {
    const demands = Object.entries(flavor.extraSpecs).flatMap(([key, requirement]) => {
      const colon = key.indexOf(":");
      if (colon >= 0 && key.slice(0, colon) !== scope) return [];
      return [
        { key: key.slice(colon + 1), matches: compileRequirement(requirement, `flavor.extraSpecs.${key}`) },
      ];
    });
    if (demands.length === 0) return undefined;
    return (host) => demands.every(({ key, matches }) => [...aggregateAlternatives(host, key)].some(matches));
  },
};
