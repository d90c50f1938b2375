import { afterAll, beforeAll, expect, test } from "vitest";
import { labCeph, labHosts } from "../../lab/inventory.ts";
import { buildGuest, type GuestFiles } from "../../lab/guest/build.ts";
import { bringUp } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make, textOf } from "../support/cloud.ts";
import { lookAtHosts, type LabHosts } from "../support/lab-hosts.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

const labName = "ceph-servers";

let labs: LabFolder;
let cloud: Cloud;
let hosts: LabHosts;
let guest: GuestFiles;
let cluster: ResourceView;
let images: ResourceView;
let disks: ResourceView;
let image: ResourceView;
let network: ResourceView;

beforeAll(async () => {
  labs = openLabFolder("ceph-servers");
  await bringUp(parseTopology({ name: labName, hosts: ["h1", "h2", { name: "c1", roles: ["ceph"] }] }));
  guest = await buildGuest();
  hosts = lookAtHosts(labName, ["h1", "h2"]);
  cloud = await openCloud({ config: readConfig({ STACKYARD_HOME: labs.path }) });
  const ids = await Promise.all(
    labHosts(labName).map(async ({ name, ...machine }) => (await make(cloud, "host", name, machine)).id),
  );
  cluster = await make(cloud, "ceph-cluster", "ceph", { ...labCeph(labName), hosts: ids });
  const pool = (content: string, more: JsonObject = {}) =>
    make(cloud, "storage-pool", content, { cluster: cluster.id, content, ...more });
  images = await pool("images");
  disks = await pool("vms", { imagePool: images.id });
  image = await make(cloud, "image", "guest", { disk: { location: guest.qcow2 } });
  network = await make(cloud, "network", "net");
  await make(cloud, "subnet", "subnet", { network: network.id, cidr: "10.50.0.0/24" });
});

afterAll(async () => {
  await cloud.close();
  await labs.close();
});

/** Makes a server of the guest's disk. */
async function build(name: string, flavor: ResourceView, more: JsonObject = {}): Promise<ResourceView> {
  const inputs = { flavor: flavor.id, image: image.id, networks: [{ network: network.id }], waitFor: "ssh" };
  return make(cloud, "server", name, { ...inputs, ...more });
}

/** What `rbd` of the cluster's first monitor's host says. */
function rbd(words: string): Promise<string> {
  return hosts.onHost(
    "h1",
    `cd /etc/stackyard/ceph/${cluster.id} && rbd --conf ceph.conf --id $(ls | sed -n 's/ceph.client.\\(.*cinder\\).keyring/\\1/p') ${words}`,
  );
}

test("servers boot clones of an image that is in the cluster once, beside one that boots a file", async () => {
  const cloned = await make(cloud, "flavor", "cloned", {
    vcpus: 1,
    ramMib: 128,
    diskGib: 1,
    storagePool: disks.id,
  });
  const local = await make(cloud, "flavor", "local", { vcpus: 1, ramMib: 128, diskGib: 1 });

  const [one, two, beside] = await Promise.all([
    build("one", cloned),
    build("two", cloned),
    build("beside", local),
  ]);

  expect((await rbd("ls images")).trim()).toBe(image.id);
  expect((await rbd("ls vms")).trim().split("\n").toSorted()).toEqual(
    [`${one.id}_disk`, `${two.id}_disk`].toSorted(),
  );
  for (const server of [one, two]) {
    expect(server.outputs).toMatchObject({
      status: "ACTIVE",
      blockDevices: [{ source: "image", destination: "pool", storagePool: disks.id, sizeBytes: 1024 ** 3 }],
    });
    const listing = await hosts.onHost(textOf(server.outputs, "host"), `virsh domblklist ${server.id}`);
    expect(listing).toContain(`vms/${server.id}_disk`);
  }
  expect(beside.outputs).toMatchObject({ blockDevices: [{ destination: "local" }] });
  expect((await cloud.drift()).findings).toEqual([]);
  for (const { id } of [one, two, beside]) await cloud.remove("server", id);
  expect((await rbd("ls vms")).trim()).toBe("");
}, 240_000);
