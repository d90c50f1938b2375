import { StackyardError } from "../core/errors.ts";
import { brandId, deriveId, type HostId, type ResourceId, type TaskId } from "../core/ids.ts";
import type { Exclusive } from "../core/exclusive.ts";
import type { HostInventory, PlacementPort } from "../core/ports.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Bus } from "../bus/bus.ts";
import { noValidHost } from "../scheduler/explain.ts";
import { readShares } from "../scheduler/host-state.ts";
import type { SchedulerOptions } from "../scheduler/options.ts";
import { resourcesOf } from "../scheduler/placement.ts";
import type { RequestSpec } from "../scheduler/request.ts";
import { readForcedHost } from "../servers/adoption.ts";
import type { Database } from "../store/database.ts";
import type { RecordMirror } from "../store/mirror.ts";
import { readRecord, updateRecord, type StoreTransaction } from "../store/records.ts";
import { viewStore } from "../store/world.ts";
import { readHostStates } from "./host-states.ts";
import { listHostFailures } from "./journal.ts";
import { requestOfServer } from "./request.ts";
import type { Tracer } from "./tracer.ts";

/** How often a claim that lost a race schedules anew (placement: `allocation_conflict_retry_count`). */
const maxRaces = 10;

export interface PlacementServices {
  readonly database: Database;
  readonly mirror: RecordMirror;
  readonly bus: Bus;
  readonly options: SchedulerOptions;
  /** Spares this process races with itself. Those with others the generation decides. */
  readonly exclusive: Exclusive;
  /** The tracer of the record that is being placed. */
  readonly tracerOf: (recordId: ResourceId) => Tracer;
}

/** Inventories and claims in the store; the choice is the scheduler's. */
export function openPlacement(services: PlacementServices): PlacementPort {
  const { database, options, exclusive } = services;
  return {
    publish: (hostId, inventory) => publish(database, hostId, inventory, options),
    withdraw: (hostId) => withdraw(database, hostId),
    claim: (taskId, serverId) => exclusive("placement", () => claim(services, taskId, serverId)),
    release: (serverId) => release(database, serverId),
    chooseTarget: (serverId, ignoredHosts) => chooseTarget(services, serverId, ignoredHosts),
    claimTarget: async (serverId, hostId) => {
      const record = await requireServer(database, serverId);
      await exclusive("placement", () => claimAt(services, record, hostId, migrationOf(serverId)));
    },
    moveClaim: (serverId) => moveClaim(database, serverId),
    releaseTarget: (serverId) => release(database, migrationOf(serverId)),
  };
}

/** Who holds the claim on the host that a server moves to (nova: the migration's uuid, there on the host that it leaves). */
function migrationOf(serverId: ResourceId): ResourceId {
  return brandId(deriveId("migration", serverId));
}

async function release(database: Database, consumerId: ResourceId): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const host = await allocatedHost(transaction, consumerId);
    if (host === undefined) return;
    await transaction.deleteFrom("allocations").where("consumer_id", "=", consumerId).execute();
    await bumpGeneration(transaction, host);
  });
}

async function chooseTarget(
  { database, mirror, bus, options }: PlacementServices,
  serverId: ResourceId,
  ignoredHosts: readonly string[],
): Promise<HostId> {
  const record = await requireServer(database, serverId);
  const { hosts } = await readHostStates(database, mirror, options);
  const request = requestOfServer(record, viewStore(mirror), ignoredHosts);
  const schedule = await bus.call("scheduler", "select_destinations", { hosts, request, weights: false });
  const [choice] = schedule.selected;
  if (choice === undefined) throw noValidHost(schedule.trace, request);
  return brandId(choice.hostId);
}

async function moveClaim(database: Database, serverId: ResourceId): Promise<void> {
  const migration = migrationOf(serverId);
  await database.transaction().execute(async (transaction) => {
    const target = await allocatedHost(transaction, migration);
    if (target === undefined) return;
    const source = await allocatedHost(transaction, serverId);
    await transaction.deleteFrom("allocations").where("consumer_id", "=", serverId).execute();
    await transaction
      .updateTable("allocations")
      .set({ consumer_id: serverId })
      .where("consumer_id", "=", migration)
      .execute();
    await bumpGeneration(transaction, target);
    if (source !== undefined) await bumpGeneration(transaction, source);
  });
}

