import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import { brandId, type HostId } from "../core/ids.ts";
import { textOf, type JsonObject } from "../core/json.ts";
import type { ComputeHost, DomainSpec } from "../core/ports.ts";
import type { Step, StepContext, TaskAction, World, WorldEntry } from "../core/resource.ts";
import { toImageSpec } from "../images/image.ts";
import { disksKey } from "../volumes/attached-volume.ts";
import { requireCluster } from "../volumes/ceph-cluster.ts";
import { rejectReach } from "../volumes/volume-place.ts";
import { findBootImage, listStorageHosts } from "./boot-source.ts";
import { toComputeHost } from "./host.ts";
import type { ServerInputs, ServerOutputs } from "./server-fields.ts";
import { ensureNetwork, releaseInterfaces } from "./server-networks.ts";
import { giveKeys, takeKeys } from "./volume-keys.ts";
import { listInterfaces, placeServer, readFlavor, requireHost, toDomainSpec } from "./server-view.ts";

type Context = StepContext<ServerInputs, ServerOutputs>;
type ServerStep = Step<ServerInputs, ServerOutputs>;
/** A move that a server's record tells of. */
export type Migration = NonNullable<ServerOutputs["migration"]>;

/** How long a move may take a GiB of memory, and at least (nova: `live_migration_completion_timeout`). */
const secondsPerGib = 800;

/** Inputs that name where to a server moves. */
export const targetInput = {
  host: field(z.string().min(1).optional(), {
    doc: "Name or id of the host to move to. Default: the scheduler chooses one.",
  }),
};

/**
 * Moves a guest that is on to another host (nova: conductor/tasks/live_migrate.py, virt/libvirt/driver.py `_live_migration`). Its disks stay where they
 * are: all of them must lie in pools.
 */
export const liveMigrate: TaskAction<ServerInputs, ServerOutputs> = {
  doc: "Moves a running server to another host, while it runs. All its disks must lie in pools. Its claim moves along; its declaration stays.",
  role: "admin",
  input: z.strictObject({
    ...targetInput,
    timeoutSeconds: field(z.int().min(1).max(86_400).optional(), {
      doc: `Longest that it may take; then the guest stays where it is. Default ${String(secondsPerGib)} a GiB of memory.`,
    }),
  }),
  begin: async (context, input) => {
    const { inputs, outputs, record, world, cloudId, ports, signal } = context;
    refuseMoving(context);
    const source = requireHost(outputs, world, cloudId);
    const spec = toDomainSpec(record, inputs, outputs, world, cloudId);
    refuseFiles(record.name, spec, source);
    const found = await ports.domains.observe(source, spec, signal);
    if (found?.state !== "running")
      throw new StackyardError("wrong-state", {
        message: `server ${JSON.stringify(record.name)} cannot be moved while it runs: it is ${found?.state ?? "not there"}`,
        remedy: "Start it first.",
      });
    const toHostId = await chooseTarget(context, source, input, rejectGuestOf(source));
    await refuseLeftover(context, toHostId, spec);
    const { ramMib } = readFlavor(inputs.flavor, world);
    const given = input["timeoutSeconds"];
    const limitSeconds =
      typeof given === "number" ? given : Math.ceil(Math.max(1, ramMib / 1024)) * secondsPerGib;
    return { migration: { kind: "live", fromHostId: source.id, toHostId, limitSeconds } };
  },
  steps: [
    { name: "claim", run: (context) => claimTarget(context).then(() => undefined) },
    { name: "image", run: (context) => bringBootFiles(context).then(() => undefined) },
    { name: "ports", run: (context) => wireTarget(context).then(() => undefined) },
    {
      name: "files",
      run: async (context) => {
        const { source, target } = requirePlaces(context);
        await giveKeys(context, target);
        await context.ports.domains.copyFiles(source, target, context.record.id, context.signal);
        return undefined;
      },
    },
    { name: "migrate", run: migrateGuest },
    { name: "settle", run: settleMigration },
  ],
  settle: settleMigration,
  answer: tellHost,
};

