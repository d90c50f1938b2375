import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Issue, ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import type { FakeVolume } from "../../fakes/volume.ts";
import { cephInputs } from "../../support/ceph.ts";
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
const nowhere = "4f0c1a2e-6d5b-4c7b-9a3e-5d1f7b8c9a02";

let test1: TestCloud;
let world: FullWorld;
/** A type whose volumes are files. */
let fileType: string;
let hostId: string;
/** Inputs of a blank volume of each kind, without its size. */
let kinds: Readonly<Record<Kind, JsonObject>>;

type Kind = "rbd" | "file";

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeFullWorld(test1);
  fileType = (await test1.make("volume-type", "files")).id;
  hostId = world.hosts[0]?.id ?? "";
  kinds = { rbd: { volumeType: world.volumeType.id }, file: { volumeType: fileType, host: hostId } };
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

function onPool<T>(work: (images: Record<string, FakeVolume>) => T, pool = "disks"): T {
  const fsid = textOf(cephInputs("small", test1.folder, hostId), "fsid");
  return test1.compute.withCeph(fsid, ({ pools }) => work(pools[pool]?.images ?? {}));
}

/** The volume as its backend has it. */
function withVolume<T>({ id }: ResourceView, work: (volume: FakeVolume | undefined) => T): T {
  return test1.compute.withMachine(addressOfHost(1), ({ volumes }) => {
    const file = volumes[id]?.disk;
    return file === undefined ? onPool((images) => work(images[`volume-${id}`])) : work(file);
  });
}

async function issuesOf(inputs: JsonObject, name = "new"): Promise<readonly Issue[]> {
  const request = { type: "volume", maker: makerOf("volume", name), defaultName: name };
  return (await test1.cloud.plan({ ...request, inputs })).issues;
}

/** Makes a volume that holds something, and a snapshot of it. */
async function makeSource(kind: Kind): Promise<{ volume: ResourceView; snapshot: ResourceView }> {
  const volume = await test1.make("volume", "source", { ...kinds[kind], sizeGib: 2 });
  withVolume(volume, (found) => {
    if (found !== undefined) found.bytes["7"] = 42;
  });
  return { volume, snapshot: await test1.make("snapshot", "kept", { volume: volume.id }) };
}

