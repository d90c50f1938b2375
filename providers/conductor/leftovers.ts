import type { HostFailure, Leftover, LeftoverReport, LookOptions } from "../core/cloud.ts";
import { StackyardError, toStackyardError } from "../core/errors.ts";
import type { Exclusive } from "../core/exclusive.ts";
import type { CloudId } from "../core/ids.ts";
import type { ComputeHost, LeftoversPort, MarkedThing } from "../core/ports.ts";
import type { World } from "../core/resource.ts";
import { listComputeHosts } from "../servers/host.ts";
import { networkKey } from "../servers/rewire.ts";
import { listInterfaces } from "../servers/server-view.ts";
import { serverInputs } from "../servers/server-fields.ts";
import type { Database } from "../store/database.ts";
import type { RecordMirror } from "../store/mirror.ts";
import { viewStore } from "../store/world.ts";
import { askHosts } from "./host-waits.ts";
import { listInterrupted, type Interrupted } from "./interrupted.ts";

export interface LeftoverServices {
  readonly database: Database;
  readonly mirror: RecordMirror;
  readonly cloudId: CloudId;
  readonly leftovers: LeftoversPort;
  /** Across all processes on the store. */
  readonly exclusive: Exclusive;
}

/**
 * What carries the cloud's mark on a host and belongs to no record there, and creations and removals that nobody finishes. A host that does not
 * answer is a failure beside what the others and the store say.
 */
export async function listLeftovers(
  { database, mirror, cloudId, leftovers }: LeftoverServices,
  { signal = new AbortController().signal, onWaiting }: LookOptions,
): Promise<LeftoverReport> {
  await mirror.refresh();
  const world = viewStore(mirror);
  const failures: HostFailure[] = [];
  const onHosts = await askHosts(listComputeHosts(world, cloudId), {
    nameOf: ({ name }) => name,
    onWaiting,
    ask: async (host) => {
      const owned = listOwned(host, world);
      try {
        const things = await leftovers.list(host, signal);
        return things
          .filter((thing) => !thing.ownerIds.every((id) => owned.has(id)))
          .map((thing) => toLeftover(host, thing));
      } catch (cause) {
        signal.throwIfAborted();
        failures.push({ host: host.name, error: toStackyardError(cause, `looking at host ${host.name}`) });
        return [];
      }
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
  { mirror, cloudId, leftovers }: LeftoverServices,
  leftover: Leftover,
  signal: AbortSignal,
): Promise<void> {
  await mirror.refresh();
  const world = viewStore(mirror);
  const host = listComputeHosts(world, cloudId).find((candidate) => candidate.id === leftover.hostId);
  if (host === undefined)
    throw new StackyardError("not-found", {
      message: `host ${leftover.host} is not enrolled`,
      value: leftover.host,
    });
  const owned = listOwned(host, world);
  const things = await leftovers.list(host, signal);
  const thing = things.find((candidate) => candidate.kind === leftover.kind && candidate.id === leftover.id);
  if (thing === undefined || thing.ownerIds.every((id) => owned.has(id))) return;
  await leftovers.remove(host, thing, signal);
}

/** Ids of what may be on this host: its servers with their ports and networks, every image, every host as a tunnel's other end. */
function listOwned(host: ComputeHost, world: World): ReadonlySet<string> {
  const servers = world.all("server").filter((server) => server.outputs["hostId"] === host.id);
  const interfaces = servers.flatMap((server) =>
    listInterfaces(serverInputs.parse(server.inputs), server.id, world),
  );
  return new Set<string>([
    ...servers.map((server) => server.id),
    ...interfaces.flatMap((nic) => [nic.port, nic.network]),
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