/** Where the server is now. */
export function tellHost({ hostId, host }: Partial<ServerOutputs>): JsonObject {
  return { hostId: hostId ?? null, host: host ?? null };
}

/** The target has room for the server beside what it has. */
export async function claimTarget(context: Context): Promise<void> {
  const { toHostId } = requireMigration(context);
  await context.ports.placement.claimTarget(context.record.id, brandId(toHostId));
}

/** Raises `wrong-state` for a server that is in a move already. */
export function refuseMoving({ outputs, record, world }: Context): void {
  if (outputs.migration === undefined) return;
  const to = world.find("host", outputs.migration.toHostId)?.name ?? outputs.migration.toHostId;
  throw new StackyardError("wrong-state", {
    message: `server ${JSON.stringify(record.name)} is in a move to host ${to} that was broken off`,
    remedy: "Apply the server: that brings the move to an end.",
  });
}

/** Raises `host-unsuitable` for a server with a disk that is a file of its host, and names the disk. */
export function refuseFiles(name: string, spec: DomainSpec, host: ComputeHost): void {
  const hasFile = spec.rootVolume === undefined && (spec.image.diskPath !== undefined || spec.diskGib > 0);
  const files = [
    ...(hasFile || spec.rootVolume?.place.backend === "file" ? ["its root disk"] : []),
    ...(spec.volumes ?? [])
      .filter(({ volume }) => volume.place.backend === "file")
      .map(({ volume, device }) => `volume ${volume.id} (${device})`),
  ];
  if (files.length === 0) return;
  throw new StackyardError("host-unsuitable", {
    message: `server ${JSON.stringify(name)} cannot leave host ${host.name}: ${files.join(", ")} ${files.length === 1 ? "is a file" : "are files"} there`,
    remedy:
      "Keep its disks in a pool: a flavor with a storagePool, or a bootVolume, and volumes of a type with a storagePool.",
  });
}

/** The host that was asked for, or the scheduler's choice, which reaches all that the server has. Raises `no-valid-host`, `host-unsuitable`, `not-found`. */
export async function chooseTarget(
  context: Context,
  source: ComputeHost,
  input: JsonObject,
  rejectHost: (target: ComputeHost) => string | undefined = () => undefined,
): Promise<HostId> {
  const { record, world, ports } = context;
  const asked = textOf(input, "host");
  const hosts = world.all("host");
  const named = hosts.find(({ id, name }) => id === asked || name === asked);
  if (asked !== undefined && named === undefined)
    throw new StackyardError("not-found", {
      message: `there is no host ${JSON.stringify(asked)}`,
      field: "host",
      value: asked,
    });
  const problem = named === undefined ? undefined : rejectTarget(context, source, named, rejectHost);
  if (named !== undefined && problem !== undefined)
    throw new StackyardError("host-unsuitable", {
      message: `server ${JSON.stringify(record.name)} cannot be moved to host ${named.name}: it ${problem}`,
      field: "host",
      value: named.name,
      remedy: "Choose another host, or leave the choice to the scheduler.",
    });
  const ignored = hosts.filter((host) =>
    named === undefined
      ? rejectTarget(context, source, host, rejectHost) !== undefined
      : host.id !== named.id,
  );
  return ports.placement.chooseTarget(
    record.id,
    ignored.map(({ name }) => name),
  );
}

/** Raises `conflict` when a host has a domain of the server, which an evacuation has left there. */
export async function refuseLeftover(context: Context, hostId: HostId, spec: DomainSpec): Promise<void> {
  const { record, world, cloudId, ports, signal } = context;
  const target = requireHost({ hostId }, world, cloudId);
  if ((await ports.domains.observe(target, spec, signal)) === undefined) return;
  throw new StackyardError("conflict", {
    message: `server ${JSON.stringify(record.name)} cannot be moved to host ${target.name}: a domain of it is left over there`,
    field: "host",
    value: target.name,
    remedy: "Remove it first: stackyard gc shows it.",
  });
}