describe.each<Kind>(["rbd", "file"])("a volume in %s", (kind) => {
  const make = (inputs: JsonObject, name = "data"): Promise<ResourceView> =>
    test1.make("volume", name, { ...kinds[kind], ...inputs });

  test("is blank, and says where it lies", async () => {
    const made = await make({ sizeGib: 3 });

    const path = kind === "file" ? `/var/lib/libvirt/images/stackyard/volumes/${made.id}/disk` : "";
    expect(made.outputs).toEqual({
      status: "available",
      sizeGib: 3,
      bootable: false,
      backend: kind,
      location: kind === "file" ? path : `disks/volume-${made.id}`,
    });
    expect(withVolume(made, (found) => found)).toMatchObject({ sizeBytes: 3 * bytesPerGib, bytes: {} });
  });

  test("is made of an image, bootable, as large as that needs in whole GiB", async () => {
    const made = await make({ image: world.image.id });

    expect(made.inputs["sizeGib"]).toBe(1);
    expect(made.outputs).toMatchObject({ bootable: true, sizeGib: 1 });
    expect(Object.keys(withVolume(made, (found) => found?.bytes ?? {}))).toEqual(["0"]);
    expect(made.outputs["baseImage"]).toBe(kind === "file" ? world.image.id : undefined);
  });

  test("is made of an image that is planned with it, and has its size then", async () => {
    const request = { maker: makerOf("image", "late"), defaultName: "late" };
    const late = { disk: { location: "/images/cirros.qcow2" } };
    const image = await test1.cloud.plan({ ...request, type: "image", inputs: late });
    const planned = await test1.cloud.plan({
      type: "volume",
      maker: makerOf("volume", "data"),
      defaultName: "data",
      inputs: { ...kinds[kind], image: textOf(image.inputs, "id") },
    });
    expect(planned).toMatchObject({ issues: [], change: { action: "create" } });
    expect(planned.inputs["sizeGib"]).toBeUndefined();

    await test1.make("image", "late", late);

    expect((await make({ image: textOf(image.inputs, "id") })).inputs["sizeGib"]).toBe(1);
  });

  test.each(["snapshot", "volume"] as const)("is made of a %s, with what that held", async (source) => {
    const sources = await makeSource(kind);

    const made = await make({ [source]: sources[source].id });

    expect(made.outputs).toMatchObject({ sizeGib: 2, bootable: false });
    expect(withVolume(made, (found) => found?.bytes)).toEqual({ "7": 42 });
  });

  test("of a snapshot has what that held, and not what was written later", async () => {
    const { volume, snapshot } = await makeSource(kind);
    withVolume(volume, (found) => {
      if (found !== undefined) found.bytes["7"] = 43;
    });

    const made = await make({ snapshot: snapshot.id });

    expect(withVolume(made, (found) => found?.bytes)).toEqual({ "7": 42 });
  });

  test("is bootable when it was copied of one that is", async () => {
    const first = await make({ image: world.image.id }, "first");
    const snapshot = await test1.make("snapshot", "kept", { volume: first.id });

    expect((await make({ volume: first.id }, "copy")).outputs["bootable"]).toBe(true);
    expect((await make({ snapshot: snapshot.id }, "clone")).outputs["bootable"]).toBe(true);
  });

  test.each(["image", "snapshot", "volume"] as const)("is no smaller than its %s", async (source) => {
    const large = await test1.make("image", "large", {
      disk: { location: "/images/cirros.qcow2" },
      minDiskGib: 2,
    });
    const id = source === "image" ? large.id : (await makeSource(kind))[source].id;

    expect(await issuesOf({ ...kinds[kind], [source]: id, sizeGib: 1 })).toMatchObject([
      { code: "invalid-input", field: "sizeGib", value: 1, message: `is 1; the ${source} needs 2 GiB` },
    ]);
    expect(await issuesOf({ ...kinds[kind], [source]: id, sizeGib: 2 })).toEqual([]);
  });

  test("grows, and keeps what it holds", async () => {
    const { volume } = await makeSource(kind);
    const larger = { ...kinds[kind], sizeGib: 5 };

    expect((await test1.plan(volume, "source", larger)).change).toMatchObject({
      action: "update",
      label: "live",
    });
    const grown = await test1.make("volume", "source", larger);

    expect(grown).toMatchObject({ id: volume.id, outputs: { sizeGib: 5 } });
    expect(withVolume(grown, (found) => found)).toMatchObject({
      sizeBytes: 5 * bytesPerGib,
      bytes: { "7": 42 },
    });
  });

  test.each(["before", "after"] as const)(
    "whose growth fails %s it, grows with the next apply",
    async (moment) => {
      const { volume } = await makeSource(kind);
      const larger = { ...kinds[kind], sizeGib: 5 };
      test1.compute.fail("volumes.growVolume", { moment });

      await expect(test1.make("volume", "source", larger)).rejects.toMatchObject({ code: "command-failed" });
      const grown = await test1.make("volume", "source", larger);

      expect(grown).toMatchObject({ id: volume.id, outputs: { sizeGib: 5 }, record: { status: "active" } });
      expect(withVolume(grown, (found) => found?.sizeBytes)).toBe(5 * bytesPerGib);
      expect((await test1.cloud.read("volume", volume.id))?.drift).toEqual([]);
    },
  );

  test("never shrinks: the plan says so, with both sizes", async () => {
    const made = await make({ sizeGib: 3 });

    const { issues } = await test1.plan(made, "data", { ...kinds[kind], sizeGib: 2 });

    expect(issues).toMatchObject([
      { code: "invalid-input", field: "sizeGib", value: 2, message: "is 2; the volume has 3 GiB" },
    ]);
    await expect(make({ sizeGib: 2 })).rejects.toMatchObject({ code: "invalid-input" });
    expect(withVolume(made, (found) => found?.sizeBytes)).toBe(3 * bytesPerGib);
  });

  test("that is made anew may be smaller", async () => {
    const made = await make({ sizeGib: 3 });

    expect(
      await test1.plan(made, "data", { ...kinds[kind], image: world.image.id, sizeGib: 1 }),
    ).toMatchObject({ issues: [], change: { action: "replace", label: "data-loss" } });
  });

  test("keeps its data when its source is left out, and lies on it no more", async () => {
    const { snapshot } = await makeSource(kind);
    const base = await test1.make("image", "base", { disk: { location: "/images/cirros.qcow2" } });
    const image = await make({ image: base.id }, "of-image");
    const clone = await make({ snapshot: snapshot.id }, "of-snapshot");
    const held = [image, clone].map((made) => withVolume(made, (found) => found?.bytes));

    const kept = [
      await test1.change(image, "of-image", { ...kinds[kind], sizeGib: 1 }),
      await test1.change(clone, "of-snapshot", { ...kinds[kind], sizeGib: 2 }),
    ];

    expect(kept.map(({ id }) => id)).toEqual([image.id, clone.id]);
    expect(kept.map((made) => withVolume(made, (found) => found?.bytes))).toEqual(held);
    expect(kept.map((made) => withVolume(made, (found) => found?.parent))).toEqual([undefined, undefined]);
    expect(kept[0]?.outputs).toMatchObject({ bootable: true });
    expect(kept[0]?.outputs["baseImage"]).toBeUndefined();
    await test1.cloud.remove("snapshot", snapshot.id);
    await test1.cloud.remove("image", base.id);
  });

  test("keeps its source as long as it names it", async () => {
    const { volume, snapshot } = await makeSource(kind);
    await make({ snapshot: snapshot.id }, "clone");
    await make({ image: world.image.id }, "of-image");

    await expect(test1.cloud.remove("snapshot", snapshot.id)).rejects.toMatchObject({ code: "in-use" });
    await expect(test1.cloud.remove("image", world.image.id)).rejects.toMatchObject({ code: "in-use" });
    await expect(test1.cloud.remove("volume", volume.id)).rejects.toMatchObject({
      code: "in-use",
      message: expect.stringContaining('snapshot "kept"') as unknown,
    });
  });

  test("is flattened when asked to", async () => {
    const made = await make({ image: world.image.id });
    expect(withVolume(made, (found) => found?.parent)).toBeDefined();

    await test1.cloud.act("volume", made.id, "flatten", {});

    expect(withVolume(made, (found) => found?.parent)).toBeUndefined();
    expect((await test1.cloud.read("volume", made.id))?.drift).toEqual([]);
  });

  test("that somebody has open is not removed", async () => {
    const made = await make({ sizeGib: 1 });
    withVolume(made, (found) => {
      if (found !== undefined) found.holders = ["qemu (process 7)"];
    });

    await expect(test1.cloud.remove("volume", made.id)).rejects.toMatchObject({
      code: "in-use",
      message: expect.stringContaining("process 7") as unknown,
    });
    expect(withVolume(made, (found) => found)).toBeDefined();
  });

  test("that is missing is drift, and made anew", async () => {
    const made = await make({ sizeGib: 1 });
    test1.compute.withMachine(addressOfHost(1), ({ volumes }) => Reflect.deleteProperty(volumes, made.id));
    onPool((images) => Reflect.deleteProperty(images, `volume-${made.id}`));

    expect(await test1.cloud.read("volume", made.id)).toMatchObject({
      outputs: { status: "error" },
      drift: [{ field: "volume", found: "missing", label: "data-loss" }],
    });
    await make({ sizeGib: 1 });
    expect(await test1.cloud.read("volume", made.id)).toMatchObject({
      outputs: { status: "available" },
      drift: [],
    });
  });

  test.each([
    [1, "grows it", "live"],
    [4, "stops, since volumes never shrink: set sizeGib to 4", undefined],
  ])("that has %d GiB in place of 2 is drift", async (gib, repair, label) => {
    const made = await make({ sizeGib: 2 });
    withVolume(made, (found) => {
      if (found !== undefined) found.sizeBytes = gib * bytesPerGib;
    });

    const view = await test1.cloud.read("volume", made.id);

    expect(view?.drift).toMatchObject([
      { field: "sizeGib", expected: "2 GiB", found: `${String(gib)} GiB`, repair },
    ]);
    expect(view?.drift[0]?.label).toBe(label);
  });

  test("whose holders no server accounts for is drift that is left alone", async () => {
    const made = await make({ sizeGib: 1 });
    withVolume(made, (found) => {
      if (found !== undefined) found.holders = ["client.4123 at 10.0.0.1:0/55"];
    });

    const drift = (await test1.cloud.read("volume", made.id))?.drift ?? [];

    expect(drift).toMatchObject([{ field: "holders", found: "client.4123 at 10.0.0.1:0/55" }]);
    expect(drift[0]).not.toHaveProperty("label");
  });

  test("counts with its snapshots in the quotas of its project", async () => {
    const project = await test1.make("project", "small", {
      quota: { volumes: 1, snapshots: 1, gigabytes: 4 },
    });
    const inputs = { project: project.id };
    const made = await make({ ...inputs, sizeGib: 2 });
    const refused = (name: string): object => ({
      code: "quota-exceeded",
      message: expect.stringContaining(`Quota exceeded for ${name}`) as unknown,
    });

    await expect(make({ ...inputs, sizeGib: 1 }, "more")).rejects.toMatchObject(refused("volumes"));
    await expect(make({ ...inputs, sizeGib: 5 })).rejects.toMatchObject(refused("gigabytes"));
    await test1.make("snapshot", "kept", { ...inputs, volume: made.id });
    await expect(make({ ...inputs, sizeGib: 3 })).rejects.toMatchObject(refused("gigabytes"));
    await expect(test1.make("snapshot", "more", { ...inputs, volume: made.id })).rejects.toMatchObject(
      refused("gigabytes, snapshots"),
    );
  });
});

