import { parseRange } from "../../lab/addresses.ts";
import type { AddressRange } from "../../lab/addresses.ts";
import { planNestedLab } from "../../lab/nested/plan.ts";
import type { NestedPlan } from "../../lab/nested/plan.ts";
import { parseTopology } from "../../lab/topology.ts";

function rangeOf(cidr: string): AddressRange {
  const range = parseRange(cidr);
  if (range === undefined) throw new Error(cidr);
  return range;
}

/** A lab of two virtual machines, or of what `input` says of it, whose folders are below `home`. */
export function planBelow(home: string, input: object = {}): NestedPlan {
  const topology = parseTopology({ name: "trial", driver: "nested", hosts: 2, ...input });
  return planNestedLab(topology, `${home}/labs/${topology.name}`, {
    ranges: { management: rangeOf("10.77.0.0/24"), data: rangeOf("10.78.0.0/24") },
    storage: rangeOf("10.79.0.0/24"),
    sshPorts: [2201, 2202, 2203],
    acceleration: "tcg",
    runtimeFolder: `${home}/run`,
  });
}