/** Why a host cannot take a guest of another as it is, memory and all. */
function rejectGuestOf(source: ComputeHost): (target: ComputeHost) => string | undefined {
  return (target) => {
    const aspects = ["folder", "datapath", "virtType"] as const;
    const other = aspects.find((aspect) => target[aspect] !== source[aspect]);
    return other === undefined
      ? undefined
      : `has the ${other} ${target[other]}, and the guest was made for ${source[other]}`;
  };
}

/** Why a host cannot have the server of another; `undefined` when it can. */
function rejectTarget(
  { inputs, outputs, record, world, cloudId }: Context,
  source: ComputeHost,
  entry: WorldEntry,
  rejectHost: (target: ComputeHost) => string | undefined,
): string | undefined {
  if (entry.id === source.id.toString()) return "is the one that it is on";
  const target = toComputeHost(entry, cloudId);
  if (target === undefined) return "is not enrolled yet";
  const unfit = rejectHost(target);
  if (unfit !== undefined) return unfit;
  const poolId = outputs.blockDevices?.[0]?.storagePool;
  const reach = listStorageHosts(inputs, poolId, world);
  if (reach?.includes(entry.name) === false)
    return "is no client of the Ceph cluster that its root disk is in";
  for (const volume of listVolumesOf(record.id, world)) {
    const unreached = rejectReach(volume, entry.id, world);
    if (unreached !== undefined) return `does not reach volume ${JSON.stringify(volume.name)}`;
  }
  return undefined;
}

function listVolumesOf(serverId: string, world: World): readonly WorldEntry[] {
  return world
    .all("volume-attachment")
    .filter(({ inputs }) => inputs["server"] === serverId)
    .flatMap(({ inputs }) => world.find("volume", textOf(inputs, "volume") ?? "") ?? []);
}

/** The move that the record tells of. Raises `internal` without one: it is written with the task. */
export function requireMigration({ outputs }: Context): Migration {
  if (outputs.migration === undefined)
    throw new StackyardError("internal", { message: "a move has a task, but is not in the record" });
  return outputs.migration;
}

/** The two hosts of a move. */
export function requirePlaces(context: Context): {
  readonly source: ComputeHost;
  readonly target: ComputeHost;
} {
  const { fromHostId, toHostId } = requireMigration(context);
  const { world, cloudId } = context;
  return {
    source: requireHost({ hostId: fromHostId }, world, cloudId),
    target: requireHost({ hostId: toHostId }, world, cloudId),
  };
}

/** Kernel and initial RAM disk are where the guest's next start looks for them. */
async function bringBootFiles(context: Context): Promise<void> {
  const { inputs, world, ports, progress, signal } = context;
  const entry = findBootImage(inputs, world);
  const image = entry === undefined ? undefined : { ...toImageSpec(entry), disk: undefined };
  if (image?.kernel === undefined && image?.initrd === undefined) return;
  await ports.images.ensureCached(requirePlaces(context).target, image, progress, signal);
}

async function wireTarget(context: Context): Promise<void> {
  const { inputs, record, world, progress } = context;
  const { target } = requirePlaces(context);
  const networks = new Set(listInterfaces(inputs, record.id, world).map((nic) => nic.network));
  progress(`wiring host ${target.name}`);
  await Promise.all([...networks].map((id) => ensureNetwork(context, id, target)));
}

/** Nobody changes the disks of a server that is on its way. */
async function migrateGuest(context: Context): ReturnType<ServerStep["run"]> {
  const { record, ports, exclusive, progress, signal } = context;
  const { limitSeconds = secondsPerGib } = requireMigration(context);
  const { source, target } = requirePlaces(context);
  await exclusive(disksKey(record.id), async () => {
    progress(`moving the guest from host ${source.name} to ${target.name}`);
    await ports.domains.migrate(source, target, record.id, limitSeconds * 1000, progress, signal);
  });
  return undefined;
}

