import type { Filter } from "../filter.ts";

/** The host has fewer servers than `max_instances_per_host` (nova: scheduler/filters/num_instances_filter.py). */
export const numInstances: Filter = {
  name: "NumInstancesFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: (_request, options) => (host) =>
    host.numInstances < options.filter_scheduler.max_instances_per_host,
};
