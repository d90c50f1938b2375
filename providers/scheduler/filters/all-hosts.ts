import type { Filter } from "../filter.ts";

/** Every host passes (nova: scheduler/filters/all_hosts_filter.py). */
export const allHosts: Filter = {
  name: "AllHostsFilter",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare: () => undefined,
};
