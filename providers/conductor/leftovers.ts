import type { HostFailure, Leftover, LeftoverReport, LookOptions } from "../core/cloud.ts";
import { hasCode, StackyardError, toStackyardError } from "../core/errors.ts";
import type { Exclusive } from "../core/exclusive.ts";
import type { CloudId } from "../core/ids.ts";
import type { ComputeHost, LeftoversPort, MarkedThing } from "../core/ports.ts";
import type { World, WorldEntry } from "../core/resource.ts";
import type { RbdPlace } from "../core/volume-backend.ts";
import { listComputeHosts } from "../servers/host.ts";
import { networkKey } from "../servers/rewire.ts";
import { listHostIds, listInterfaces } from "../servers/server-view.ts";
import { serverInputs } from "../servers/server-fields.ts";
import type { Database } from "../store/database.ts";
import type { RecordMirror } from "../store/mirror.ts";
import { viewStore } from "../store/world.ts";
import { listVolumeUsers } from "../volumes/volume-use.ts";
import { isClient, listWatchedPlaces } from "../volumes/watched-place.ts";
import { askHosts } from "./host-waits.ts";
import { listAtWork, listInterrupted, type Interrupted } from "./interrupted.ts";

export interface LeftoverServices {
  readonly database: Database;
  readonly mirror: RecordMirror;
  readonly cloudId: CloudId;
  readonly leftovers: LeftoversPort;
  /** Across all processes on the store. */
  readonly exclusive: Exclusive;
}

/**
 * What carries the cloud's mark on a host, or in a pool that the host looks into, and belongs to no record there, and creations and removals that nobody
 * finishes. A host or a cluster that does not answer is a failure beside what the others and the store say.
 */
export async function listLeftovers(
  services: LeftoverServices,
  { signal = new AbortController().signal, onWaiting }: LookOptions,
): Promise<LeftoverReport> {
  const { database, mirror, cloudId, leftovers } = services;
  await mirror.refresh();
  const world = viewStore(mirror);
  const failures: HostFailure[] = [];
  const onHosts = await askHosts(listComputeHosts(world, cloudId), {
    nameOf: ({ name }) => name,
    onWaiting,
    ask: async (host) => {
      const isOwned = judgeOf(host, world);
      const looks = [
        leftovers.list(host, signal),
        ...listWatchedPlaces(host.id, world, cloudId).map((place) => listPool(services, host, place, signal)),
      ];
      const answers = await Promise.allSettled(looks);
      signal.throwIfAborted();
      const failed = answers.filter((answer) => answer.status === "rejected");
      // Of a host that cannot be looked at it is known why its pools cannot.
      for (const { reason } of answers[0]?.status === "rejected" ? failed.slice(0, 1) : failed) {
        failures.push({ host: host.name, error: toStackyardError(reason, `looking at host ${host.name}`) });
      }
      const things = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
      const atWork = await database.transaction().execute(listAtWork);
      return things.filter((thing) => !isOwned(thing, atWork)).map((thing) => toLeftover(host, thing));
    },
  });
  return { leftovers: [...onHosts.flat(), ...(await listAbandoned(database))], failures };
}

/** What is made when a network is wired. */
const wiredKinds: ReadonlySet<string> = new Set<MarkedThing["kind"]>(["network", "port", "tunnel"]);

/** Removes a leftover, if it still is one. What belongs to a network, while nobody wires it. */
export async function removeLeftover(
  services: LeftoverServices,
  leftover: Leftover,
  signal: AbortSignal,
): Promise<void> {
  const [networkId = ""] = leftover.id.split("/");
  const remove = (): Promise<void> => removeUnowned(services, leftover, signal);
  await (wiredKinds.has(leftover.kind)
    ? services.exclusive(networkKey(networkId), remove, { signal })
    : remove());
}

async function removeUnowned(
  services: LeftoverServices,
  leftover: Leftover,
  signal: AbortSignal,
): Promise<void> {
  const { database, mirror, cloudId, leftovers } = services;
  await mirror.refresh();
  const world = viewStore(mirror);
  const host = listComputeHosts(world, cloudId).find((candidate) => candidate.id === leftover.hostId);
  if (host === undefined)
    throw new StackyardError("not-found", {
      message: `host ${leftover.host} is not enrolled`,
      value: leftover.host,
    });
  const things = await (leftover.kind === "rbd-image"
    ? Promise.all(
        listWatchedPlaces(host.id, world, cloudId)
          .filter(({ clusterId, pool }) => leftover.id.startsWith(`${clusterId}/${pool}/`))
          .map((place) => listPool(services, host, place, signal)),
      )
    : leftovers.list(host, signal));
  const thing = things.flat().find(({ kind, id }) => kind === leftover.kind && id === leftover.id);
  if (thing === undefined) return;
  const atWork = await database.transaction().execute(listAtWork);
  if (judgeOf(host, world)(thing, atWork)) return;
  await leftovers.remove(host, thing, signal);
}

