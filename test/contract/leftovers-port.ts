import { beforeAll, describe, expect, test } from "vitest";
import { deriveId } from "../../providers/core/ids.ts";
import type {
  CachedImage,
  ComputeHost,
  DomainSpec,
  LeftoversPort,
  MarkedThing,
  NetworkSpec,
} from "../../providers/core/ports.ts";
import type { VolumeRef } from "../../providers/core/volume-backend.ts";
import { network, portOf } from "../support/compute-specimens.ts";
import type { ComputeStage } from "./compute-ports.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;

const strayNetwork: NetworkSpec = {
  ...network,
  id: deriveId<"resource">("stray network"),
  vni: 1002,
  localVlan: 2,
};

/** Begins and ends with hosts that are enrolled and have nothing else. */
export function describeLeftoversPort(onStage: () => ComputeStage): void {
  describe("leftovers", () => {
    let stage: ComputeStage;
    let leftovers: LeftoversPort;
    let host: ComputeHost;
    let peer: ComputeHost;
    let cached: CachedImage;
    let server: DomainSpec;
    const volume: VolumeRef = { place: { backend: "file" }, id: deriveId<"resource">("left volume") };

    beforeAll(async () => {
      stage = onStage();
      const { images, switching, domains, volumes } = stage.compute;
      leftovers = stage.compute.leftovers;
      [host, peer] = stage.hosts;
      cached = await images.ensureCached(host, stage.image, silent, signal);
      server = stage.domainOf(1, cached);
      await switching.ensureNetwork(host, network, [peer], [portOf(1)], signal);
      await domains.spawn(host, server, false, signal);
      await volumes.ensureVolume(host, { ...volume, sizeGib: 1, source: { kind: "blank" } }, silent, signal);
    });

    const volumeThing: MarkedThing = {
      kind: "volume",
      id: volume.id,
      ownerIds: [volume.id],
      description: "volume",
    };

    async function list(): Promise<readonly string[]> {
      return (await leftovers.list(host, signal)).map(describeThing).toSorted();
    }

    /** Each twice: it may be gone by then. */
    async function remove(things: readonly MarkedThing[]): Promise<void> {
      for (const thing of [...things, ...things]) await leftovers.remove(host, thing, signal);
    }

    test("what carries the cloud's mark is listed, with whom it is for", async () => {
      expect(await list()).toEqual(
        [
          `server ${server.id}`,
          `image ${stage.image.id}`,
          `network ${network.id}`,
          `port ${network.id} ${portOf(1).id}`,
          `tunnel ${network.id} ${peer.id}`,
          `volume ${volume.id}`,
        ].toSorted(),
      );
    });

    test("nothing is listed for another cloud, nor on its host", async () => {
      const other = { ...host, cloudId: deriveId<"cloud">("another") };
      expect(await leftovers.list(other, signal)).toEqual([]);
    });

    test("what only lies in the folder is listed while the folder has its mark", async () => {
      await stage.meddle(host.id, "remove its mark");
      const kinds = (await leftovers.list(host, signal)).map(({ kind }) => kind);
      expect(kinds.toSorted()).toEqual(["network", "server", "tunnel"]);
      await stage.compute.hosts.enrol(stage.requests[0], silent, signal);
    });

    test("a volume that is half-made is listed as such, and goes when it still is", async () => {
      const half: VolumeRef = { ...volume, id: deriveId<"resource">("half-made volume") };
      await stage.meddle(half.id, "leave it half-made");
      const things = (await leftovers.list(host, signal)).filter(({ kind }) => kind === "volume");
      expect(things.map(({ id, isHalfMade }) => [id, isHalfMade]).toSorted()).toEqual(
        [
          [volume.id, false],
          [half.id, true],
        ].toSorted(),
      );
      await remove(things.filter(({ id }) => id === half.id).concat({ ...volumeThing, isHalfMade: true }));
      expect((await leftovers.list(host, signal)).filter(({ kind }) => kind === "volume")).toMatchObject([
        { id: volume.id },
      ]);
    });

    test("a volume stays while it has snapshots, which are named", async () => {
      const { volumes } = stage.compute;
      const snapshotId = deriveId<"resource">("snapshot");
      await volumes.ensureSnapshot(host, volume, snapshotId, signal);
      await expect(leftovers.remove(host, volumeThing, signal)).rejects.toMatchObject({
        code: "in-use",
        message: expect.stringContaining(`snapshot-${snapshotId}`) as unknown,
      });
      await volumes.removeSnapshot(host, volume, snapshotId, signal);
    });

    test("disks whose domain is gone are the server's", async () => {
      await stage.meddle(server.id, "undefine");
      expect(await list()).toContain(`server ${server.id}`);
      await stage.compute.domains.spawn(host, server, false, signal);
    });

    test("what is removed goes with all its parts, and nothing else goes", async () => {
      const { domains, switching } = stage.compute;
      const before = await list();
      const made = await stage.survey();
      await domains.spawn(host, { ...stage.domainOf(7, cached), interfaces: [] }, false, signal);
      const strayPort = { ...portOf(7), networkId: strayNetwork.id };
      await switching.ensureNetwork(host, strayNetwork, [], [strayPort], signal);
      const strays = (await leftovers.list(host, signal)).filter(
        (thing) => !before.includes(describeThing(thing)),
      );
      expect(strays.map(({ kind }) => kind).toSorted()).toEqual(["network", "port", "server"]);
      await remove(strays);
      expect(await stage.survey()).toBe(made);
    });

    test("a domain of somebody else is not removed", async () => {
      const { id } = stage.domainOf(5, cached);
      await stage.meddle(id, "define a foreign domain");
      const thing = { kind: "server", id, ownerIds: [id], description: "server" } as const;
      await expect(leftovers.remove(host, thing, signal)).rejects.toMatchObject({ code: "not-ours" });
      await stage.meddle(id, "undefine");
    });

    test("a host that does not answer is an error, never an empty list", async () => {
      await expect(leftovers.list(stage.gone, signal)).rejects.toMatchObject({ code: "host-unreachable" });
    });

    test("all that is listed can be removed", async () => {
      await remove(await leftovers.list(host, signal));
      expect(await list()).toEqual([]);
      await remove(await leftovers.list(peer, signal));
    });
  });
}

function describeThing({ kind, ownerIds }: MarkedThing): string {
  return [kind, ...ownerIds].join(" ");
}
