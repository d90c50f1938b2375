import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import { registerPulumiCommand } from "../../../providers/engines/pulumi/import-file-command.ts";
import type { FakeRbdImage } from "../../fakes/rbd.ts";
import { smallFsid } from "../../support/ceph.ts";
import { runStackyard } from "../../support/command-line.ts";
import {
  addressOfHost,
  hostInputs,
  makeFullWorld,
  makerOf,
  TestCloud,
  textOf,
  type FullWorld,
} from "../../support/cloud.ts";

const bytesPerGib = 2 ** 30;

let test1: TestCloud;
let world: FullWorld;
/** What the cloud holds without the servers of a test. */
let bare: readonly string[];

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeFullWorld(test1);
  bare = await test1.holdings();
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** Makes, or changes, a server that makes the volume that it boots. */
function build(bootVolume: JsonObject = {}, more: JsonObject = {}, name = "web"): Promise<ResourceView> {
  return test1.make("server", name, inputsOf(bootVolume, more));
}

function inputsOf(bootVolume: JsonObject, more: JsonObject = {}): JsonObject {
  return {
    ...world.server,
    networks: [],
    bootVolume: { volumeType: world.volumeType.id, ...bootVolume },
    ...more,
  };
}

/** The volume that a server boots. */
async function volumeOf(server: ResourceView): Promise<ResourceView> {
  const volume = (await test1.cloud.list("volume")).find(({ record }) => record.owner === server.id);
  if (volume === undefined) throw new Error(`server ${server.id} has made no volume`);
  return volume;
}

/** Names of the RBD images of volumes, but for that of the world. */
function listImages(): readonly string[] {
  return test1.compute
    .withCeph(smallFsid, ({ pools }) => Object.keys(pools["disks"]?.images ?? {}))
    .filter((name) => name.startsWith("volume-") && name !== `volume-${world.volume.id}`);
}

async function listVolumeNames(): Promise<readonly string[]> {
  return (await test1.cloud.list("volume")).map(({ record }) => record.name).toSorted();
}