async function publish(
  database: Database,
  hostId: HostId,
  inventory: HostInventory,
  options: SchedulerOptions,
): Promise<void> {
  const shares = readShares(options);
  const rows = [
    { resource_class: "VCPU", total: inventory.vcpus, share: shares.VCPU },
    { resource_class: "MEMORY_MB", total: inventory.ramMib, share: shares.MEMORY_MB },
    { resource_class: "DISK_GB", total: inventory.diskGib, share: shares.DISK_GB },
  ].map(({ share, ...row }) => ({
    host_id: hostId,
    ...row,
    reserved: share.reserved,
    allocation_ratio: share.allocationRatio,
    min_unit: 1,
    max_unit: row.total,
    step_size: 1,
  }));
  await database.transaction().execute(async (transaction) => {
    await transaction
      .insertInto("providers")
      .values({ host_id: hostId, generation: 0, failed_builds: 0 })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await transaction.deleteFrom("inventories").where("host_id", "=", hostId).execute();
    await transaction.insertInto("inventories").values(rows).execute();
    await bumpGeneration(transaction, hostId);
  });
}

async function withdraw(database: Database, hostId: HostId): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const held = await transaction
      .selectFrom("allocations")
      .select("consumer_id")
      .where("host_id", "=", hostId)
      .executeTakeFirst();
    if (held !== undefined) {
      throw new StackyardError("in-use", {
        message: `server ${held.consumer_id} still has a claim on host ${hostId}`,
      });
    }
    await transaction.deleteFrom("providers").where("host_id", "=", hostId).execute();
  });
}

async function claim(services: PlacementServices, taskId: TaskId, serverId: ResourceId): Promise<HostId> {
  const { database, mirror, bus, options, tracerOf } = services;
  const record = await requireServer(database, serverId);
  const tracer = tracerOf(serverId);
  const existing = await allocatedHost(database, serverId);
  if (existing !== undefined) return claimAt(services, record, existing);
  const forced = readForcedHost(record.outputs);
  if (forced !== undefined) return tracer.time(11, () => claimAt(services, record, forced));
  const failed = (await listHostFailures(database, taskId)).map(({ hostId }) => hostId);
  for (let race = 0; race < maxRaces; race++) {
    const { hosts, generations } = await readHostStates(database, mirror, options);
    const names = hosts.filter((host) => failed.includes(host.hostId)).map((host) => host.name);
    const request = requestOfServer(record, viewStore(mirror), names);
    const schedule = await tracer.time(8, () =>
      bus.call("scheduler", "select_destinations", { hosts, request, weights: false }),
    );
    const [choice] = schedule.selected;
    if (choice === undefined) throw noValidHost(schedule.trace, request);
    const alternates = schedule.alternates[0] ?? [];
    const claimed = await tracer.time(11, async () => {
      for (const candidate of [choice, ...alternates]) {
        if (await claimOn(database, record, candidate, generations.get(candidate.hostId), request))
          return candidate.hostId;
      }
      return undefined;
    });
    if (claimed !== undefined) return brandId(claimed);
  }
  throw new StackyardError("no-valid-host", {
    message: `server ${serverId} lost ${String(maxRaces)} races for a host to other builds`,
  });
}

/**
 * Claims on one host, in the amounts of now: where the server has its claim, or the only one where it can be (nova: `force_hosts`). Past filters, but what
 * it takes beyond its claim must fit (placement: objects/allocation.py).
 */
async function claimAt(
  { database, mirror, options }: PlacementServices,
  record: ResourceRecord,
  hostId: string,
  consumerId: ResourceId = record.id,
): Promise<HostId> {
  await mirror.refresh();
  const request = requestOfServer(record, viewStore(mirror));
  await database.transaction().execute(async (transaction) => {
    await requireRoom(transaction, hostId, consumerId, request, options);
    await transaction.deleteFrom("allocations").where("consumer_id", "=", consumerId).execute();
    await writeAllocations(transaction, consumerId, hostId, request);
    await bumpGeneration(transaction, hostId);
  });
  return brandId(hostId);
}

