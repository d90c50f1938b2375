import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import { addressOfHost, makeFullWorld, TestCloud, textOf, type FullWorld } from "../../support/cloud.ts";

const bytesPerGib = 2 ** 30;

let test1: TestCloud;
let world: FullWorld;
/** By the kind of a volume: its inputs but for the size. */
let kinds: Readonly<Record<"rbd" | "file", JsonObject>>;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeFullWorld(test1);
  const files = await test1.make("volume-type", "files");
  kinds = {
    rbd: { volumeType: world.volumeType.id },
    file: { volumeType: files.id, host: world.hosts[0]?.id },
  };
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

function liveOf({ id }: ResourceView): unknown {
  return test1.compute.withMachine(addressOfHost(1), ({ domains }) => domains[id]?.live);
}

/** Grows the volume to 2 GiB, and gives what that did on hosts. */
async function grow(inputs: JsonObject): Promise<readonly string[]> {
  test1.compute.calls.length = 0;
  expect(await test1.make("volume", "disk", { ...inputs, sizeGib: 2 })).toMatchObject({
    outputs: { sizeGib: 2, status: "in-use" },
  });
  return test1.compute.changes.map(({ method }) => method);
}

describe.each(["rbd", "file"] as const)("a volume in %s that a server has", (kind) => {
  let volume: ResourceView;
  let attachment: ResourceView;

  beforeEach(async () => {
    volume = await test1.make("volume", "disk", { ...kinds[kind], sizeGib: 1 });
    attachment = await test1.make("volume-attachment", "disk", {
      server: world.instance.id,
      volume: volume.id,
    });
  });

  test("is in use until it is detached, and who holds it is no drift", async () => {
    expect(await test1.cloud.read("volume", volume.id)).toMatchObject({
      outputs: { status: "in-use" },
      drift: [],
    });
    await test1.cloud.remove("volume-attachment", attachment.id);
    expect(await test1.cloud.read("volume", volume.id)).toMatchObject({
      outputs: { status: "available" },
      drift: [],
    });
  });

  test("is not removed", async () => {
    await expect(test1.cloud.remove("volume", volume.id)).rejects.toMatchObject({
      code: "in-use",
      message: expect.stringContaining('volume "disk" is used by volume-attachment') as unknown,
    });
  });

  test("grows, and the guest is told", async () => {
    const done = await grow(kinds[kind]);

    // A file that a server holds is grown by that server.
    const own = kind === "rbd" ? ["volumes.growVolume"] : [];
    expect(done).toEqual([...own, "domains.resizeVolume"]);
    expect(liveOf(world.instance)).toMatchObject({
      volumes: [{ id: volume.id, sizeBytes: 2 * bytesPerGib }],
    });
  });

  test("grows while the server is off", async () => {
    await test1.cloud.act("server", world.instance.id, "stop", {});

    expect(await grow(kinds[kind])).toEqual(["volumes.growVolume", "domains.resizeVolume"]);
    expect((await test1.cloud.read("volume", volume.id))?.drift).toEqual([]);
  });

  test("and that somebody has made larger, is not said to be smaller", async () => {
    test1.compute.withMachine(addressOfHost(1), ({ volumes }) => {
      const disk = volumes[volume.id]?.disk;
      if (disk !== undefined) disk.sizeBytes = 4 * bytesPerGib;
    });
    test1.compute.withCeph(textOf(world.ceph.inputs, "fsid"), ({ pools }) => {
      const image = pools["disks"]?.images[`volume-${volume.id}`];
      if (image !== undefined) image.sizeBytes = 4 * bytesPerGib;
    });

    await expect(test1.make("volume", "disk", { ...kinds[kind], sizeGib: 2 })).rejects.toMatchObject({
      code: "invalid-input",
      field: "sizeGib",
    });
    await test1.make("volume", "disk", { ...kinds[kind], sizeGib: 4 });
    expect((await test1.cloud.read("volume", volume.id))?.drift).toEqual([]);
  });

  test("whose guest could not be told, is right with the next apply", async () => {
    test1.compute.fail("domains.resizeVolume");

    await expect(test1.make("volume", "disk", { ...kinds[kind], sizeGib: 2 })).rejects.toMatchObject({
      code: "command-failed",
    });
    await test1.make("volume", "disk", { ...kinds[kind], sizeGib: 2 });

    expect(liveOf(world.instance)).toMatchObject({
      volumes: [{ id: volume.id, sizeBytes: 2 * bytesPerGib }],
    });
  });
});

test("a volume that a server boots is in use, and grows as the root disk that it is", async () => {
  const volume = await test1.make("volume", "disk", { ...kinds.rbd, image: world.image.id });
  const server = await test1.make("server", "booted", {
    ...world.server,
    image: undefined,
    networks: [],
    bootVolume: { volume: volume.id },
  });

  expect(await grow({ ...kinds.rbd, image: world.image.id })).toEqual([
    "volumes.growVolume",
    "domains.resizeVolume",
  ]);
  expect(liveOf(server)).toMatchObject({ rootBytes: 2 * bytesPerGib });
});

test("a file that something else holds does not grow", async () => {
  const volume = await test1.make("volume", "disk", { ...kinds.file, sizeGib: 1 });
  test1.compute.withMachine(addressOfHost(1), ({ volumes }) => {
    const disk = volumes[volume.id]?.disk;
    if (disk !== undefined) disk.holders = ["qemu-img (process 9)"];
  });

  await expect(test1.make("volume", "disk", { ...kinds.file, sizeGib: 2 })).rejects.toMatchObject({
    code: "wrong-state",
    message: expect.stringContaining("process 9") as unknown,
  });
});
