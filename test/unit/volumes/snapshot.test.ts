import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import { addressOfHost, makeFullWorld, TestCloud, textOf, type FullWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: FullWorld;
/** Inputs of a volume that is a file, without its size. */
let unsized: JsonObject;
let file: JsonObject;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeFullWorld(test1);
  const files = await test1.make("volume-type", "files");
  unsized = { volumeType: files.id, host: world.hosts[0]?.id };
  file = { ...unsized, sizeGib: 1 };
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

function withPool<T>(
  work: (pool: Parameters<Parameters<typeof test1.compute.withCeph>[1]>[0]["pools"][string]) => T,
): T {
  return test1.compute.withCeph(textOf(world.ceph.inputs, "fsid"), ({ pools }) => {
    const { disks } = pools;
    if (disks === undefined) throw new Error("the pool is gone");
    return work(disks);
  });
}

test("has the size that its volume had", async () => {
  const made = await test1.make("snapshot", "kept", { volume: world.volume.id });
  await test1.make("volume", "data", { volumeType: world.volumeType.id, sizeGib: 3 });

  const again = await test1.make("snapshot", "kept", { volume: world.volume.id, description: "old" });

  expect(made.outputs).toEqual({ status: "available", sizeGib: 1 });
  expect(again).toMatchObject({ id: made.id, outputs: { sizeGib: 1 } });
  expect(
    (await test1.make("volume", "clone", { volumeType: world.volumeType.id, snapshot: made.id })).inputs,
  ).toMatchObject({ sizeGib: 1 });
});

test("of a file makes volumes as large as the file is now, which has one size for all of them", async () => {
  const volume = await test1.make("volume", "file", file);
  const snapshot = await test1.make("snapshot", "kept", { volume: volume.id });
  await test1.make("volume", "file", { ...file, sizeGib: 2 });

  const made = await test1.make("volume", "copy", { ...unsized, snapshot: snapshot.id });

  expect(made.outputs["sizeGib"]).toBe(2);
});

test("keeps its volume", async () => {
  await test1.make("snapshot", "kept", { volume: world.volume.id });

  await expect(test1.cloud.remove("volume", world.volume.id)).rejects.toMatchObject({
    code: "in-use",
    message: 'volume "data" is used by snapshot "kept"',
  });
});

test("with a clone stays, and says which to flatten; then it goes", async () => {
  const snapshot = await test1.make("snapshot", "kept", { volume: world.volume.id });
  const clone = await test1.make("volume", "my clone", {
    volumeType: world.volumeType.id,
    snapshot: snapshot.id,
  });
  // As when the declaration has lost its source, and the apply of that has failed.
  test1.compute.fail("volumes.flattenVolume");
  await expect(
    test1.change(clone, "my clone", { volumeType: world.volumeType.id, sizeGib: 1 }),
  ).rejects.toMatchObject({ code: "command-failed" });

  expect((await test1.cloud.read("volume", clone.id))?.drift).toMatchObject([
    { field: "parent", expected: "none", label: "live" },
  ]);
  await expect(test1.cloud.remove("snapshot", snapshot.id)).rejects.toMatchObject({
    code: "in-use",
    message: expect.stringContaining(`disks/volume-${clone.id}`) as unknown,
    remedy: 'Flatten what lies on it, and run again: stackyard volume flatten "my clone"',
  });
  await test1.cloud.act("volume", clone.id, "flatten", {});
  await test1.cloud.remove("snapshot", snapshot.id);
  expect(await test1.cloud.read("snapshot", snapshot.id)).toBeUndefined();
});

describe("of a file that a process holds", () => {
  let volume: ResourceView;

  function hold(holders: readonly string[]): void {
    test1.compute.withMachine(addressOfHost(1), ({ volumes }) => {
      const disk = volumes[volume.id]?.disk;
      if (disk === undefined) throw new Error("the file is gone");
      disk.holders = holders;
    });
  }

  beforeEach(async () => {
    volume = await test1.make("volume", "file", file);
  });

  test("is not made, and nothing is left of it", async () => {
    hold(["qemu (process 7)"]);

    await expect(test1.make("snapshot", "kept", { volume: volume.id })).rejects.toMatchObject({
      code: "wrong-state",
      field: "volume",
      value: volume.id,
      remedy: expect.stringContaining("Stop the server") as unknown,
    });
    expect(await test1.cloud.list("snapshot")).toEqual([]);
  });

  test("is not removed", async () => {
    const { id } = await test1.make("snapshot", "kept", { volume: volume.id });
    hold(["qemu (process 7)"]);

    await expect(test1.cloud.remove("snapshot", id)).rejects.toMatchObject({
      code: "wrong-state",
      field: "volume",
    });
    hold([]);
    await test1.cloud.remove("snapshot", id);
  });
});

test("that is missing is drift, and made anew of what the volume holds", async () => {
  const made = await test1.make("snapshot", "kept", { volume: world.volume.id });
  withPool(({ images }) => {
    for (const { snapshots } of Object.values(images))
      Reflect.deleteProperty(snapshots, `snapshot-${made.id}`);
  });

  expect(await test1.cloud.read("snapshot", made.id)).toMatchObject({
    outputs: { status: "error" },
    drift: [{ field: "snapshot", found: "missing", label: "data-loss" }],
  });
  await test1.make("snapshot", "kept", { volume: world.volume.id });
  expect(await test1.cloud.read("snapshot", made.id)).toMatchObject({
    outputs: { status: "available" },
    drift: [],
  });
});