/**
 * Brings a move to one of its ends, by where the guest is: it runs on the target, and nothing of it is left on the source; or it goes on where it was,
 * and nothing is on the target. Raises `conflict` where it runs on both, which nothing of ours does.
 */
export async function settleMigration(context: Context): ReturnType<ServerStep["run"]> {
  const { inputs, outputs, record, world, cloudId, ports, progress, signal } = context;
  if (outputs.migration === undefined) return undefined;
  if (outputs.migration.kind === "evacuation") return settleEvacuation(context);
  const { source, target } = requirePlaces(context);
  const spec = toDomainSpec(record, inputs, outputs, world, cloudId);
  // A move whose process was killed may still be under way.
  await ports.domains.abortMigration(source, record.id, signal);
  const [there, here] = await Promise.all(
    [target, source].map((host) => ports.domains.observe(host, spec, signal)),
  );
  if (there?.state === "running" && here?.state === "running")
    throw new StackyardError("conflict", {
      message: `server ${JSON.stringify(record.name)} runs on host ${source.name} and on host ${target.name}`,
      remedy: `Stop one of the two: virsh destroy ${record.id}. Then apply the server.`,
    });
  // A definition goes from the source with the last of its guest.
  const hasMoved = there !== undefined && (there.state === "running" || here === undefined);
  const [stays, leaves] = hasMoved ? [target, source] : [source, target];
  progress(hasMoved ? `taking leave of host ${source.name}` : `taking the move to host ${target.name} back`);
  if (!hasMoved && here?.state === "paused") await ports.domains.start(source, record.id, signal);
  await ports.domains.remove(leaves, record.id, signal);
  await takeKeys(context, leaves);
  if (hasMoved) await ports.placement.moveClaim(record.id);
  const elsewhere = placeServer(world, record.id, stays.id);
  await releaseInterfaces(context, leaves, outputs.interfaces ?? [], elsewhere, () => true);
  if (!hasMoved) await ports.placement.releaseTarget(record.id);
  return { hostId: stays.id, host: stays.name, migration: undefined };
}

/** Before the host is shut out the server stays its own; from then on the server is the target's, where its domain is built as any. */
async function settleEvacuation(context: Context): ReturnType<ServerStep["run"]> {
  const { record, ports } = context;
  const { isFencing } = requireMigration(context);
  if (isFencing !== true) {
    await ports.placement.releaseTarget(record.id);
    return { migration: undefined };
  }
  await fenceSource(context);
  await ports.placement.moveClaim(record.id);
  const { target } = requirePlaces(context);
  return { hostId: target.id, host: target.name, migration: undefined };
}

/** Whatever still runs on the host that is lost writes no more to the server's disks. */
async function fenceSource(context: Context): Promise<void> {
  const { inputs, outputs, record, world, cloudId, ports, progress, signal } = context;
  const { source, target } = requirePlaces(context);
  const { rootVolume, volumes = [] } = toDomainSpec(record, inputs, outputs, world, cloudId);
  const disks = [
    ...(rootVolume === undefined ? [] : [{ volume: rootVolume, isShared: false }]),
    ...volumes.map(({ volume, isShared }) => ({ volume, isShared })),
  ];
  progress(`shutting host ${source.name} out of the disks`);
  const byCluster = Map.groupBy(disks, ({ volume: { place } }) =>
    place.backend === "rbd" ? place.clusterId : "",
  );
  for (const [clusterId, held] of byCluster) {
    const cluster = requireCluster(clusterId, world, cloudId);
    const addresses = await ports.ceph.fence(target, cluster, held, source.id, signal);
    progress(
      addresses.length === 0
        ? `nobody has the disks in ${cluster.name} open`
        : `shut out of ${cluster.name}: ${addresses.join(", ")}`,
    );
  }
}
