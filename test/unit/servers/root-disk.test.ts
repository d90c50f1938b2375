import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ResourceView } from "../../../providers/core/cloud.ts";
import { addressOfHost, makeFullWorld, hostInputs, TestCloud, type FullWorld } from "../../support/cloud.ts";
import { smallFsid } from "../../support/ceph.ts";

let test1: TestCloud;
let world: FullWorld;
let images: ResourceView;
let disks: ResourceView;
let flavor: ResourceView;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeFullWorld(test1);
  const cluster = world.ceph.id;
  images = await test1.make("storage-pool", "images", { cluster, content: "images" });
  disks = await test1.make("storage-pool", "vms", { cluster, content: "vms", imagePool: images.id });
  flavor = await test1.make("flavor", "cloned", { vcpus: 1, ramMib: 256, diskGib: 2, storagePool: disks.id });
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

function build(name: string, changes: Record<string, string | boolean> = {}): Promise<ResourceView> {
  return test1.make("server", name, { ...world.server, flavor: flavor.id, ...changes });
}

/** Names of RBD images, by pool. */
function list(pool: string): readonly string[] {
  return test1.compute.withCeph(smallFsid, ({ pools }) => Object.keys(pools[pool]?.images ?? {}));
}

/** Gives the root disk of a server another size behind the cloud's back. */
function resize(id: string, sizeBytes: number): void {
  test1.compute.withCeph(smallFsid, ({ pools }) => {
    const image = pools["vms"]?.images[`${id}_disk`];
    if (image === undefined) throw new Error("the server has no root disk");
    image.sizeBytes = sizeBytes;
  });
}

const gib = 1024 ** 3;

