import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildGuest } from "../../lab/guest/build.ts";
import { labCeph, labHosts } from "../../lab/inventory.ts";
import { bringUp, changePower, runOnHost } from "../../lab/lab.ts";
import { parseTopology, type Topology } from "../../lab/topology.ts";
import { deferCompute } from "../../providers/compute/deferred-compute.ts";
import { cephConfFile } from "../../providers/compute/layout.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { openHostPool } from "../../providers/hosts/pool.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make } from "../support/cloud.ts";
import { openGuestShell, type GuestShell } from "../support/guest-shell.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";
import { watchCommands } from "../support/watched-pool.ts";

const labName = "ceph-faults";

let labs: LabFolder;
let cloud: Cloud;
let inGuest: GuestShell["inGuest"];
let cluster: ResourceView;
let type: ResourceView;
let inputs: JsonObject;
/** Called before each command on the host. */
let before: (text: string, attempting: string) => Promise<void> = () => Promise.resolve();

function topology(): Topology {
  return parseTopology({
    name: labName,
    hosts: ["h1", { name: "c1", roles: ["ceph"] }],
    diskFolder: join(labs.path, "disks"),
  });
}

beforeAll(async () => {
  labs = openLabFolder("ceph-faults");
  await bringUp(topology());
  const config = readConfig({ STACKYARD_HOME: labs.path });
  const pool = openHostPool({ ssh: { environment: config.ssh } });
  const watched = watchCommands(pool, ({ text }, options) => before(text, options?.attempting ?? ""));
  cloud = await openCloud({
    config,
    compute: { ...deferCompute({ pool: watched }), close: () => pool.closeAll() },
  });
  const host = await makeHost();
  cluster = await make(cloud, "ceph-cluster", "ceph", { ...labCeph(labName), hosts: [host.id] });
  // A test waits for each of its faults.
  await onHost(
    "h1",
    `sed -i 's/^client_mount_timeout.*/client_mount_timeout = 2/' ${cephConfFile(cluster.id)}`,
  );
  const poolOf = (content: string, more: JsonObject = {}): Promise<ResourceView> =>
    make(cloud, "storage-pool", content, { cluster: cluster.id, content, ...more });
  const imagePool = (await poolOf("images")).id;
  const vms = await poolOf("vms", { imagePool });
  const volumes = await poolOf("volumes", { imagePool });
  const image = await make(cloud, "image", "guest", { disk: { location: (await buildGuest()).qcow2 } });
  const shell = await openGuestShell(cloud, labs.path);
  inGuest = shell.inGuest;
  const network = await make(cloud, "network", "net");
  await make(cloud, "subnet", "subnet", { network: network.id, cidr: "10.50.0.0/24" });
  const flavor = await make(cloud, "flavor", "cloned", {
    ...{ vcpus: 1, ramMib: 128, diskGib: 1 },
    storagePool: vms.id,
  });
  type = await make(cloud, "volume-type", "pooled", { storagePool: volumes.id });
  inputs = {
    ...{ flavor: flavor.id, image: image.id, keypair: shell.keypair.id },
    networks: [{ network: network.id }],
  };
});

afterAll(async () => {
  await cloud.close();
  await labs.close();
});

/** The host as declared: also what repairs it. */
function makeHost(): Promise<ResourceView> {
  const [machine] = labHosts(labName);
  return make(cloud, "host", "h1", { ...machine });
}

async function onHost(host: string, command: string): Promise<string> {
  return (await runOnHost(labName, host, ["sh", "-c", command])).stdout;
}

/**
 * Does the work again and again, each time with the monitor killed before another of its commands that need the cluster, and brought back afterwards,
 * until none is left and it is done. Gives what those commands were for.
 */
async function doThroughFaults(work: () => Promise<unknown>): Promise<readonly string[]> {
  const tried: string[] = [];
  for (;;) {
    const faults = tried.length;
    before = async (text, attempting) => {
      const what = attempting.replaceAll(/ ?(\S*-)?[\da-f]{8}-[\da-f-]{27}/g, "");
      if (tried.length > faults || tried.includes(what)) return;
      if (!text.includes(cluster.id) && !text.includes("reach_clusters")) return;
      tried.push(what);
      await onHost("c1", "pkill -KILL -x ceph-mon");
    };
    const outcome = await work().catch((error: unknown) => error);
    before = () => Promise.resolve();
    if (tried.length === faults) {
      expect(outcome).not.toBeInstanceOf(Error);
      return tried;
    }
    expect(outcome, tried.at(-1)).toMatchObject({ code: "ceph-unreachable" });
    await bringUp(topology());
  }
}

let witness: ResourceView;
let data: ResourceView;

const made: ResourceView[] = [];
const idOf = (kind: string): string => made.find((view) => view.type === kind)?.id ?? "";

