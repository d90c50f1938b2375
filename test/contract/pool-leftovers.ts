import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deriveId } from "../../providers/core/ids.ts";
import type { LeftoversPort, MarkedThing } from "../../providers/core/ports.ts";
import type { ImportedImage, RbdPlace, VolumeRef, VolumesPort } from "../../providers/core/volume-backend.ts";
import type { VolumeStage } from "./volumes-port.ts";

/** A host that is a client of a cluster with two pools, of which both are empty, and the hands of somebody who knows them. */
export interface PoolStage extends Pick<
  VolumeStage,
  "volumes" | "host" | "images" | "hold" | "leaveHalf" | "close"
> {
  readonly leftovers: LeftoversPort;
  readonly place: RbdPlace;
  /** Where images are. */
  readonly imagePlace: RbdPlace;
  /** Of a cluster that does not answer. */
  readonly deaf: RbdPlace;
  /** Makes an image of this name in the pool of volumes as somebody else would. */
  makeForeign(name: string): Promise<void>;
  removeForeign(name: string): Promise<void>;
}

const { signal } = new AbortController();
const silent = (): void => undefined;

/** What gc finds and removes in pools. Begins and ends with pools that are empty. */
export function describePoolLeftovers(name: string, open: () => Promise<PoolStage>): void {
  describe(name, () => {
    let stage: PoolStage;
    let leftovers: LeftoversPort;
    let volumes: VolumesPort;
    let image: ImportedImage;
    let server: VolumeRef;
    let volume: VolumeRef;
    const foreign = `volume-${deriveId<"resource">("foreign volume")}`;
    const snapshotId = deriveId<"resource">("snapshot");

    beforeAll(async () => {
      stage = await open();
      ({ leftovers, volumes } = stage);
      const { host, place, imagePlace } = stage;
      const [imageId, serverId] = [deriveId<"resource">("left image"), deriveId<"resource">("left server")];
      image = { ...stage.images.raw, id: imageId, name: imageId };
      server = { place, id: serverId, name: `${serverId}_disk` };
      volume = { place, id: deriveId<"resource">("left volume") };
      const parent = await volumes.importImage(host, imagePlace, image, silent, signal);
      const source = { kind: "parent", parent } as const;
      await volumes.ensureVolume(host, { ...server, sizeGib: 1, source }, silent, signal);
      await volumes.ensureVolume(host, { ...volume, sizeGib: 1, source: { kind: "blank" } }, silent, signal);
      await stage.makeForeign(foreign);
    }, 120_000);

    afterAll(() => stage.close(), 60_000);

    async function list(place: RbdPlace): Promise<readonly string[]> {
      return (await leftovers.listPool(stage.host, place, signal)).map(describeThing).toSorted();
    }

    async function find(place: RbdPlace, id: string, isHalfMade = false): Promise<MarkedThing> {
      const things = await leftovers.listPool(stage.host, place, signal);
      const found = things.find((thing) => thing.ownerIds.includes(id) && thing.isHalfMade === isHalfMade);
      if (found === undefined) throw new Error(`nothing of ${id} is listed`);
      return found;
    }

    /** Twice: it may be gone by then. */
    async function remove(thing: MarkedThing): Promise<void> {
      for (const each of [thing, thing]) await leftovers.remove(stage.host, each, signal);
    }

    test("disks, volumes and images with the mark are listed, with whom they are for", async () => {
      const { place, imagePlace } = stage;
      const { clusterId } = place;
      expect(await list(imagePlace)).toEqual([`rbd-image ${clusterId}/images/${image.name} ${image.id}`]);
      expect(await list(place)).toEqual(
        [
          `rbd-image ${clusterId}/volumes/${server.id}_disk ${server.id}`,
          `rbd-image ${clusterId}/volumes/volume-${volume.id} ${volume.id}`,
        ].toSorted(),
      );
    });

    test("nothing is listed for another cloud, and a pool or a cluster that does not answer is no empty one", async () => {
      const { host, place, deaf } = stage;
      await expect(leftovers.listPool(host, { ...place, pool: "nowhere" }, signal)).rejects.toMatchObject({
        code: "not-found",
      });
      await expect(leftovers.listPool(host, deaf, signal)).rejects.toMatchObject({
        code: "ceph-unreachable",
      });
      const other = { ...host, cloudId: deriveId<"cloud">("another") };
      await expect(leftovers.listPool(other, place, signal)).rejects.toMatchObject({ code: "ceph-refused" });
    });

    test("what is half-made goes, and what is whole beside it stays", async () => {
      const { host, place } = stage;
      const before = await list(place);
      await stage.leaveHalf(volume);
      const half = await find(place, volume.id, true);
      expect(half).toMatchObject({ description: expect.stringContaining("half-made") as unknown });
      expect(half.id).not.toBe((await find(place, volume.id)).id);
      await remove(half);
      expect(await list(place)).toEqual(before);
      expect(await volumes.observeVolume(host, volume, signal)).toMatchObject({ sizeBytes: 1024 ** 3 });
    });

    test("an image stays while disks lie on it, which are named", async () => {
      const { host, imagePlace } = stage;
      await expect(leftovers.remove(host, await find(imagePlace, image.id), signal)).rejects.toMatchObject({
        code: "in-use",
        message: expect.stringContaining(`volumes/${server.id}_disk`) as unknown,
      });
      expect(await volumes.findImage(host, imagePlace, image, signal)).toBeDefined();
    });

    test("a volume stays while it has snapshots, or somebody has it open, and they are named, with what lies on them", async () => {
      const { host, place } = stage;
      const thing = await find(place, volume.id);
      await volumes.ensureSnapshot(host, volume, snapshotId, signal);
      const clone = { place, id: deriveId<"resource">("clone") };
      const source = { kind: "snapshot", volume, snapshotId } as const;
      await volumes.ensureVolume(host, { ...clone, sizeGib: 1, source }, silent, signal);
      const named = new RegExp(`snapshot-${snapshotId}.*volumes/volume-${clone.id}`);
      await expect(leftovers.remove(host, thing, signal)).rejects.toMatchObject({
        code: "in-use",
        message: expect.stringMatching(named) as unknown,
      });
      await volumes.removeVolume(host, clone, signal);
      await volumes.removeSnapshot(host, volume, snapshotId, signal);
      const letGo = await stage.hold(volume);
      const holder = (await volumes.observeVolume(host, volume, signal))?.holders[0] ?? "a holder";
      await expect(leftovers.remove(host, thing, signal)).rejects.toMatchObject({
        code: "in-use",
        message: expect.stringContaining(holder) as unknown,
      });
      await letGo();
      expect(await volumes.observeVolume(host, volume, signal)).toMatchObject({ snapshots: [], holders: [] });
    });

    test("an image of somebody else is not removed", async () => {
      const { host, place } = stage;
      const id = deriveId<"resource">("foreign volume");
      const thing: MarkedThing = {
        kind: "rbd-image",
        id: `${place.clusterId}/volumes/${foreign}`,
        ownerIds: [id],
        description: "an image",
        image: { place, id },
      };
      await expect(leftovers.remove(host, thing, signal)).rejects.toMatchObject({ code: "not-ours" });
      await stage.removeForeign(foreign);
    });

    test("all that is listed can be removed", async () => {
      const { host, place, imagePlace } = stage;
      for (const pool of [place, imagePlace])
        for (const thing of await leftovers.listPool(host, pool, signal)) await remove(thing);
      expect([await list(place), await list(imagePlace)]).toEqual([[], []]);
      expect(await volumes.observeVolume(host, server, signal)).toBeUndefined();
      expect(await volumes.findImage(host, imagePlace, image, signal)).toBeUndefined();
    });
  });
}

function describeThing({ kind, id, ownerIds }: MarkedThing): string {
  return [kind, id, ...ownerIds].join(" ");
}
