import type { Filter } from "../filter.ts";
import { hintedIds } from "../request.ts";

/** The host has one of the servers of hint `same_host` (nova: scheduler/filters/affinity_filter.py). */
export const sameHost: Filter = {
  name: "SameHostFilter",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare: (request) => {
    const ids = new Set(hintedIds(request, "same_host"));
    return ids.size === 0 ? undefined : ({ servers }) => servers.some(({ id }) => ids.has(id));
  },
};
