import type { Filter } from "../filter.ts";

/**
 * Isolated images run on isolated hosts only, and other images stay off those hosts unless
 * `restrict_isolated_hosts_to_isolated_images` is false (nova: scheduler/filters/isolated_hosts_filter.py).
 */
export const isolatedHosts: Filter = {
  name: "IsolatedHostsFilter",
  oncePerRequest: true,
  runsOnRebuild: true,
  prepare: ({ image }, options) => {
    const settings = options.filter_scheduler;
    const hosts = new Set(settings.isolated_hosts);
    const imageId = image?.id ?? null;
    const isolatedImage = imageId !== null && settings.isolated_images.includes(imageId);
    if (isolatedImage) return (host) => hosts.has(host.name);
    return settings.restrict_isolated_hosts_to_isolated_images ? (host) => !hosts.has(host.name) : undefined;
  },
};
