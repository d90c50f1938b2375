import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ResourceView } from "../../../providers/core/cloud.ts";
import { makeExclusive, makeTogether } from "../../../providers/core/exclusive.ts";
import { brandId, newId } from "../../../providers/core/ids.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import type { World, WorldEntry } from "../../../providers/core/resource.ts";
import { definitions } from "../../../providers/registry.ts";
import { placeVolume } from "../../../providers/volumes/volume-place.ts";
import { listVolumeUsers } from "../../../providers/volumes/volume-use.ts";
import { volume as definition } from "../../../providers/volumes/volume.ts";
import { addressOfHost, makeFullWorld, TestCloud, textOf, type FullWorld } from "../../support/cloud.ts";

const bytesPerGib = 2 ** 30;

let test1: TestCloud;
let small: FullWorld;
let server: ResourceView;
let entries: readonly WorldEntry[];

beforeEach(async () => {
  test1 = await TestCloud.open();
  small = await makeFullWorld(test1);
  server = await test1.make("server", "web", small.server);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** The cloud's resources, and these beside them or in place of those with their ids. */
async function worldWith(...others: readonly WorldEntry[]): Promise<World> {
  const views = await Promise.all(definitions.map(({ type }) => test1.cloud.list(type)));
  const own = views.flat().map(({ record }) => record);
  entries = [...own.filter(({ id }) => others.every((other) => other.id !== id)), ...others];
  return {
    find: (type, id) => entries.find((entry) => entry.type === type && entry.id === id),
    all: (type) => entries.filter((entry) => entry.type === type),
    holder: () => undefined,
  };
}

function attachmentOf(volumeId: string): WorldEntry {
  const inputs = { server: server.id, volume: volumeId };
  return { id: newId(), type: "volume-attachment", name: "disk", projectId: null, inputs, outputs: {} };
}

function booting(volumeId: string): WorldEntry {
  return { ...server.record, inputs: { ...server.record.inputs, bootVolume: { volume: volumeId } } };
}

/** What a step of the volume, or looking at it, is given. */
function contextOf({ record }: ResourceView, world: World, changed: JsonObject = {}) {
  const cloudId = test1.compute.withMachine(addressOfHost(1), ({ enrolment }) => enrolment?.cloudId ?? "");
  const refuse = (): Promise<never> => Promise.reject(new Error("a volume is placed by its type"));
  const { hosts, images, switching, domains, ceph, volumes } = test1.compute;
  const exclusive = makeExclusive();
  const inputs = definition.inputs.parse({ ...record.inputs, ...changed });
  return {
    record: { ...record, inputs, outputs: definition.outputs.parse(record.outputs), applied: inputs },
    inputs,
    outputs: definition.outputs.parse(record.outputs),
    ports: {
      ...{ hosts, images, switching, domains, ceph, volumes },
      placement: { publish: refuse, withdraw: refuse, claim: refuse, release: refuse },
    },
    world,
    signal: new AbortController().signal,
    cloudId: brandId<"cloud">(cloudId),
    taskId: brandId<"task">(newId()),
    validateToken: () => Promise.resolve(),
    exclusive,
    together: makeTogether(exclusive),
    progress: () => undefined,
    trace: async <T>(_number: number, work: () => Promise<T> | T): Promise<T> => work(),
  };
}

function makeFile(sizeGib: number): Promise<ResourceView> {
  return test1
    .make("volume-type", "files")
    .then(({ id }) => test1.make("volume", "file", { volumeType: id, host: small.hosts[0]?.id, sizeGib }));
}

function liveOf(): unknown {
  return test1.compute.withMachine(addressOfHost(1), ({ domains }) => domains[server.id]?.live);
}

async function grow(volume: ResourceView, world: World, sizeGib: number): Promise<readonly string[]> {
  test1.compute.calls.length = 0;
  const [step] = definition.reconcile;
  expect(await step?.run(contextOf(volume, world, { sizeGib }))).toMatchObject({ sizeGib });
  return test1.compute.changes.map(({ method }) => method);
}

test("the servers that have a volume are those it is attached to, and the one that boots it", async () => {
  const { id } = small.volume;

  const users = listVolumeUsers(id, await worldWith(attachmentOf(id), attachmentOf(newId()), booting(id)));

  expect(users).toMatchObject([
    { server: { id: server.id }, diskId: id },
    { server: { id: server.id }, diskId: server.id },
  ]);
  expect(listVolumeUsers(id, await worldWith())).toEqual([]);
});

test.each(["attached", "booted"])(
  "a volume that is %s is in use, and who holds it is no drift",
  async (how) => {
    const { volume } = small;
    const other = how === "attached" ? attachmentOf(volume.id) : booting(volume.id);
    const world = await worldWith(other);
    test1.compute.withCeph(textOf(small.ceph.inputs, "fsid"), ({ pools }) => {
      const image = pools["disks"]?.images[`volume-${volume.id}`];
      if (image !== undefined) image.holders = ["client.4123 at 10.0.0.1:0/55"];
    });

    expect(await definition.observe?.(contextOf(volume, world))).toEqual({
      outputs: { status: "in-use" },
      drift: [],
    });
  },
);

describe("a volume that grows", () => {
  test("in a pool, is grown there, and its guest is told", async () => {
    const { volume } = small;
    const world = await worldWith(attachmentOf(volume.id));
    const context = contextOf(volume, world);
    const { host, ref, qos } = placeVolume(volume.record, world, context.cloudId);
    const attached = { volume: ref, device: "vdb", isReadOnly: false, isShared: false, qos };
    await test1.compute.domains.attachVolume(host, server.id, attached, context.signal);

    expect(await grow(volume, world, 2)).toEqual(["volumes.growVolume", "domains.resizeVolume"]);
    expect(liveOf()).toMatchObject({ volumes: [{ id: volume.id, sizeBytes: 2 * bytesPerGib }] });
  });

  test("and is about to be attached, is grown all the same", async () => {
    const { volume } = small;
    const world = await worldWith(attachmentOf(volume.id));

    expect(await grow(volume, world, 2)).toEqual(["volumes.growVolume", "domains.resizeVolume"]);
  });

  test("as a file that a server holds, is grown by that server alone", async () => {
    const volume = await makeFile(1);
    const world = await worldWith(attachmentOf(volume.id));
    const context = contextOf(volume, world);
    const { host, ref, qos } = placeVolume(volume.record, world, context.cloudId);
    const attached = { volume: ref, device: "vdb", isReadOnly: false, isShared: false, qos };
    await test1.compute.domains.attachVolume(host, server.id, attached, context.signal);
    test1.compute.withMachine(addressOfHost(1), ({ volumes }) => {
      const disk = volumes[volume.id]?.disk;
      if (disk !== undefined) disk.holders = ["qemu-system-x86 (process 412)"];
    });

    expect(await grow(volume, world, 2)).toEqual(["domains.resizeVolume"]);
    expect(liveOf()).toMatchObject({ volumes: [{ id: volume.id, sizeBytes: 2 * bytesPerGib }] });
  });

  test("as a file of a server that is off, is grown as any other", async () => {
    const volume = await makeFile(1);
    await test1.cloud.act("server", server.id, "stop", {});
    const world = await worldWith(attachmentOf(volume.id));

    expect(await grow(volume, world, 2)).toEqual(["volumes.growVolume", "domains.resizeVolume"]);
    test1.compute.withMachine(addressOfHost(1), ({ volumes }) =>
      expect(volumes[volume.id]?.disk?.sizeBytes).toBe(2 * bytesPerGib),
    );
  });

  test("as a server's root disk, is shown to that guest under the server's id", async () => {
    const volume = await makeFile(1);
    const world = await worldWith(booting(volume.id));
    test1.compute.withMachine(addressOfHost(1), ({ folders }) => {
      folders[server.id] = { console: [], disk: { sizeBytes: bytesPerGib } };
    });

    await grow(volume, world, 3);

    test1.compute.withMachine(addressOfHost(1), ({ folders }) =>
      expect(folders[server.id]?.disk?.sizeBytes).toBe(3 * bytesPerGib),
    );
  });

  test("as a file that something else holds, is refused", async () => {
    const volume = await makeFile(1);
    test1.compute.withMachine(addressOfHost(1), ({ volumes }) => {
      const disk = volumes[volume.id]?.disk;
      if (disk !== undefined) disk.holders = ["qemu-img (process 9)"];
    });

    await expect(grow(volume, await worldWith(), 2)).rejects.toMatchObject({
      code: "wrong-state",
      message: expect.stringContaining("process 9") as unknown,
    });
  });
});
