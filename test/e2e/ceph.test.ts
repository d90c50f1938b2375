import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { labCeph, labHosts } from "../../lab/inventory.ts";
import { bringUp } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { nameCephUser } from "../../providers/compute/marks.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import { brandId } from "../../providers/core/ids.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { openCloud } from "../../providers/wiring.ts";
import { change, make, planChange, textOf } from "../support/cloud.ts";
import { lookAtHosts, type LabHosts } from "../support/lab-hosts.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

const labName = "ceph";
const mib = 2 ** 20;
const gib = 2 ** 30;

let labs: LabFolder;
let cloud: Cloud;
let hosts: LabHosts;
let cluster: ResourceView;
let inputs: JsonObject;
let cloudId: string;

beforeAll(async () => {
  labs = openLabFolder("ceph");
  await bringUp(parseTopology({ name: labName, hosts: ["h1", "h2", { name: "c1", roles: ["ceph"] }] }));
  hosts = lookAtHosts(labName, ["h1", "h2"]);
  cloud = await openCloud({ config: readConfig({ STACKYARD_HOME: labs.path }) });
  const ids: string[] = [];
  for (const { name, ...machine } of labHosts(labName))
    ids.push((await make(cloud, "host", name, machine)).id);
  inputs = { ...labCeph(labName), hosts: ids };
  cluster = await make(cloud, "ceph-cluster", "ceph", inputs);
  for (const content of ["images", "volumes", "vms"])
    await make(cloud, "storage-pool", content, { cluster: cluster.id, content });
  const mark: unknown = JSON.parse(
    await hosts.onHost("h1", "cat /var/lib/libvirt/images/stackyard/cloud.json"),
  );
  cloudId = (mark as { cloudId: string }).cloudId;
});

afterAll(async () => {
  await cloud.close();
  await labs.close();
});

/** What `rbd` does on a host as one of the cloud's users. */
function rbd(host: string, role: "glance" | "cinder" | "libvirt", words: string): Promise<string> {
  const user = nameCephUser(brandId<"cloud">(cloudId), role);
  return hosts.onHost(host, `rbd --conf /etc/stackyard/ceph/${cluster.id}/ceph.conf --id ${user} ${words}`);
}

test("a cluster and its pools are there for every client, in the roles of its users", async () => {
  expect(cluster.outputs).toMatchObject({ version: "16.2.15", clientHosts: inputs["hosts"] });
  await rbd("h1", "cinder", "create --size 1G volumes/one");
  expect(await rbd("h2", "libvirt", "ls volumes")).toBe("one\n");
  await expect(rbd("h2", "cinder", "create --size 1G images/one")).rejects.toThrow("Operation not permitted");
  expect(await hosts.onHost("h2", "virsh -q secret-list")).toContain(`ceph`);
});

test("what was just made has no drift; what was taken from a client is found, and put back", async () => {
  expect((await cloud.drift()).findings).toEqual([]);
  await hosts.onHost("h2", `rm /etc/stackyard/ceph/${cluster.id}/ceph.conf`);
  const { findings } = await cloud.drift();
  expect(findings).toMatchObject([
    { resource: { name: "ceph" }, host: "h2", field: "client.ceph.conf", label: "live" },
  ]);
  await make(cloud, "ceph-cluster", "ceph", inputs);
  expect((await cloud.drift()).findings).toEqual([]);
});