describe("a plan is refused", () => {
  test("for a blank volume without a size", async () => {
    expect(await issuesOf(kinds.rbd)).toMatchObject([
      { code: "invalid-input", field: "sizeGib", message: "is missing: the volume is blank" },
    ]);
    expect(await issuesOf({ ...kinds.rbd, sizeGib: 0 })).toMatchObject([{ field: "sizeGib", value: 0 }]);
  });

  test("for a file on no host, and for a host where the volume is in a pool", async () => {
    expect(await issuesOf({ volumeType: fileType, sizeGib: 1 })).toMatchObject([
      { code: "invalid-input", field: "host", remedy: "Name the host, or choose a type with a storagePool." },
    ]);
    expect(await issuesOf({ ...kinds.rbd, host: hostId, sizeGib: 1 })).toMatchObject([
      {
        code: "invalid-input",
        field: "host",
        remedy: "Leave host out, or choose a type without a storagePool.",
      },
    ]);
  });

  test("for two sources", async () => {
    const { snapshot, volume } = await makeSource("rbd");
    const [image, all] = [world.image.id, { snapshot: snapshot.id, volume: volume.id }];

    expect(await issuesOf({ ...kinds.rbd, image, ...all, sizeGib: 2 })).toMatchObject([
      { field: "snapshot", message: "is set beside image" },
      { field: "volume", message: "is set beside image" },
    ]);
    expect(await issuesOf({ ...kinds.rbd, ...all, sizeGib: 2 })).toMatchObject([
      { field: "volume", message: "is set beside snapshot" },
    ]);
  });

  test("for an image without a disk", async () => {
    const kernel = await test1.make("image", "kernel", { kernel: { location: "/images/vmlinuz" } });

    expect(await issuesOf({ ...kinds.rbd, image: kernel.id, sizeGib: 1 })).toMatchObject([
      { code: "invalid-input", field: "image" },
    ]);
  });

  test.each(["snapshot", "volume"] as const)("for a %s in a place of another kind", async (source) => {
    const inPool = await makeSource("rbd");

    expect(await issuesOf({ ...kinds.file, [source]: inPool[source].id })).toMatchObject([
      {
        code: "invalid-input",
        field: source,
        message: 'lies elsewhere: volume "source" is in pool disks, and this one a file on host h1',
      },
    ]);
  });

  test("for a copy of a file on another host, and of a volume in another pool", async () => {
    const file = await test1.make("volume", "source", { ...kinds.file, sizeGib: 1 });
    test1.compute.addMachine(addressOfHost(2));
    const other = await test1.make("host", "h2", hostInputs(2));
    const pool = await test1.make("storage-pool", "more", {
      cluster: world.ceph.id,
      content: "volumes",
      pool: "more",
    });
    const otherType = await test1.make("volume-type", "more", { storagePool: pool.id });

    expect(await issuesOf({ volumeType: fileType, host: other.id, volume: file.id })).toMatchObject([
      {
        field: "volume",
        message: 'lies elsewhere: volume "source" is a file on host h1, and this one a file on host h2',
      },
    ]);
    expect(await issuesOf({ volumeType: otherType.id, volume: world.volume.id })).toMatchObject([
      {
        field: "volume",
        message: 'lies elsewhere: volume "data" is in pool disks, and this one in pool more',
      },
    ]);
  });

  test("for what is not there", async () => {
    expect(await issuesOf({ volumeType: nowhere, sizeGib: 1 })).toMatchObject([
      { code: "unknown-reference", field: "volumeType" },
    ]);
  });
});

