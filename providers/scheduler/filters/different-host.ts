import type { Filter } from "../filter.ts";
import { hintedIds } from "../request.ts";

/** The host has none of the servers of hint `different_host` (nova: scheduler/filters/affinity_filter.py). */
export const differentHost: Filter = {
  name: "DifferentHostFilter",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare: (request) => {
    const ids = new Set(hintedIds(request, "different_host"));
    return ids.size === 0 ? undefined : ({ servers }) => !servers.some(({ id }) => ids.has(id));
  },
};
