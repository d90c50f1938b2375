import { createHash } from "node:crypto";
import { z } from "zod";
import { nameField, projectField, reserveName } from "../core/common-fields.ts";
import { StackyardError } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import type { NetworkSpec } from "../core/ports.ts";
import { defineResource, type CompletionContext, type World, type WorldEntry } from "../core/resource.ts";
import { subnetInputs, toSubnetSpec } from "./subnet-fields.ts";

/** VXLAN identifiers of a cloud. Each stands for one VLAN tag on the integration bridges: tag = vni - firstVni + 1. */
const firstVni = 1001;
const lastVni = firstVni + 4093;

/** Bytes that VXLAN over IPv4 adds (neutron: VXLAN_ENCAP_OVERHEAD 30 + IPv4 header 20). */
const defaultMtuBytes = 1450;

const inputs = z.object({
  name: nameField({ doc: "Name, unique among the project's networks." }),
  project: projectField(),
  mtuBytes: field(z.int().min(576).max(9166).default(defaultMtuBytes), {
    doc: "Largest packet in bytes. Default 1450: what a 1500-byte underlay leaves after VXLAN.",
    change: "restart",
  }),
  vni: field(z.int().min(firstVni).max(lastVni).optional(), {
    doc: `VXLAN network identifier, ${String(firstVni)} to ${String(lastVni)}. Default: a free one.`,
    change: "replace",
    computed: "plan",
  }),
});

const outputs = z.object({
  localVlan: field(z.int(), { doc: "VLAN tag of the network on each host's integration bridge." }),
});

export type NetworkInputs = z.infer<typeof inputs>;

/** A layer 2 network that spans the hosts, carried by VXLAN. */
export const network = defineResource({
  type: "network",
  plural: "networks",
  service: "network",
  summary:
    "A layer 2 network across hosts, carried by VXLAN over Open vSwitch. Hosts are wired when the first server needs it.",
  scope: "project",
  inputs,
  outputs,
  rules: [],
  complete: (draft, context) => ({ ...draft, vni: draft.vni ?? chooseVni(context) }),
  reservations: (desired) => [
    ...reserveName("network", desired.project, desired.name),
    { kind: "vni", scope: "cloud", value: String(desired.vni), field: "vni" },
  ],
  reconcile: [
    {
      name: "vlan",
      run: (context) => Promise.resolve({ localVlan: toLocalVlan(context.inputs.vni) }),
    },
  ],
  remove: [],
});

/** A free identifier, the same for the same network as long as it stays free. */
function chooseVni({ id, world }: CompletionContext): number {
  const count = lastVni - firstVni + 1;
  const start = createHash("sha256").update(id).digest().readUInt32BE(0) % count;
  for (let step = 0; step < count; step++) {
    const vni = firstVni + ((start + step) % count);
    const holder = world.holder("vni", "cloud", String(vni));
    if (holder === undefined || holder === id) return vni;
  }
  throw new StackyardError("conflict", {
    message: `all ${String(count)} network identifiers of the cloud are taken`,
    field: "vni",
    remedy: "Remove networks that nothing uses.",
  });
}

function toLocalVlan(vni: number | undefined): number {
  if (vni === undefined)
    throw new StackyardError("internal", { message: "a network was stored without its identifier" });
  return vni - firstVni + 1;
}

/** The network with its subnets, as hosts wire it. */
export function toNetworkSpec(entry: WorldEntry, world: World): NetworkSpec {
  const parsed = inputs.parse(entry.inputs);
  return {
    id: entry.id,
    name: entry.name,
    vni: parsed.vni ?? firstVni,
    localVlan: toLocalVlan(parsed.vni),
    mtuBytes: parsed.mtuBytes,
    subnets: world
      .all("subnet")
      .filter((subnet) => subnet.inputs["network"] === entry.id)
      .map((subnet) => toSubnetSpec(subnet.id, subnetInputs.parse(subnet.inputs))),
  };
}