test("a member makes volumes in pools, and names no host", async () => {
  const project = await test1.make("project", "shop");
  const member = await test1.logIn("ada", "member", project.id);

  const made = await test1.make("volume", "own", { ...kinds.rbd, sizeGib: 1 }, { cloud: member });

  expect(made.outputs["status"]).toBe("available");
  await expect(
    test1.make("volume", "file", { ...kinds.file, sizeGib: 1 }, { cloud: member }),
  ).rejects.toMatchObject({ code: "unknown-reference", field: "host" });
});

describe("with Ceph's fault", () => {
  /** What goes wrong in the cluster or with its client, and what puts it right. */
  const faults = {
    "no monitor answers": {
      code: "ceph-unreachable",
      set: (isOn: boolean) =>
        test1.compute.withCeph(textOf(world.ceph.inputs, "fsid"), (ceph) => {
          ceph.isDown = isOn;
        }),
    },
    "the key is another's": {
      code: "ceph-refused",
      set: (isOn: boolean) =>
        test1.compute.withCeph(textOf(world.ceph.inputs, "fsid"), ({ users }) => {
          for (const user of Object.values(users))
            user.key = isOn ? `not ${user.key}` : user.key.replace(/^not /, "");
        }),
    },
  } as const;

  describe.each(Object.entries(faults))("%s", (_, { code, set }) => {
    test("a volume is not made; the next apply makes it", async () => {
      set(true);
      await expect(test1.make("volume", "new", { ...kinds.rbd, sizeGib: 1 })).rejects.toMatchObject({ code });
      set(false);

      const made = await test1.make("volume", "new", { ...kinds.rbd, sizeGib: 1 });
      expect(await test1.cloud.read("volume", made.id)).toMatchObject({ drift: [] });
    });

    test.each(["volume", "snapshot"])(
      "a %s is neither absent nor sound, and is not removed",
      async (type) => {
        const kept = await makeSource("rbd");
        const { id } = type === "volume" ? kept.volume : kept.snapshot;
        set(true);

        await expect(test1.cloud.read(type, id)).rejects.toMatchObject({ code });
        if (type === "volume") await test1.cloud.read("host", hostId);
        await expect(test1.cloud.remove("snapshot", kept.snapshot.id)).rejects.toMatchObject({ code });

        set(false);
        expect(await test1.cloud.read(type, id)).toMatchObject({ drift: [] });
      },
    );

    test("a volume does not grow, and has the size that it had", async () => {
      const { volume } = await makeSource("rbd");
      set(true);
      await expect(test1.make("volume", "source", { ...kinds.rbd, sizeGib: 3 })).rejects.toMatchObject({
        code,
      });
      set(false);
      expect(withVolume(volume, (found) => found?.sizeBytes)).toBe(2 * bytesPerGib);
    });
  });

  test("a pool that is gone: drift, no apply, and a removal that ends", async () => {
    const { volume, snapshot } = await makeSource("rbd");
    test1.compute.withCeph(textOf(world.ceph.inputs, "fsid"), ({ pools }) =>
      Reflect.deleteProperty(pools, "disks"),
    );

    expect(await test1.cloud.read("volume", volume.id)).toMatchObject({
      outputs: { status: "error" },
      drift: [{ field: "volume", repair: "stops: the pool that it was in is not there" }],
    });
    expect(await test1.cloud.read("snapshot", snapshot.id)).toMatchObject({
      outputs: { status: "error" },
      drift: [{ field: "snapshot", found: "missing with its volume" }],
    });
    await expect(test1.make("volume", "new", { ...kinds.rbd, sizeGib: 1 })).rejects.toMatchObject({
      code: "not-found",
    });
    await test1.cloud.remove("snapshot", snapshot.id);
    await test1.cloud.remove("volume", volume.id);
  });

  test("an image of somebody else in its place is left alone", async () => {
    const made = await test1.make("volume", "new", { ...kinds.rbd, sizeGib: 1 });
    onPool((images) => {
      const found = images[`volume-${made.id}`];
      if (found !== undefined) Reflect.deleteProperty(found, "mark");
    });

    expect(await test1.cloud.read("volume", made.id)).toMatchObject({
      outputs: { status: "error" },
      drift: [{ field: "volume", expected: "this cloud's own" }],
    });
    await expect(test1.cloud.remove("volume", made.id)).rejects.toMatchObject({ code: "not-ours" });
    expect(withVolume(made, (found) => found)).toBeDefined();
  });
});
