import { createHash } from "node:crypto";
import { reserveDevice, reserveName } from "../core/common-fields.ts";
import { hostCodes, StackyardError } from "../core/errors.ts";
import { countOne } from "../core/quota.ts";
import { defineResource, type CompletionContext } from "../core/resource.ts";
import { rewireNetwork } from "../servers/rewire.ts";
import { firstVni, lastVni, networkInputs, networkOutputs, toLocalVlan } from "./network-fields.ts";

/** A layer 2 network that spans the hosts, carried by tunnels. */
export const network = defineResource({
  type: "network",
  plural: "networks",
  service: "network",
  summary:
    "A layer 2 network across hosts, carried by VXLAN or Geneve over Open vSwitch. Hosts are wired when the first server needs it.",
  scope: "project",
  inputs: networkInputs,
  outputs: networkOutputs,
  rules: [],
  complete: (draft, context) => ({ ...draft, vni: draft.vni ?? chooseVni(context) }),
  reservations: (desired, id) => [
    ...reserveName("network", desired.project, desired.name),
    { kind: "vni", scope: "cloud", value: String(desired.vni), field: "vni" },
    reserveDevice(id, "id"),
  ],
  quotas: { networks: countOne },
  raises: [...hostCodes, "host-unsuitable", "not-ours"],
  reconcile: [
    {
      name: "vlan",
      run: (context) => Promise.resolve({ localVlan: toLocalVlan(context.inputs.vni) }),
    },
    { name: "hosts", run: (context) => rewireNetwork(context, context.record.id).then(() => undefined) },
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
