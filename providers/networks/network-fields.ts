import { z } from "zod";
import { nameField, projectField } from "../core/common-fields.ts";
import { StackyardError } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import type { NetworkSpec } from "../core/ports.ts";
import type { World, WorldEntry } from "../core/resource.ts";
import { subnetInputs, toSubnetSpec } from "./subnet-fields.ts";

/** Network identifiers of a cloud. Each stands for one VLAN tag on the integration bridges: tag = vni - firstVni + 1. */
export const firstVni = 1001;
export const lastVni = firstVni + 4093;

/** Bytes that VXLAN over IPv4 adds (neutron: VXLAN_ENCAP_OVERHEAD 30 + IPv4 header 20), and Geneve without options, as here. */
const defaultMtuBytes = 1450;

export const networkInputs = z.object({
  name: nameField({ doc: "Name, unique among the project's networks." }),
  project: projectField(),
  mtuBytes: field(z.int().min(576).max(9166).default(defaultMtuBytes), {
    doc: "Largest packet in bytes. Default 1450: what a 1500-byte underlay leaves after VXLAN or Geneve. Servers take a change when they next start.",
    change: "live",
  }),
  networkType: field(z.enum(["vxlan", "geneve"]).default("vxlan"), {
    doc: "Protocol of its tunnels between hosts: `vxlan` (UDP 4789) or `geneve` (UDP 6081). Default `vxlan`.",
    change: "replace",
  }),
  vni: field(z.int().min(firstVni).max(lastVni).optional(), {
    doc: `Identifier of the network in its tunnels, ${String(firstVni)} to ${String(lastVni)}. Default: a free one.`,
    change: "replace",
    computed: "plan",
    chosen: true,
  }),
});

export const networkOutputs = z.object({
  localVlan: field(z.int(), {
    doc: "VLAN tag of the network on each host's integration bridge.",
    follows: ["vni"],
  }),
});

/** VLAN tag on the integration bridges. */
export function toLocalVlan(vni: number | undefined): number {
  if (vni === undefined)
    throw new StackyardError("internal", { message: "a network was stored without its identifier" });
  return vni - firstVni + 1;
}

/** The network with its subnets, as hosts wire it. */
export function toNetworkSpec(entry: WorldEntry, world: World): NetworkSpec {
  const parsed = networkInputs.parse(entry.inputs);
  return {
    id: entry.id,
    name: entry.name,
    networkType: parsed.networkType,
    vni: parsed.vni ?? firstVni,
    localVlan: toLocalVlan(parsed.vni),
    mtuBytes: parsed.mtuBytes,
    subnets: world
      .all("subnet")
      .filter((subnet) => subnet.inputs["network"] === entry.id)
      // In one order in every process: hosts compare what they have with it.
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((subnet) => toSubnetSpec(subnet.id, subnetInputs.parse(subnet.inputs))),
  };
}
