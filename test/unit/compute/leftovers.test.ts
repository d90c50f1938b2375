import { expect, test } from "vitest";
import { openCompute } from "../../../providers/compute/compute.ts";
import { brandId } from "../../../providers/core/ids.ts";
import type { ComputeHost } from "../../../providers/core/ports.ts";
import { openCannedPool, printBridges } from "../../support/canned-host.ts";

const cloudId = "22222222-2222-4222-8222-222222222222";
const networkId = "33333333-3333-4333-8333-333333333333";
const host: ComputeHost = {
  id: brandId("11111111-1111-4111-8111-111111111111"),
  name: "h1",
  cloudId: brandId(cloudId),
  address: { name: "h1", transport: "ssh", address: "h1" },
  datapath: "netdev",
  tunnelAddress: "10.1.0.1",
  virtType: "qemu",
  folder: "/var/lib/stackyard",
};

/** `external_ids` of a port that is marked as this cloud's. */
function marked(network: string): Readonly<Record<string, string>> {
  return { "stackyard-cloud": cloudId, "stackyard-network": network };
}

test("a mark that names no resource is not taken for ours: its text becomes a folder to remove", async () => {
  const bridges = printBridges({
    tapours: marked(networkId),
    taptheirs: marked("../../../etc"),
    vxtheirs: { ...marked(networkId), "stackyard-peer": "../h2" },
  });
  const pool = openCannedPool({
    "list domains": "",
    "list servers' folders": "",
    "list what is on the host": `${bridges}<>\nvolumes/..\nvolumes/../disk\n`,
    "list clients of Ceph": "../../etc\n",
    "list keys of volumes": "../../etc\n",
  });

  const things = await openCompute({ pool }).leftovers.list(host, new AbortController().signal);

  expect(things.map(({ kind, id }) => `${kind} ${id}`)).toEqual([`network ${networkId}`]);
});