/** Makes a resource through all faults, and gives the commands before which the monitor died. */
async function makeThroughFaults(kind: string, name: string, wanted: JsonObject): Promise<readonly string[]> {
  return doThroughFaults(async () => {
    const view = await make(cloud, kind, name, wanted);
    if (!made.some(({ id }) => id === view.id)) made.unshift(view);
  });
}

test("a monitor that dies before any command of any operation is named, and the operation is done when it is back", async () => {
  witness = await make(cloud, "server", "witness", { ...inputs, waitFor: "ssh" });
  data = await make(cloud, "volume", "data", { volumeType: type.id, sizeGib: 1 });
  await make(cloud, "volume-attachment", "data", { server: witness.id, volume: data.id });
  await inGuest(witness, "printf kept | dd of=/dev/vdb conv=notrunc,fsync 2> /dev/null");
  const boot = await inGuest(witness, "cat /proc/sys/kernel/random/boot_id");
  const image = await make(cloud, "image", "other", { disk: { location: (await buildGuest()).qcow2 } });

  expect(await makeThroughFaults("server", "web", { ...inputs, image: image.id })).toEqual([
    "look for image in pool images",
    "import image into pool images",
    "start job",
    "make volume",
    "build server",
  ]);
  const blank = { volumeType: type.id, sizeGib: 1 };
  expect(await makeThroughFaults("volume", "more", blank)).toEqual(["look at volume", "make volume"]);
  const attachment = { server: idOf("server"), volume: idOf("volume") };
  expect(await makeThroughFaults("volume-attachment", "more", attachment)).toEqual([
    "attach a volume to server",
  ]);
  expect(await makeThroughFaults("snapshot", "more", { volume: idOf("volume") })).toEqual([
    "make a snapshot of volume",
  ]);
  expect(await makeThroughFaults("volume", "more", { ...blank, sizeGib: 2 })).toEqual([
    "look at volume",
    "grow volume",
  ]);
  const clone = { volumeType: type.id, snapshot: idOf("snapshot") };
  expect(await makeThroughFaults("volume", "clone", clone)).toEqual(["look at volume", "make volume"]);
  const act = (action: string, input: JsonObject) => (): Promise<unknown> =>
    cloud.act("server", idOf("server"), action, input);
  expect(await doThroughFaults(act("reboot", { kind: "hard" }))).toContain("reboot server");
  await act("stop", {})();
  expect(await doThroughFaults(act("start", {}))).toContain("start server");
  const removals: (readonly string[])[] = [];
  for (const { type: kind, id } of made) removals.push(await doThroughFaults(() => cloud.remove(kind, id)));
  expect(removals).toEqual([
    ["remove volume"],
    ["remove a snapshot of volume"],
    [],
    ["remove volume"],
    ["remove volume"],
  ]);

  expect(await inGuest(witness, "head -c 4 /dev/vdb; cat /proc/sys/kernel/random/boot_id")).toBe(
    `kept${boot}`,
  );
  await make(cloud, "ceph-cluster", "ceph", cluster.inputs);
  expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  expect(await cloud.drift()).toMatchObject({ findings: [], failures: [] });
}, 600_000);

test("of two servers that are to have one volume at the same time, one has it, and the other is told", async () => {
  const servers = await Promise.all(["one", "two"].map((name) => make(cloud, "server", name, inputs)));
  const volume = await make(cloud, "volume", "wanted", { volumeType: type.id, sizeGib: 1 });
  const attempts = await Promise.allSettled(
    servers.map(({ id }) => make(cloud, "volume-attachment", id, { server: id, volume: volume.id })),
  );
  expect(attempts.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  const refused = attempts.find((attempt) => attempt.status === "rejected");
  expect(refused?.reason).toMatchObject({ code: "conflict" });
  const disks = await Promise.all(servers.map(({ id }) => onHost("h1", `virsh -q domblklist ${id}`)));
  expect(disks.filter((list) => list.includes(`volume-${volume.id}`))).toHaveLength(1);
  for (const attempt of attempts)
    if (attempt.status === "fulfilled") await cloud.remove("volume-attachment", attempt.value.id);
  for (const { type: kind, id } of [volume, ...servers]) await cloud.remove(kind, id);
}, 120_000);

test("a host that loses its power has the volume again when it is back, with what its guest wrote", async () => {
  await inGuest(witness, "printf written | dd of=/dev/vdb bs=1M seek=1 conv=notrunc,fsync 2> /dev/null");
  await changePower(labName, "h1", "cut");
  await expect(cloud.act("server", witness.id, "start", {})).rejects.toMatchObject({
    code: "host-unreachable",
  });
  await bringUp(topology());
  expect((await cloud.read("volume", data.id))?.outputs["status"]).toBe("in-use");
  await makeHost();
  await make(cloud, "server", "witness", { ...inputs, waitFor: "ssh" });
  expect(await inGuest(witness, "dd if=/dev/vdb bs=1M skip=1 count=1 2> /dev/null | head -c 7")).toBe(
    "written",
  );
  expect(await cloud.drift()).toMatchObject({ findings: [], failures: [] });
}, 240_000);