describe("volumes", () => {
  const imageByte = 0x5a;
  /** By the backend that keeps them: inputs of a volume, without its size and source. */
  const kinds: Record<string, JsonObject> = {};
  let image: ResourceView;

  beforeAll(async () => {
    const [images, volumes] = ["images", "volumes"].map((name) => cloud.find("storage-pool", name));
    const pool = await make(cloud, "storage-pool", "volumes", {
      cluster: cluster.id,
      content: "volumes",
      imagePool: (await images)?.id,
    });
    expect(pool.id).toBe((await volumes)?.id);
    const path = join(labs.path, "disk.raw");
    writeFileSync(path, Buffer.alloc(8 * mib).fill(imageByte, 0, mib));
    image = await make(cloud, "image", "disk", { disk: { location: path, format: "raw" } });
    const fast = await make(cloud, "volume-type", "fast", { storagePool: pool.id });
    const files = await make(cloud, "volume-type", "files");
    kinds["rbd"] = { volumeType: fast.id };
    kinds["file"] = { volumeType: files.id, host: (inputs["hosts"] as readonly string[])[0] };
  });

  afterAll(async () => {
    for (const name of ["fast", "files"])
      await cloud.remove("volume-type", (await cloud.find("volume-type", name)).id);
    await cloud.remove("image", image.id);
  });

  /** The volume as QEMU's tools on the first host name it, by where it says that it lies. */
  function nodeOf({ outputs }: ResourceView): string {
    const location = textOf(outputs, "location");
    if (outputs["backend"] === "file") return `-f qcow2 '${location}'`;
    const user = nameCephUser(brandId<"cloud">(cloudId), "cinder");
    return `-f raw 'rbd:${location}:id=${user}:conf=/etc/stackyard/ceph/${cluster.id}/ceph.conf'`;
  }

  const write = (volume: ResourceView, byte: number, atMib: number): Promise<string> =>
    hosts.onHost("h1", `qemu-io -c 'write -q -P ${String(byte)} ${String(atMib)}M 1M' ${nodeOf(volume)}`);

  /** Raises unless the whole MiB is filled with the byte. */
  async function expectByte(volume: ResourceView, byte: number, atMib: number): Promise<void> {
    const command = `read -P ${String(byte)} ${String(atMib)}M 1M`;
    const said = await hosts.onHost("h1", `qemu-io -r -c '${command}' ${nodeOf(volume)}`);
    expect(said).toContain("read 1048576/1048576 bytes");
    expect(said).not.toContain("verification failed");
  }

  async function sizeOf(volume: ResourceView): Promise<unknown> {
    const info: unknown = JSON.parse(
      await hosts.onHost("h1", `qemu-img info -U --output json ${nodeOf(volume)}`),
    );
    return (info as Record<string, unknown>)["virtual-size"];
  }

  async function isThere({ outputs, id }: ResourceView): Promise<boolean> {
    const found =
      outputs["backend"] === "file"
        ? await hosts.onHost("h1", "ls /var/lib/libvirt/images/stackyard/volumes")
        : await rbd("h1", "cinder", "ls volumes");
    return found.includes(id);
  }

  describe.each(["rbd", "file"])("in %s", (backend) => {
    const makeVolume = (name: string, more: JsonObject): Promise<ResourceView> =>
      make(cloud, "volume", name, { ...kinds[backend], ...more });

    test("keep what was written through snapshots, clones, copies and growth, and go only unused", async () => {
      const blank = await makeVolume("blank", { sizeGib: 1 });
      expect(blank.outputs).toMatchObject({ status: "available", backend, sizeGib: 1, bootable: false });
      await expectByte(blank, 0, 7);
      await write(blank, 0xaa, 7);
      const snapshot = await make(cloud, "snapshot", "kept", { volume: blank.id });
      await write(blank, 0xbb, 7);
      const clone = await makeVolume("clone", { snapshot: snapshot.id });
      const copy = await makeVolume("copy", { volume: blank.id });
      await expectByte(clone, 0xaa, 7);
      await expectByte(copy, 0xbb, 7);

      const booted = await makeVolume("booted", { image: image.id });
      expect(booted.outputs).toMatchObject({ bootable: true, sizeGib: 1 });
      await expectByte(booted, imageByte, 0);
      await write(booted, 0xcc, 512);
      const grown = await makeVolume("booted", { image: image.id, sizeGib: 2 });
      expect(grown).toMatchObject({ id: booted.id, outputs: { sizeGib: 2 } });
      expect(await sizeOf(grown)).toBe(2 * gib);
      await write(grown, 0xdd, 2047);
      for (const [byte, at] of [
        [imageByte, 0],
        [0xcc, 512],
        [0xdd, 2047],
      ] as const)
        await expectByte(grown, byte, at);
      const { issues } = await planChange(cloud, grown, "booted", {
        ...kinds[backend],
        image: image.id,
        sizeGib: 1,
      });
      expect(issues).toMatchObject([{ code: "invalid-input", field: "sizeGib" }]);

      await expect(cloud.remove("volume", blank.id)).rejects.toMatchObject({ code: "in-use" });
      await expect(cloud.remove("snapshot", snapshot.id)).rejects.toMatchObject({ code: "in-use" });
      expect((await cloud.drift()).findings).toEqual([]);

      const alone = await change(cloud, clone, "clone", { ...kinds[backend], sizeGib: 1 });
      const own = await change(cloud, grown, "booted", { ...kinds[backend], sizeGib: 2 });
      expect([alone.id, own.id]).toEqual([clone.id, grown.id]);
      await change(cloud, copy, "copy", { ...kinds[backend], sizeGib: 1 });
      await cloud.remove("snapshot", snapshot.id);
      await expectByte(alone, 0xaa, 7);
      await expectByte(own, imageByte, 0);
      expect((await cloud.drift()).findings).toEqual([]);

      for (const volume of [blank, alone, copy, own]) {
        expect(await isThere(volume)).toBe(true);
        await cloud.remove("volume", volume.id);
        expect(await isThere(volume)).toBe(false);
      }
    });

    test("that a process has open are not removed, and are drift as long as no server has them", async () => {
      const held = await makeVolume("held", { sizeGib: 1 });
      const ids = await hosts.onHost(
        "h1",
        `cd /tmp; rm -f held held.log; mkfifo held; (sleep 60 > held 2> /dev/null & echo $!)
        qemu-io ${nodeOf(held)} < held > held.log 2>&1 & until [ -s held.log ]; do sleep 0.05; done`,
      );
      const { findings } = await cloud.drift();
      expect(findings).toMatchObject([{ resource: { name: "held" }, field: "holders" }]);
      await expect(cloud.remove("volume", held.id)).rejects.toMatchObject({ code: "in-use" });
      await hosts.onHost("h1", `echo quit > /tmp/held; kill ${ids.trim()}`);
      await vi.waitFor(() => cloud.remove("volume", held.id), { timeout: 20_000, interval: 500 });
      expect(await isThere(held)).toBe(false);
    });
  });

  test("a clone that is declared no more, and not flattened, keeps its snapshot, which says so", async () => {
    const source = await make(cloud, "volume", "source", { ...kinds["rbd"], sizeGib: 1 });
    const snapshot = await make(cloud, "snapshot", "base", { volume: source.id });
    await rbd("h1", "cinder", `clone volumes/volume-${source.id}@snapshot-${snapshot.id} volumes/stray`);
    await expect(cloud.remove("snapshot", snapshot.id)).rejects.toMatchObject({
      code: "in-use",
      message: expect.stringContaining("volumes/stray") as unknown,
      remedy: expect.stringContaining("stackyard volume flatten") as unknown,
    });
    await rbd("h1", "cinder", "rm --no-progress volumes/stray");
    await cloud.remove("snapshot", snapshot.id);
    await cloud.remove("volume", source.id);
  });
});