describe("a server whose flavor names a pool", () => {
  test("has its root disk cloned there from an image that is brought once, and none on its host", async () => {
    const servers = await Promise.all(["one", "two", "three"].map((name) => build(name)));

    expect(list("images")).toEqual([world.image.id]);
    expect(list("vms").toSorted()).toEqual(servers.map(({ id }) => `${id}_disk`).toSorted());
    expect(servers[0]?.outputs).toMatchObject({
      status: "ACTIVE",
      cachedImage: { parent: { pool: "images", image: world.image.id, snapshot: "snap" } },
      blockDevices: [
        { device: "vda", source: "image", destination: "pool", storagePool: disks.id, sizeBytes: 2 * gib },
      ],
    });
    const survey = test1.compute.survey()[addressOfHost(1)] ?? [];
    expect(survey.filter((line) => line.startsWith("disks"))).toEqual([]);
    expect(test1.compute.contentOf(addressOfHost(1), servers[0]?.id ?? "")).toBeUndefined();
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("is previewed before its image is there", async () => {
    const { incomplete, commands } = await test1.cloud.preview({
      type: "server",
      inputs: { ...world.server, flavor: flavor.id },
      maker: "test:preview",
      defaultName: "one",
    });

    expect(incomplete).toBeUndefined();
    expect(commands.map(({ purpose }) => purpose)).toEqual(
      expect.arrayContaining(["volumes.importImage", "volumes.ensureVolume"]),
    );
  });

  test("is built beside one of the same image that has a file on the same host", async () => {
    const [cloned, local] = await Promise.all([build("one"), build("two", { flavor: world.flavor.id })]);

    const at = addressOfHost(1);
    expect(cloned.outputs["blockDevices"]).toMatchObject([{ destination: "pool", source: "image" }]);
    expect(local.outputs["blockDevices"]).toMatchObject([{ destination: "local", source: "image" }]);
    expect(local.outputs["cachedImage"]).toMatchObject({
      diskPath: expect.stringContaining(world.image.id) as unknown,
    });
    const disks = test1.compute.withMachine(at, ({ folders }) => folders);
    expect(disks[local.id]?.disk).toBeDefined();
    expect(disks[cloned.id]?.disk).toBeUndefined();
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("is placed on the clients of its cluster only, and takes no disk of theirs", async () => {
    test1.compute.addMachine(addressOfHost(2), { ramMib: 1_000_000 });
    await test1.make("host", "h2", hostInputs(2));

    const { id, outputs } = await build("one");

    expect(outputs["host"]).toBe("h1");
    const database = await test1.database();
    const claims = await database
      .selectFrom("allocations")
      .select("resource_class")
      .where("consumer_id", "=", id)
      .execute();
    expect(claims.map((row) => row.resource_class).toSorted()).toEqual(["MEMORY_MB", "VCPU"]);
  });

  test("takes its disk along when it goes; image and pools go after it", async () => {
    const { id } = await build("one");
    await test1.cloud.remove("server", world.instance.id);
    await expect(test1.cloud.remove("image", world.image.id)).rejects.toMatchObject({ code: "in-use" });
    await expect(test1.cloud.remove("storage-pool", disks.id)).rejects.toMatchObject({ code: "in-use" });

    await test1.cloud.remove("server", id);
    expect(list("vms")).toEqual([]);
    expect(list("images")).toEqual([world.image.id]);

    await test1.cloud.remove("flavor", flavor.id);
    await test1.cloud.remove("storage-pool", disks.id);
    await test1.cloud.remove("storage-pool", images.id);
    await test1.cloud.remove("image", world.image.id);
  });

  test("and whose pool for images is gone from the cluster, lets other images go", async () => {
    const other = await test1.make("image", "other", { disk: { location: "/images/cirros.qcow2" } });
    test1.compute.withCeph(smallFsid, ({ pools }) => Reflect.deleteProperty(pools, "images"));
    await test1.cloud.remove("image", other.id);
    expect(await test1.cloud.read("image", other.id)).toBeUndefined();
  });

  test("grows its disk in place, and never shrinks it", async () => {
    const { id } = await build("one");
    const large = await test1.make("flavor", "large", { vcpus: 1, ramMib: 256, diskGib: 5 });
    const grown = await build("one", { flavor: large.id });

    expect(grown.id).toBe(id);
    expect(grown.outputs["blockDevices"]).toMatchObject([{ storagePool: disks.id, sizeBytes: 5 * gib }]);
    const sizeOf = (): unknown =>
      test1.compute.withCeph(smallFsid, ({ pools }) => pools["vms"]?.images[`${id}_disk`]?.sizeBytes);
    expect(sizeOf()).toBe(5 * gib);
    await build("one");
    expect(sizeOf()).toBe(5 * gib);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("is told how large its disk has become while it runs", async () => {
    const { id } = await build("one");
    const process = test1.compute.processOf(id);
    const large = await test1.make("flavor", "large", {
      ...{ vcpus: 1, ramMib: 256, diskGib: 5 },
      storagePool: disks.id,
    });

    await build("one", { flavor: large.id });

    expect(test1.compute.processOf(id)).toBe(process);
    const live = test1.compute.withMachine(addressOfHost(1), ({ domains }) => domains[id]?.live);
    expect(live).toMatchObject({ rootBytes: 5 * gib });
  });

  test.each([
    ["larger", 3, "keeps it, since disks never shrink, and takes note of its size", 3],
    ["smaller", 1, "grows the disk", 2],
  ])("whose disk somebody has made %s is drift, and the next apply goes on", async (_, has, repair, then) => {
    const { id } = await build("one", { running: false });
    resize(id, has * gib);
    expect((await test1.cloud.drift()).findings).toMatchObject([
      { field: "diskBytes", expected: String(2 * gib), found: String(has * gib), repair, label: "live" },
    ]);

    const again = await build("one", { running: false });

    expect(again.outputs["blockDevices"]).toMatchObject([{ sizeBytes: then * gib }]);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("that has lost a disk which had grown has one of that size again", async () => {
    const large = await test1.make("flavor", "large", {
      ...{ vcpus: 1, ramMib: 256, diskGib: 5 },
      storagePool: disks.id,
    });
    const { id } = await build("one", { flavor: large.id, running: false });
    await build("one", { running: false });
    test1.compute.withCeph(smallFsid, ({ pools }) =>
      Reflect.deleteProperty(pools["vms"]?.images ?? {}, `${id}_disk`),
    );

    const again = await build("one", { running: false });

    expect(again.outputs["blockDevices"]).toMatchObject([{ sizeBytes: 5 * gib }]);
  });

  test("that lost its disk is drift, and the next apply makes it anew", async () => {
    const { id } = await build("one", { running: false });
    test1.compute.withCeph(smallFsid, ({ pools }) =>
      Reflect.deleteProperty(pools["vms"]?.images ?? {}, `${id}_disk`),
    );
    expect((await test1.cloud.drift()).findings).toMatchObject([
      { field: "disk", found: "missing", label: "data-loss" },
    ]);

    await build("one", { running: false });

    expect(list("vms")).toEqual([`${id}_disk`]);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test.each(["before", "after"] as const)(
    "and fails %s its disk is made leaves nothing, and is built by the next apply",
    async (moment) => {
      test1.compute.fail("volumes.ensureVolume", { moment });
      await expect(build("one")).rejects.toMatchObject({ code: "retries-exhausted" });
      expect(list("vms")).toEqual([]);

      await build("one");

      expect(list("vms")).toHaveLength(1);
    },
  );

  test("has a pool of its cluster for images, or clones in the pool itself", async () => {
    const cluster = world.ceph.id;
    const alone = await test1.make("storage-pool", "alone", { cluster, content: "vms", pool: "alone" });
    const own = await test1.make("flavor", "own", { vcpus: 1, ramMib: 256, storagePool: alone.id });
    const { id } = await build("one", { flavor: own.id });
    expect(list("alone").toSorted()).toEqual([`${id}_disk`, world.image.id].toSorted());

    await test1.cloud.remove("server", id);
    await test1.cloud.remove("flavor", own.id);
    await test1.cloud.remove("storage-pool", alone.id);
  });
});

describe("a host that a pool names", () => {
  test("has root disks there where the flavor says nothing, and those that were there before stay", async () => {
    const tiny = { flavor: world.flavor.id };
    const before = await build("before", tiny);
    await test1.make("storage-pool", "vms", {
      cluster: world.ceph.id,
      content: "vms",
      imagePool: images.id,
      hosts: [world.hosts[0]?.id ?? ""],
    });
    const after = await build("after", tiny);
    const again = await build("before", { ...tiny, running: false });

    expect(after.outputs["blockDevices"]).toMatchObject([{ destination: "pool", storagePool: disks.id }]);
    expect(again).toMatchObject({ id: before.id, outputs: { blockDevices: [{ destination: "local" }] } });
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("must be a client of the pool's cluster, in a pool for root disks, and in one pool only", async () => {
    test1.compute.addMachine(addressOfHost(2));
    const { id: stranger } = await test1.make("host", "h2", hostInputs(2));
    const pool = { cluster: world.ceph.id, content: "vms", pool: "more" };
    const hosts = [world.hosts[0]?.id ?? ""];
    await expect(test1.make("storage-pool", "more", { ...pool, hosts: [stranger] })).rejects.toThrow(
      "is no client of the cluster",
    );
    await expect(test1.make("storage-pool", "more", { ...pool, content: "volumes", hosts })).rejects.toThrow(
      "the pool is for volumes",
    );
    await test1.make("storage-pool", "more", { ...pool, hosts });
    await expect(
      test1.make("storage-pool", "second", { ...pool, pool: "second", hosts }),
    ).rejects.toMatchObject({ code: "conflict" });
  });
});
