import type { Filter } from "../filter.ts";
import { fitNuma, hasThreads } from "../numa.ts";
import { readImageProperties } from "../image-metadata.ts";

/**
 * The NUMA cells asked for fit on cells of the host, with their pages, CPUs and PCI devices; and dedicated CPUs that require
 * hardware threads get a host that has them (nova: scheduler/filters/numa_topology_filter.py).
 */
export const numaTopology: Filter = {
  name: "NUMATopologyFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: ({ flavor, image, numa, pciRequests }, options) => {
    const properties = readImageProperties(image?.properties ?? {});
    const policies = [flavor.extraSpecs["hw:cpu_policy"], properties.get("hw_cpu_policy")];
    const threadPolicies = [
      flavor.extraSpecs["hw:cpu_thread_policy"],
      properties.get("hw_cpu_thread_policy"),
    ];
    const needsThreads = policies.includes("dedicated") && threadPolicies.includes("require");
    if (numa === null && !needsThreads) return undefined;
    return (host) => {
      if (needsThreads && host.numaCells.length > 0 && !hasThreads(host.numaCells)) return false;
      return numa === null || fitNuma(host, numa, pciRequests, options) !== undefined;
    };
  },
};
