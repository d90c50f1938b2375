import type { Filter } from "../filter.ts";

/** The host has no server of another flavor (nova up to 16: scheduler/filters/type_filter.py). */
export const typeAffinity: Filter = {
  name: "TypeAffinityFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare:
    ({ flavor }) =>
    (host) =>
      host.servers.every(({ flavorId }) => flavorId === flavor.id),
};
