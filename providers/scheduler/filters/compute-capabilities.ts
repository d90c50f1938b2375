import { compileRequirement } from "../extra-spec.ts";
import type { Filter } from "../filter.ts";
import { capabilityText, isHostAttribute } from "../host-attribute.ts";

/**
 * The host has the capabilities of the flavor's extra specs: all keys in the scope `capabilities:`, and keys without scope
 * that name an attribute or one of the host's stats (nova: scheduler/filters/compute_capabilities_filter.py).
 */
export const computeCapabilities: Filter = {
  name: "ComputeCapabilitiesFilter",
  oncePerRequest: true,
  runsOnRebuild: false,
  prepare: ({ flavor }) => {
    const demands = Object.entries(flavor.extraSpecs).flatMap(([key, requirement]) => {
      const demand = demandOf(key, requirement);
      return demand === undefined
        ? []
        : [{ ...demand, matches: compileRequirement(demand.requirement, `flavor.extraSpecs.${key}`) }];
    });
    if (demands.length === 0) return undefined;
    return (host) =>
      demands.every(({ path, scoped, matches }) => {
        const [first = ""] = path;
        if (!scoped && !isHostAttribute(first) && !Object.hasOwn(host.stats, first)) return true;
        const text = capabilityText(host, path);
        return text !== undefined && matches(text);
      });
  },
};

interface Demand {
  readonly path: readonly string[];
  readonly scoped: boolean;
  readonly requirement: string;
}

function demandOf(key: string, requirement: string): Demand | undefined {
  if (key === "hw:maxphysaddr_bits") {
    return { path: ["cpu_info", "maxphysaddr", "bits"], scoped: true, requirement: `>= ${requirement}` };
  }
  const [scope = "", ...path] = key.split(":");
  if (path.length === 0) return { path: [scope], scoped: false, requirement };
  return scope === "capabilities" ? { path, scoped: true, requirement } : undefined;
}
