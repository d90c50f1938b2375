import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { labCeph, labHosts } from "../../lab/inventory.ts";
import { buildGuest, type GuestFiles } from "../../lab/guest/build.ts";
import { bringUp } from "../../lab/lab.ts";
import { parseTopology, type Topology } from "../../lab/topology.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make, textOf } from "../support/cloud.ts";
import { lookAtHosts, type LabHosts } from "../support/lab-hosts.ts";
import { openGuestShell, type GuestShell } from "../support/guest-shell.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";
import { writeVolumeKey } from "../support/volume-keys.ts";

const labName = "ceph-servers";

let labs: LabFolder;
let cloud: Cloud;
let hosts: LabHosts;
let guest: GuestFiles;
let inGuest: GuestShell["inGuest"];
let cluster: ResourceView;
let images: ResourceView;
let disks: ResourceView;
let image: ResourceView;
let network: ResourceView;
let keypair: ResourceView;
let cloned: ResourceView;
let type: ResourceView;
/** Its volumes are encrypted. */
let encrypting: ResourceView;

beforeAll(async () => {
  labs = openLabFolder("ceph-servers");
  await bringUp(topology());
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
  ({ keypair, inGuest } = await openGuestShell(cloud, labs.path));
  network = await make(cloud, "network", "net");
  await make(cloud, "subnet", "subnet", { network: network.id, cidr: "10.50.0.0/24" });
  cloned = await make(cloud, "flavor", "cloned", {
    vcpus: 1,
    ramMib: 128,
    diskGib: 1,
    storagePool: disks.id,
  });
  const volumes = await pool("volumes", { imagePool: images.id });
  type = await make(cloud, "volume-type", "pooled", { storagePool: volumes.id });
  encrypting = await make(cloud, "volume-type", "encrypted", {
    storagePool: volumes.id,
    encryption: { keyFile: writeVolumeKey(labs.path, "volumes.key") },
  });
});

afterAll(async () => {
  await cloud.close();
  await labs.close();
});

function topology(): Topology {
  return parseTopology({
    name: labName,
    hosts: ["h1", "h2", { name: "c1", roles: ["ceph"] }],
    ceph: { objectStore: "bluestore" },
    diskFolder: join(labs.path, "disks"),
  });
}

/** Makes a server of the guest's disk. */
async function build(name: string, flavor: ResourceView, more: JsonObject = {}): Promise<ResourceView> {
  const inputs = {
    flavor: flavor.id,
    image: image.id,
    keypair: keypair.id,
    networks: [{ network: network.id }],
    waitFor: "ssh",
  };
  return make(cloud, "server", name, { ...inputs, ...more });
}

/** The volume that a server has made for itself. */
async function volumeOf(server: ResourceView): Promise<ResourceView> {
  const volume = (await cloud.list("volume")).find(({ record }) => record.owner === server.id);
  if (volume === undefined) throw new Error("the server has made no volume");
  return volume;
}

/** What `rbd` of the cluster's first monitor's host says. */
function rbd(words: string): Promise<string> {
  return hosts.onHost(
    "h1",
    `cd /etc/stackyard/ceph/${cluster.id} && rbd --conf ceph.conf --id $(ls | sed -n 's/ceph.client.\\(.*cinder\\).keyring/\\1/p') ${words}`,
  );
}

