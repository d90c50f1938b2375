import { setTimeout } from "node:timers/promises";
import { interruptedWait, makeExclusive, type Exclusive, type Waiter } from "../core/exclusive.ts";
import type { Database } from "../store/database.ts";
import { isHeld, keepRenewing, leaseMs, workerName, type Lease } from "./lease.ts";

/** How often a process that waits for another looks whether its turn has come, in milliseconds. */
const pollMs = 20;
/** How long a wait lasts before whoever waits is told of it, in milliseconds. */
const silenceMs = 1_000;

/**
 * Queues across all processes on a store. Those who wait in one process queue there, and the first of them in the store: a process has one place
 * in the queue of a key, and processes take turns. `now` gives milliseconds since 1970.
 */
export function makeStoreExclusive(database: Database, now: () => number = Date.now): Exclusive {
  const exclusive = makeExclusive();
  return (key, work, waiter) => {
    const locked = async (): ReturnType<typeof work> => {
      const lock = await takeLock(database, key, now, waiter);
      try {
        return await work();
      } finally {
        await lock.release();
      }
    };
    return exclusive(key, locked, waiter);
  };
}

/** A process in the queue for a lock. The first holds it. */
interface Place {
  readonly ticket: number;
  readonly worker: string;
  readonly lease_until_ms: number;
}

/** Queues for a lock, and comes back when it is ours. */
async function takeLock(
  database: Database,
  name: string,
  now: () => number,
  { signal, progress }: Waiter = {},
): Promise<Lease> {
  const sinceMs = now();
  let ticket = await takePlace(database, name, now());
  const stopRenewing = keepRenewing(() => renew(database, ticket, now()));
  const release = async (): Promise<void> => {
    stopRenewing();
    await database.deleteFrom("locks").where("ticket", "=", ticket).execute();
  };
  try {
    let told: string | undefined;
    for (;;) {
      if (signal?.aborted === true) throw interruptedWait(name, signal.reason);
      const places = await readPlaces(database, name, ticket);
      const ahead = places.filter((place) => place.ticket !== ticket);
      if (ahead.length === places.length) {
        // This process slept for longer than its lease, and others took it for gone.
        ticket = await takePlace(database, name, now());
        continue;
      }
      const [first] = ahead;
      if (first === undefined) return { release };
      if (!isHeld(first, now())) {
        await dropPlace(database, first);
        continue;
      }
      if (now() - sinceMs > silenceMs && first.worker !== told) {
        told = first.worker;
        progress?.(`waiting for ${name}: another process (${first.worker}) is at work on it`);
      }
      await pause(signal);
    }
  } catch (error) {
    await release();
    throw error;
  }
}

/** Joins the end of a queue. The store writes one row at a time, so that whoever has the lowest ticket was the first to come. */
async function takePlace(database: Database, name: string, atMs: number): Promise<number> {
  const { ticket } = await database
    .insertInto("locks")
    .values({ name, worker: workerName, lease_until_ms: atMs + leaseMs })
    .returning("ticket")
    .executeTakeFirstOrThrow();
  return ticket;
}

function renew(database: Database, ticket: number, atMs: number): Promise<unknown> {
  return database
    .updateTable("locks")
    .set({ lease_until_ms: atMs + leaseMs })
    .where("ticket", "=", ticket)
    .execute();
}

/** The queue from its head to this place, if it still is there. */
function readPlaces(database: Database, name: string, ticket: number): Promise<readonly Place[]> {
  return database
    .selectFrom("locks")
    .select(["ticket", "worker", "lease_until_ms"])
    .where("name", "=", name)
    .where("ticket", "<=", ticket)
    .orderBy("ticket")
    .execute();
}

/** Takes a place from a worker that is gone, unless it has just renewed it. */
async function dropPlace(database: Database, { ticket, lease_until_ms: seenMs }: Place): Promise<void> {
  await database
    .deleteFrom("locks")
    .where("ticket", "=", ticket)
    .where("lease_until_ms", "=", seenMs)
    .execute();
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  await setTimeout(pollMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}
