import type { Filter } from "../filter.ts";

/** The request has not failed on the host already (nova up to 20: scheduler/filters/retry_filter.py). */
export const retry: Filter = {
  name: "RetryFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: ({ triedHosts }) => {
    if (triedHosts.length === 0) return undefined;
    return (host) =>
      !triedHosts.some(({ name, nodename }) => name === host.name && nodename === host.nodename);
  },
};