test("servers boot clones of an image that is in the cluster once, beside one that boots a file", async () => {
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

test("a volume is plugged into a guest that runs, and what it writes there survives detaching, a guest that holds on, and the cluster's daemons", async () => {
  const server = await build("db", cloned);
  const volume = await make(cloud, "volume", "data", { volumeType: type.id, sizeGib: 1 });
  const inputs = { server: server.id, volume: volume.id, timeouts: { detach: 20 } };
  const write = (text: string, atMib: number): Promise<string> =>
    inGuest(server, `printf %s ${text} | dd of=/dev/vdb bs=1M seek=${String(atMib)} conv=notrunc,fsync 2>&1`);
  const read = (length: number, atMib: number): Promise<string> =>
    inGuest(
      server,
      `dd if=/dev/vdb bs=1M skip=${String(atMib)} count=1 2> /dev/null | head -c ${String(length)}`,
    );

  let attachment = await make(cloud, "volume-attachment", "data", inputs);
  await write("first", 0);
  await cloud.remove("volume-attachment", attachment.id);
  expect(await inGuest(server, "ls /sys/block")).not.toContain("vdb");
  attachment = await make(cloud, "volume-attachment", "data", inputs);
  expect(await read(5, 0)).toBe("first");

  const domain = (await hosts.onHost(textOf(server.outputs, "host"), `virsh domname ${server.id}`)).trim();
  const onHost = (command: string): Promise<string> => hosts.onHost(textOf(server.outputs, "host"), command);
  await onHost(`virsh suspend ${domain}`);
  await make(cloud, "volume-attachment", "data", { ...inputs, timeouts: { detach: 2 } });
  await expect(cloud.remove("volume-attachment", attachment.id)).rejects.toMatchObject({ code: "in-use" });
  await onHost(`virsh resume ${domain}`);
  // It does now what it was asked while it stood still, and the next apply gives the volume back.
  await expect
    .poll(() => onHost(`virsh domblklist ${domain}`), { timeout: 60_000, interval: 200 })
    .not.toContain(volume.id);
  expect((await cloud.read("volume", volume.id))?.outputs["status"]).toBe("in-use");
  await make(cloud, "volume-attachment", "data", inputs);
  await write("second", 1);
  expect(await read(6, 1)).toBe("second");

  for (const daemon of ["mon", "osd"]) {
    await hosts.onHost("c1", `pkill -KILL -x ceph-${daemon}`);
    const writing = write(daemon, 2);
    await bringUp(topology());
    await writing;
    expect(await read(3, 2)).toBe(daemon);
  }
  expect([await read(5, 0), await read(6, 1)]).toEqual(["first", "second"]);

  const grown = await make(cloud, "volume", "data", { volumeType: type.id, sizeGib: 2 });
  expect(grown.id).toBe(volume.id);
  expect((await inGuest(server, "cat /sys/block/vdb/size")).trim()).toBe(String(2 * 2 ** 21));
  expect((await cloud.drift()).findings).toEqual([]);
  await expect(cloud.remove("server", server.id)).rejects.toMatchObject({ code: "in-use" });
  for (const { type: kind, id } of [attachment, server, grown]) await cloud.remove(kind, id);
  expect([await rbd("ls vms"), await rbd("ls volumes")]).toEqual(["", ""]);
}, 240_000);

test("a server boots a volume that it has made, which grows under it, and goes with it or stays", async () => {
  const flavor = await make(cloud, "flavor", "diskless", { vcpus: 1, ramMib: 128 });
  const own = (more: JsonObject = {}): JsonObject => ({ bootVolume: { volumeType: type.id, ...more } });
  const [gone, stays] = await Promise.all([
    build("gone", flavor, own()),
    build("stays", flavor, own({ deleteOnTermination: false })),
  ]);
  const [going, staying] = [await volumeOf(gone), await volumeOf(stays)];

  expect((await rbd("ls volumes")).trim().split("\n").toSorted()).toEqual(
    [`volume-${going.id}`, `volume-${staying.id}`].toSorted(),
  );
  expect((await rbd("ls vms")).trim()).toBe("");
  for (const [server, volume] of [
    [gone, going],
    [stays, staying],
  ] as const) {
    expect(server.outputs["blockDevices"]).toMatchObject([
      { device: "vda", source: "image", destination: "volume", volume: volume.id },
    ]);
    const listing = await hosts.onHost(textOf(server.outputs, "host"), `virsh domblklist ${server.id}`);
    expect(listing).toContain(`volumes/volume-${volume.id}`);
  }
  expect((await cloud.drift()).findings).toEqual([]);

  const sizeGib = Number(going.outputs["sizeGib"]) + 1;
  const readBootId = "cat /proc/sys/kernel/random/boot_id";
  const boot = await inGuest(gone, readBootId);
  const grown = await build("gone", flavor, own({ sizeGib }));
  expect(grown.id).toBe(gone.id);
  expect((await inGuest(gone, "cat /sys/block/vda/size")).trim()).toBe(String(sizeGib * 2 ** 21));
  expect(await inGuest(gone, readBootId)).toBe(boot);

  const snapshot = await make(cloud, "snapshot", "held", { volume: going.id });
  await expect(cloud.remove("server", gone.id)).rejects.toMatchObject({ code: "in-use" });
  expect(await inGuest(gone, readBootId)).toBe(boot);
  await cloud.remove("snapshot", snapshot.id);
  await inGuest(stays, "echo kept | dd of=/dev/vda bs=1M seek=900 conv=notrunc,fsync 2>&1");
  for (const { id } of [gone, stays]) await cloud.remove("server", id);

  expect((await rbd("ls volumes")).trim()).toBe(`volume-${staying.id}`);
  const next = await build("next", flavor, { image: undefined, bootVolume: { volume: staying.id } });
  expect(await inGuest(next, "dd if=/dev/vda bs=1M skip=900 count=1 2> /dev/null | head -n 1")).toBe(
    "kept\n",
  );
  await cloud.remove("server", next.id);
  await cloud.remove("volume", staying.id);
  expect([await rbd("ls vms"), await rbd("ls volumes")]).toEqual(["", ""]);
  expect(await cloud.listLeftovers()).toMatchObject({ leftovers: [] });
}, 240_000);

test("a server boots a volume that it has made in a file on its host, which grows under it and goes with it", async () => {
  const flavor = await make(cloud, "flavor", "diskless", { vcpus: 1, ramMib: 128 });
  const files = await make(cloud, "volume-type", "files");
  const own = (more: JsonObject = {}): JsonObject => ({ bootVolume: { volumeType: files.id, ...more } });

  const server = await build("filed", flavor, own());
  const volume = await volumeOf(server);
  const onHost = (command: string): Promise<string> => hosts.onHost(textOf(server.outputs, "host"), command);
  const path = textOf(volume.outputs, "location");

  expect(volume.inputs["host"]).toBe(server.outputs["hostId"]);
  expect(await onHost(`virsh domblklist ${server.id}`)).toContain(path);
  expect((await cloud.drift()).findings).toEqual([]);
  await build("filed", flavor, own({ sizeGib: 2 }));
  expect((await inGuest(server, "cat /sys/block/vda/size")).trim()).toBe(String(2 * 2 ** 21));
  await cloud.remove("server", server.id);
  expect((await onHost(`ls ${path} 2>&1 || true`)).trim()).toContain("No such file");
  expect(await cloud.listLeftovers()).toMatchObject({ leftovers: [] });
}, 240_000);

test("a server boots an encrypted volume of an image and has another, whose data is in the pool as ciphertext alone", async () => {
  const system = await make(cloud, "volume", "system", { volumeType: encrypting.id, image: image.id });
  const vault = await make(cloud, "volume", "vault", { volumeType: encrypting.id, sizeGib: 1 });
  const server = await build("sealed", cloned, { image: undefined, bootVolume: { volume: system.id } });
  const inputs = { server: server.id, volume: vault.id };
  const [word, count] = ["plain-text-of-the-guest", 4096];
  const read = "head -c 23 /dev/vdb";

  let attachment = await make(cloud, "volume-attachment", "vault", inputs);
  await inGuest(server, `yes ${word} | head -n ${String(count)} | dd of=/dev/vdb conv=fsync 2>&1; sync`);
  expect((await inGuest(server, "cat /sys/block/vdb/size")).trim()).toBe(String(2 ** 21));
  await cloud.remove("volume-attachment", attachment.id);
  attachment = await make(cloud, "volume-attachment", "vault", inputs);
  expect(await inGuest(server, read)).toBe(word);

  for (const { id } of [system, vault]) {
    const stored = `export-diff --no-progress volumes/volume-${id} - > /tmp/stored`;
    await rbd(stored);
    const onHost = (command: string): Promise<string> => hosts.onHost("h1", command);
    expect((await onHost(`grep -acE '${word}|Linux' /tmp/stored || true`)).trim()).toBe("0");
    expect(Number(await onHost("stat -c %s /tmp/stored; rm /tmp/stored"))).toBeGreaterThan(2 ** 17);
  }

  const host = textOf(server.outputs, "host");
  const forget = `for id in $(virsh -q secret-list | awk '/ volume / { print $1 }'); do virsh secret-undefine $id; done`;
  await hosts.onHost(host, forget);
  expect((await cloud.drift()).findings).toMatchObject([{ field: "secrets", host }]);
  await cloud.act("server", server.id, "reboot", { kind: "hard" });
  expect(await inGuest(server, read)).toBe(word);
  expect((await cloud.drift()).findings).toEqual([]);
  for (const { type: kind, id } of [attachment, server, vault, system]) await cloud.remove(kind, id);
  expect(await hosts.onHost(host, "virsh -q secret-list")).not.toContain(" volume ");
  expect(await rbd("ls volumes")).toBe("");
}, 300_000);