test("a host that is taken from the clients has nothing of it any more", async () => {
  const [first] = inputs["hosts"] as readonly string[];
  await make(cloud, "ceph-cluster", "ceph", { ...inputs, hosts: [first ?? ""] });
  expect(await hosts.onHost("h2", "ls /etc/stackyard/ceph 2> /dev/null || true; virsh -q secret-list")).toBe(
    "",
  );
});

test("a pool with an image in it stays; without, it goes, and the cluster with its users", async () => {
  const pools = await cloud.list("storage-pool");
  const volumes = pools.find(({ inputs: { content } }) => content === "volumes")?.id ?? "";
  await expect(cloud.remove("storage-pool", volumes)).rejects.toMatchObject({ code: "in-use" });
  await rbd("h1", "cinder", "rm --no-progress volumes/one");
  for (const { id } of pools.toReversed()) await cloud.remove("storage-pool", id);
  await cloud.remove("ceph-cluster", cluster.id);
  const left = lookAtHosts(labName, ["c1"]);
  expect(
    await left.onHost("c1", "ceph osd pool ls; ceph auth ls 2> /dev/null | grep stackyard || true"),
  ).toBe("");
  expect(await hosts.onHost("h1", "ls /etc/stackyard/ceph 2> /dev/null || true")).toBe("");
});
