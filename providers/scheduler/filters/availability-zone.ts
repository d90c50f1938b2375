import { aggregateAlternatives } from "../aggregate.ts";
import type { Filter } from "../filter.ts";

/**
 * The host is in the zone asked for; one in no zone is in the default zone
 * (nova 26: scheduler/filters/availability_zone_filter.py; later releases leave it to Placement).
 */
export const availabilityZone: Filter = {
  name: "AvailabilityZoneFilter",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare: ({ availabilityZone: zone }, options) => {
    if (zone === null || zone === "") return undefined;
    return (host) => {
      const zones = aggregateAlternatives(host, "availability_zone");
      return zones.size === 0 ? zone === options.DEFAULT.default_availability_zone : zones.has(zone);
    };
  },
};