/** A pool that the cluster no longer has holds nothing; that it is gone is drift. */
async function listPool(
  { leftovers }: LeftoverServices,
  host: ComputeHost,
  place: RbdPlace,
  signal: AbortSignal,
): Promise<readonly MarkedThing[]> {
  try {
    return await leftovers.listPool(host, place, signal);
  } catch (error) {
    if (hasCode(error, "not-found")) return [];
    throw error;
  }
}

/**
 * Whether a thing on this host is some record's. What is half-made is its task's: an image is brought into a pool by tasks of the servers and
 * volumes that come from it.
 */
function judgeOf(
  host: ComputeHost,
  world: World,
): (thing: MarkedThing, atWork: ReadonlySet<string>) => boolean {
  const [onHost, inPools, opened] = [listOwned(host, world), listStored(world), listOpened(host, world)];
  return ({ kind, ownerIds, isHalfMade = false }, atWork) => {
    const owned = kind === "rbd-image" ? inPools : kind === "volume-secret" ? opened : onHost;
    if (!isHalfMade) return ownerIds.every((id) => owned.has(id));
    const isImage = ownerIds.some((id) => world.find("image", id) !== undefined);
    return isImage ? atWork.size > 0 : ownerIds.some((id) => atWork.has(id));
  };
}

/** Ids of the volumes that servers of a host have: it needs their keys. */
function listOpened(host: ComputeHost, world: World): ReadonlySet<string> {
  const isHere = (server: WorldEntry): boolean => listHostIds(server).includes(host.id);
  const used = world.all("volume").filter(({ id }) => listVolumeUsers(id, world).some(isHere));
  return new Set(used.map(({ id }) => id));
}

/** Ids of what may be in a pool, whichever host works on it. */
function listStored(world: World): ReadonlySet<string> {
  return new Set(["server", "volume", "image"].flatMap((type) => world.all(type).map(({ id }) => id)));
}

/**
 * Ids of what may be on this host: its servers with their ports and networks, its volumes, every image, every host as a tunnel's other end, the
 * clusters that it is a client of.
 */
function listOwned(host: ComputeHost, world: World): ReadonlySet<string> {
  const servers = world.all("server").filter((server) => listHostIds(server).includes(host.id));
  const interfaces = servers.flatMap((server) =>
    listInterfaces(serverInputs.parse(server.inputs), server.id, world),
  );
  return new Set<string>([
    ...servers.map((server) => server.id),
    ...interfaces.flatMap((nic) => [nic.port, nic.network]),
    ...world
      .all("volume")
      .filter(({ inputs }) => (inputs["host"] ?? host.id) === host.id)
      .map((volume) => volume.id),
    ...world
      .all("ceph-cluster")
      .filter((cluster) => isClient(host.id, cluster))
      .map((cluster) => cluster.id),
    ...world.all("image").map((image) => image.id),
    ...world.all("host").map((entry) => entry.id),
  ]);
}

function toLeftover(host: ComputeHost, thing: MarkedThing): Leftover {
  return { hostId: host.id, host: host.name, kind: thing.kind, id: thing.id, description: thing.description };
}

/** Records that an interrupted run was making or removing, as leftovers: an interrupted change leaves a resource that somebody owns. */
export async function listAbandoned(database: Database): Promise<readonly Leftover[]> {
  const interrupted = await database.transaction().execute((transaction) => listInterrupted(transaction));
  return interrupted.filter(({ was }) => was !== "change").map(toAbandoned);
}

function toAbandoned({ record, was }: Interrupted): Leftover {
  return {
    hostId: undefined,
    host: "-",
    kind: "record",
    id: record.id,
    description: `${record.type} ${JSON.stringify(record.name)}: its ${was} was interrupted`,
    interruption: { resource: { type: record.type, id: record.id, name: record.name }, was },
  };
}