/** Claims by compare-and-swap on the host's generation. False when somebody else was quicker. */
async function claimOn(
  database: Database,
  record: ResourceRecord,
  host: { readonly hostId: string; readonly name: string },
  generation: number | undefined,
  request: RequestSpec,
): Promise<boolean> {
  if (generation === undefined) return false;
  return database.transaction().execute(async (transaction) => {
    const swapped = await transaction
      .updateTable("providers")
      .set({ generation: generation + 1 })
      .where("host_id", "=", host.hostId)
      .where("generation", "=", generation)
      .executeTakeFirst();
    if (swapped.numUpdatedRows === 0n) return false;
    await writeAllocations(transaction, record.id, host.hostId, request);
    const current = await readRecord(transaction, record.id);
    const outputs = { ...current?.outputs, status: "BUILD", hostId: host.hostId, host: host.name };
    await updateRecord(transaction, record.id, { outputs }, new Date().toISOString());
    return true;
  });
}

/** Raises `no-valid-host` where a claim cannot grow on its host. */
export async function requireRoom(
  database: Database | StoreTransaction,
  hostId: string,
  serverId: ResourceId,
  request: RequestSpec,
  options: SchedulerOptions,
): Promise<void> {
  const before = await database
    .selectFrom("allocations")
    .selectAll()
    .where("consumer_id", "=", serverId)
    .execute();
  for (const [resourceClass, amount] of Object.entries(resourcesOf(request).amounts)) {
    const had = before.find((row) => row.resource_class === resourceClass)?.used ?? 0;
    if (amount <= had) continue;
    const free = await freeOf(database, hostId, resourceClass, options);
    if (amount - had > free) {
      throw new StackyardError("no-valid-host", {
        message: `the server's host has ${String(Math.floor(free))} ${resourceClass} free; the flavor asks for ${String(amount - had)} more`,
        field: "flavor",
        remedy: "Free capacity on the host, or choose a smaller flavor.",
      });
    }
  }
}

/** By the options of now, as the scheduler counts, not by those of the host's last enrolment. */
async function freeOf(
  transaction: Database | StoreTransaction,
  hostId: string,
  resourceClass: string,
  options: SchedulerOptions,
): Promise<number> {
  const inventory = await transaction
    .selectFrom("inventories")
    .select("total")
    .where("host_id", "=", hostId)
    .where("resource_class", "=", resourceClass)
    .executeTakeFirst();
  const used = await transaction
    .selectFrom("allocations")
    .select(({ fn }) => fn.sum<number | null>("used").as("used"))
    .where("host_id", "=", hostId)
    .where("resource_class", "=", resourceClass)
    .executeTakeFirst();
  const share = Object.entries(readShares(options)).find(([name]) => name === resourceClass)?.[1];
  if (inventory === undefined || share === undefined) return 0;
  return (inventory.total - share.reserved) * share.allocationRatio - (used?.used ?? 0);
}

async function writeAllocations(
  transaction: StoreTransaction,
  consumerId: string,
  hostId: string,
  request: RequestSpec,
): Promise<void> {
  const rows = Object.entries(resourcesOf(request).amounts).map(([resourceClass, used]) => ({
    consumer_id: consumerId,
    host_id: hostId,
    resource_class: resourceClass,
    used,
  }));
  await transaction.insertInto("allocations").values(rows).execute();
}

async function bumpGeneration(transaction: StoreTransaction, hostId: string): Promise<void> {
  await transaction
    .updateTable("providers")
    .set((expression) => ({ generation: expression("generation", "+", 1) }))
    .where("host_id", "=", hostId)
    .execute();
}

/** The host on which a server has its claim. */
export async function allocatedHost(
  database: Database | StoreTransaction,
  serverId: ResourceId,
): Promise<string | undefined> {
  const row = await database
    .selectFrom("allocations")
    .select("host_id")
    .where("consumer_id", "=", serverId)
    .executeTakeFirst();
  return row?.host_id;
}

async function requireServer(database: Database, serverId: ResourceId): Promise<ResourceRecord> {
  const record = await readRecord(database, serverId);
  if (record === undefined) throw new StackyardError("not-found", { message: `server ${serverId} is gone` });
  return record;
}