describe("a server that makes the volume that it boots", () => {
  test("has one of its image, in the type's pool, which is a volume of its project like any other", async () => {
    const server = await build();
    const volume = await volumeOf(server);

    expect(server.outputs["blockDevices"]).toEqual([
      { device: "vda", source: "image", destination: "volume", volume: volume.id, sizeGib: 1 },
    ]);
    expect(volume).toMatchObject({
      record: { name: "web-boot", status: "active", projectId: server.record.projectId },
      inputs: { image: world.image.id, sizeGib: 1, volumeType: world.volumeType.id },
      outputs: { status: "in-use", bootable: true, backend: "rbd" },
    });
    expect(listImages()).toEqual([`volume-${volume.id}`]);
    expect(
      test1.compute.survey()[addressOfHost(1)]?.filter((line) => line.startsWith("disks")),
    ).not.toContain(server.id);
    const snapshot = await test1.make("snapshot", "first", { volume: volume.id });
    expect(snapshot.outputs).toMatchObject({ status: "available", sizeGib: 1 });
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("has it as large as the flavor's disk, and keeps that size with another flavor", async () => {
    const large = await test1.make("flavor", "large", { vcpus: 1, ramMib: 256, diskGib: 5 });
    const server = await build({}, { flavor: large.id });
    expect(server.inputs["bootVolume"]).toMatchObject({ sizeGib: 5 });

    const smaller = await build();

    expect(smaller).toMatchObject({ id: server.id, inputs: { bootVolume: { sizeGib: 5 } } });
    expect((await volumeOf(server)).outputs["sizeGib"]).toBe(5);
  });

  test("takes it along", async () => {
    const server = await build();

    await test1.cloud.remove("server", server.id);

    expect(await test1.holdings()).toEqual(bare);
  });

  test("takes it along once a client that was killed has let go", async () => {
    const server = await build();
    const volume = await volumeOf(server);
    test1.compute.withCeph(smallFsid, ({ pools }) => {
      const image = pools["disks"]?.images[`volume-${volume.id}`];
      if (image !== undefined) image.holders = ["client.1 at 10.0.0.1:0/1"];
    });
    setTimeout(() => {
      test1.compute.withCeph(smallFsid, ({ pools }) => {
        const image = pools["disks"]?.images[`volume-${volume.id}`];
        if (image !== undefined) image.holders = [];
      });
    }, 100);

    await test1.cloud.remove("server", server.id);

    expect(await test1.holdings()).toEqual(bare);
  });

  test("that says so leaves it to the project, where another server boots it", async () => {
    const server = await build({ deleteOnTermination: false });
    const { id } = await volumeOf(server);
    const lines: string[] = [];

    await test1.cloud.remove("server", server.id, { onProgress: (line) => lines.push(line) });

    expect(lines.join()).toContain(`volume "web-boot" (${id}) stays in the project`);
    expect(await test1.cloud.read("volume", id)).toMatchObject({
      outputs: { status: "available" },
      drift: [],
    });
    const next = await test1.make(
      "server",
      "next",
      inputsOf({}, { image: undefined, bootVolume: { volume: id } }),
    );
    expect(next.outputs["status"]).toBe("ACTIVE");
    await test1.cloud.remove("server", next.id);
    await test1.cloud.remove("volume", id);
    expect(await test1.holdings()).toEqual(bare);
  });

  test("whose earlier volume has stayed makes another, under a name of its own", async () => {
    const kept = { deleteOnTermination: false };
    const server = await build(kept);
    const first = await volumeOf(server);
    await test1.cloud.remove("server", server.id);

    const again = await build(kept);

    expect(again.id).toBe(server.id);
    expect((await volumeOf(again)).id).not.toBe(first.id);
    expect(await listVolumeNames()).toEqual(["data", "web-boot", "web-boot-2"]);
  });

  test("has it in a stack's import once it has been left, and not before", async () => {
    const readImport = async (): Promise<string> => {
      const extensions = [{ name: "pulumi", summary: "stacks", register: registerPulumiCommand }];
      const words = ["pulumi", "import-file", "volume"];
      return (await runStackyard(await test1.open(), words, { extensions })).stdout;
    };
    const server = await build({ deleteOnTermination: false });
    const { id } = await volumeOf(server);
    expect(await readImport()).not.toContain(id);

    await test1.cloud.remove("server", server.id);

    expect(await readImport()).toContain(id);
  });

  test("that never ran takes it along, whatever is to stay", async () => {
    test1.compute.fail("domains.spawn", { code: "invalid-input", times: 1 });
    await expect(build({ deleteOnTermination: false })).rejects.toMatchObject({ code: "invalid-input" });
    expect(await test1.holdings()).toEqual(bare);
  });

  test("and is given up while that is made, is one thing to finish", async () => {
    const stop = new AbortController();
    const onProgress = (line: string): void => {
      if (line.startsWith("making the volume")) stop.abort();
    };
    const options = { signal: stop.signal, onProgress };
    await expect(test1.make("server", "web", inputsOf({}), options)).rejects.toMatchObject({
      code: "interrupted",
    });
    expect(await test1.cloud.drift()).toMatchObject({ inWork: 0, interrupted: [] });
    expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });

    const server = await build();

    expect((await test1.cloud.drift()).findings).toEqual([]);
    await test1.cloud.remove("server", server.id);
    expect(await test1.holdings()).toEqual(bare);
  });

  test("grows it while it runs, and never shrinks it", async () => {
    const server = await build();
    const process = test1.compute.processOf(server.id);

    const grown = await build({ sizeGib: 3 });

    expect(test1.compute.processOf(grown.id)).toBe(process);
    expect(
      test1.compute.withMachine(addressOfHost(1), ({ domains }) => domains[server.id]?.live),
    ).toMatchObject({
      rootBytes: 3 * bytesPerGib,
    });
    expect((await volumeOf(server)).outputs["sizeGib"]).toBe(3);
    expect((await test1.cloud.drift()).findings).toEqual([]);
    await expect(build({ sizeGib: 2 })).rejects.toMatchObject({
      code: "invalid-input",
      field: "bootVolume.sizeGib",
    });
  });

  test("may decide later whether it stays", async () => {
    const server = await build();
    await build({ deleteOnTermination: false });

    await test1.cloud.remove("server", server.id);

    expect(await listVolumeNames()).toEqual(["data", "web-boot"]);
  });

  test("is replaced with its volume, beside which the next one is made", async () => {
    const server = await build();
    const image = await test1.make("image", "next", { disk: { location: "/images/cirros.qcow2" } });
    const next = await build({}, { image: image.id });
    expect(await listVolumeNames()).toEqual(["data", "web-boot", "web-boot-2"]);

    await test1.cloud.remove("server", server.id);

    expect(next.id).not.toBe(server.id);
    expect(await listVolumeNames()).toEqual(["data", "web-boot-2"]);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("makes it anew of its image when it is lost, as drift has told", async () => {
    const server = await build({}, { running: false });
    const volume = await volumeOf(server);
    test1.compute.withCeph(smallFsid, ({ pools }) =>
      Reflect.deleteProperty(pools["disks"]?.images ?? {}, `volume-${volume.id}`),
    );
    expect((await test1.cloud.read("server", server.id))?.drift).toMatchObject([
      { field: "bootVolume", found: "missing", label: "data-loss" },
    ]);

    await build({}, { running: false });

    expect(listImages()).toEqual([`volume-${volume.id}`]);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });
});

describe("the volume that a server has made, and somebody else has changed", () => {
  const own = { sizeGib: 2 };
  let server: ResourceView;
  let volume: ResourceView;

  beforeEach(async () => {
    server = await build(own, { running: false });
    volume = await volumeOf(server);
  });

  /** Does something to the volume's image. */
  function meddle(change: (image: FakeRbdImage, images: Record<string, FakeRbdImage>) => void): void {
    test1.compute.withCeph(smallFsid, ({ pools }) => {
      const images = pools["disks"]?.images ?? {};
      const image = images[`volume-${volume.id}`];
      if (image === undefined) throw new Error("the volume has no image");
      change(image, images);
    });
  }

  const readDrift = async () => (await test1.cloud.read("server", server.id))?.drift;

  test("is drift where it is smaller, and grows again", async () => {
    meddle((image) => {
      image.sizeBytes = bytesPerGib;
    });
    expect(await readDrift()).toEqual([
      {
        ...{ field: "bootVolume.sizeGib", host: "h1" },
        expected: String(2 * bytesPerGib),
        found: String(bytesPerGib),
        repair: "grows it",
        label: "live",
      },
    ]);

    await build(own, { running: false });

    expect(await readDrift()).toEqual([]);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("is drift where it is larger, which stops until the declaration says so too", async () => {
    meddle((image) => {
      image.sizeBytes = 3.5 * bytesPerGib;
    });
    expect(await readDrift()).toEqual([
      {
        ...{ field: "bootVolume.sizeGib", host: "h1" },
        expected: String(2 * bytesPerGib),
        found: String(3.5 * bytesPerGib),
        repair: "stops, since volumes never shrink: set sizeGib to 4",
      },
    ]);
    await expect(build(own, { running: false })).rejects.toMatchObject({ code: "invalid-input" });

    await build({ sizeGib: 4 }, { running: false });

    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("is drift where it is somebody else's, and left alone", async () => {
    meddle((image, images) => {
      images[`volume-${volume.id}`] = { ...image, mark: undefined };
    });

    expect(await readDrift()).toMatchObject([{ field: "volume", expected: "this cloud's own" }]);

    await expect(test1.cloud.remove("server", server.id)).rejects.toMatchObject({ code: "not-ours" });
    expect(listImages()).toEqual([`volume-${volume.id}`]);
  });

  test("is drift where its pool is gone, and no apply goes on", async () => {
    test1.compute.withCeph(smallFsid, ({ pools }) => Reflect.deleteProperty(pools, "disks"));

    expect(await readDrift()).toEqual([
      {
        ...{ field: "bootVolume", host: "h1" },
        expected: "present",
        found: "missing",
        repair: "stops: the pool that it was in is not there",
      },
    ]);
    await expect(build(own, { running: false })).rejects.toMatchObject({ code: "not-found" });
  });
});

test("the name of a volume that a server makes is no longer than names are", async () => {
  const name = `${"w".repeat(119)}\u{1F40C}${"x".repeat(100)}`;

  const server = await build({}, {}, name);

  expect((await volumeOf(server)).record.name).toBe(`${"w".repeat(119)}\u{1F40C}-boot`);
});

describe("the volume of a server that has made it", () => {
  let server: ResourceView;
  let volume: ResourceView;

  beforeEach(async () => {
    server = await build();
    volume = await volumeOf(server);
  });

  test("is not removed, and the error names the server", async () => {
    await expect(test1.cloud.remove("volume", volume.id)).rejects.toMatchObject({
      code: "in-use",
      message: 'volume "web-boot" is used by server "web"',
    });
  });

  test("is shown with whose it is", async () => {
    const words = ["volume", "show", volume.id];
    const json = await runStackyard(await test1.open(), [...words, "--json"]);
    const text = await runStackyard(await test1.open(), words);
    expect(JSON.parse(json.stdout)).toMatchObject({ ownerId: server.id });
    expect(text.stdout).toMatch(new RegExp(`ownerId +${server.id}`));
  });

  test("is not given to others", async () => {
    const attachment = { server: world.instance.id, volume: volume.id };
    const problem = expect.stringContaining('boot volume of server "web"') as unknown;
    await expect(test1.make("volume-attachment", "other", attachment)).rejects.toMatchObject({
      field: "volume",
      message: problem,
    });
    const inputs = { ...world.server, image: undefined, networks: [], bootVolume: { volume: volume.id } };
    await expect(test1.make("server", "other", inputs)).rejects.toMatchObject({
      field: "bootVolume.volume",
      message: problem,
    });
  });

  test("is changed by its server only, and repaired like any other", async () => {
    const maker = makerOf("volume", "own");
    const request = { type: "volume", maker, defaultName: "own" };
    const inputs = { ...volume.inputs, id: volume.id };
    await expect(test1.cloud.apply({ ...request, inputs: { ...inputs, sizeGib: 2 } })).rejects.toMatchObject({
      code: "in-use",
      field: "sizeGib",
      remedy: 'Change server "web".',
    });
    test1.compute.withCeph(smallFsid, ({ pools }) =>
      Reflect.deleteProperty(pools["disks"]?.images ?? {}, `volume-${volume.id}`),
    );
    await test1.cloud.apply({ ...request, inputs });
    expect(listImages()).toEqual([`volume-${volume.id}`]);
    await test1.cloud.remove("server", server.id);
    expect(await test1.holdings()).toEqual(bare);
  });

  test("keeps its server from being removed while it has snapshots, before anything is changed", async () => {
    const snapshot = await test1.make("snapshot", "first", { volume: volume.id });
    const before = await test1.holdings();

    await expect(test1.cloud.remove("server", server.id)).rejects.toMatchObject({
      code: "in-use",
      message: 'volume "web-boot", which goes with server "web", is used by snapshot "first"',
    });

    expect(await test1.holdings()).toEqual(before);
    await test1.cloud.remove("snapshot", snapshot.id);
    await test1.cloud.remove("server", server.id);
    expect(await test1.holdings()).toEqual(bare);
  });

  test("with snapshots lets its server go when it stays", async () => {
    await test1.make("snapshot", "first", { volume: volume.id });
    await build({ deleteOnTermination: false });

    await test1.cloud.remove("server", server.id);

    expect(await listVolumeNames()).toEqual(["data", "web-boot"]);
  });
});

describe("a volume in a file", () => {
  let files: JsonObject;

  beforeEach(async () => {
    files = { volumeType: (await test1.make("volume-type", "files")).id };
    bare = await test1.holdings();
  });

  test("is made on the host that the server is placed on, and takes disk there", async () => {
    const server = await build({ ...files, sizeGib: 2 });

    const volume = await volumeOf(server);
    expect(volume).toMatchObject({
      inputs: { host: world.hosts[0]?.id },
      outputs: { backend: "file" },
    });
    const database = await test1.database();
    expect(
      await database
        .selectFrom("allocations")
        .select("used")
        .where("consumer_id", "=", server.id)
        .where("resource_class", "=", "DISK_GB")
        .execute(),
    ).toEqual([{ used: 2 }]);
    expect((await test1.cloud.drift()).findings).toEqual([]);
    await test1.cloud.remove("server", server.id);
    expect(await test1.holdings()).toEqual(bare);
  });

  test("is made on any host, be the flavor's pool reached by few", async () => {
    test1.compute.addMachine(addressOfHost(2), { ramMib: 1_000_000 });
    await test1.make("host", "h2", hostInputs(2));

    const server = await build(files, { flavor: world.clonedFlavor.id });

    expect(server.outputs["host"]).toBe("h2");
  });

  test("is made on the next host when the first one fails", async () => {
    test1.compute.addMachine(addressOfHost(2));
    await test1.make("host", "h2", hostInputs(2));
    test1.compute.fail("volumes.ensureVolume", { code: "command-failed", times: 1 });

    const server = await build(files);

    expect((await volumeOf(server)).inputs["host"]).toBe(server.outputs["hostId"]);
    expect(await listVolumeNames()).toEqual(["data", "web-boot"]);
    const survey = Object.values(test1.compute.survey()).flat();
    expect(survey.filter((line) => line.startsWith("volume"))).toHaveLength(1);
  });
});

test("a volume that a server makes counts once among its project's, from before it is made", async () => {
  const project = await test1.make("project", "small", { quota: { volumes: 1, gigabytes: 2 } });
  const own = { project: project.id, keypair: undefined };
  const image = await test1.make("image", "own", {
    project: project.id,
    disk: { location: "/images/cirros.qcow2" },
  });
  await expect(build({ sizeGib: 3 }, { ...own, image: image.id })).rejects.toMatchObject({
    code: "quota-exceeded",
    message: "Quota exceeded for gigabytes: Requested 3, but already used 0 of 2 gigabytes",
  });
  const server = await build({ sizeGib: 1 }, { ...own, image: image.id });
  await build({ sizeGib: 2 }, { ...own, image: image.id });
  await expect(
    test1.make("volume", "more", { project: project.id, volumeType: world.volumeType.id, sizeGib: 1 }),
  ).rejects.toMatchObject({
    code: "quota-exceeded",
    message:
      "Quota exceeded for gigabytes, volumes: Requested 1, 1, but already used 2, 1 of 2, 1 gigabytes, volumes",
  });
  await test1.cloud.remove("server", server.id);
});

test("a preview tells how the volume would be made, and writes nothing", async () => {
  const store = test1.storeBytes();
  const hosts = test1.compute.dump();

  const preview = await test1.cloud.preview({
    type: "server",
    inputs: inputsOf({}),
    maker: makerOf("server", "web"),
    defaultName: "web",
  });

  expect(preview.incomplete).toBeUndefined();
  expect(preview.inputs["bootVolume"]).toMatchObject({ sizeGib: 1 });
  expect(preview.commands.filter(({ step }) => step === "block-devices")).not.toEqual([]);
  expect(preview.domains[0]?.after).toContain("volume-");
  expect(test1.storeBytes().equals(store)).toBe(true);
  expect(test1.compute.dump()).toBe(hosts);
  const made = await build();
  expect(preview.domains[0]?.after).toContain(`volume-${(await volumeOf(made)).id}`);
});

describe("what a boot volume cannot be is refused before anything is written:", () => {
  test.each<readonly [string, (world: FullWorld) => JsonObject, JsonObject]>([
    ["neither a volume nor a type", () => ({ bootVolume: {} }), { field: "bootVolume" }],
    [
      "a volume and a type",
      ({ volume, volumeType }) => ({
        image: undefined,
        bootVolume: { volume: volume.id, volumeType: volumeType.id },
      }),
      { field: "image" },
    ],
    [
      "a type without an image",
      ({ volumeType }) => ({ image: undefined, bootVolume: { volumeType: volumeType.id } }),
      { field: "image" },
    ],
    [
      "the size of a volume that is there",
      ({ volume }) => ({ image: undefined, bootVolume: { volume: volume.id, sizeGib: 2 } }),
      { field: "bootVolume.sizeGib" },
    ],
    [
      "a volume that is there and is to go",
      ({ volume }) => ({ image: undefined, bootVolume: { volume: volume.id, deleteOnTermination: true } }),
      { field: "bootVolume.deleteOnTermination" },
    ],
    [
      "a type that is not there",
      ({ volume }) => ({ bootVolume: { volumeType: volume.id } }),
      { code: "unknown-reference", field: "bootVolume.volumeType" },
    ],
  ])("%s", async (_what, inputs, error) => {
    await expect(
      test1.make("server", "web", { ...world.server, networks: [], ...inputs(world) }),
    ).rejects.toMatchObject(error);
    expect(await test1.holdings()).toEqual(bare);
  });

  test("one that is smaller than its image, or of an image without a disk", async () => {
    const large = await test1.make("image", "large", {
      disk: { location: "/images/cirros.qcow2" },
      minDiskGib: 4,
    });
    await expect(build({ sizeGib: 3 }, { image: large.id })).rejects.toMatchObject({
      field: "bootVolume.sizeGib",
      message: expect.stringContaining("is 3; the image needs 4 GiB") as unknown,
    });
    const kernel = await test1.make("image", "kernel", { kernel: { location: "/images/vmlinuz" } });
    await expect(build({}, { image: kernel.id })).rejects.toMatchObject({ field: "image" });
  });
});

test("a pool's hosts are those that a server with a volume there is placed on", async () => {
  test1.compute.addMachine(addressOfHost(2), { ramMib: 1_000_000 });
  await test1.make("host", "h2", hostInputs(2));
  expect(textOf((await build()).outputs, "host")).toBe("h1");
});
