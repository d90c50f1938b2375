import type { InterruptedWork } from "../core/cloud.ts";
import type { ResourceId } from "../core/ids.ts";
import type { ResourceRecord } from "../core/record.ts";
import { parseRecord, type StoreTransaction } from "../store/records.ts";
import type { TasksTable } from "../store/tables.ts";
import { isHeld } from "./lease.ts";

/** How long a new task may wait for its worker, in milliseconds. */
const pickUpMs = 30_000;

/** A record whose task nobody works on any more. */
export interface Interrupted {
  readonly record: ResourceRecord;
  /** What was being done. */
  readonly was: InterruptedWork;
}

/**
 * Records, or the one of this id, whose task was broken off by the end of its process. Records and tasks are read in one transaction, since builds
 * end at any time.
 */
export async function listInterrupted(
  transaction: StoreTransaction,
  id?: ResourceId,
): Promise<readonly Interrupted[]> {
  const alive = await listAtWork(transaction);
  const unfinished = await transaction
    .selectFrom("records")
    .selectAll()
    .where("status", "in", ["building", "deleting"])
    .execute();
  const records = unfinished.map(parseRecord);
  const ids = new Set(records.map((record) => record.id));
  return (
    records
      .filter((record) => !alive.has(record.id) && (id === undefined || record.id === id))
      // Its owner's task brings it to an end.
      .filter(({ owner }) => owner === undefined || !ids.has(owner))
      .map((record) => ({ record, was: whatWasDone(record) }))
  );
}

/** Records that a living worker has a task of, or that wait for one. */
export async function listAtWork(transaction: StoreTransaction): Promise<ReadonlySet<string>> {
  const open = await transaction
    .selectFrom("tasks")
    .select(["record_id", "worker", "lease_until_ms", "created_at"])
    .where("state", "in", ["pending", "running"])
    .execute();
  return new Set(open.filter(isAtWork).map((task) => task.record_id));
}

/** A creation that was being taken back has the status `deleting` as well. */
function whatWasDone({ applied, status }: ResourceRecord): InterruptedWork {
  if (applied === undefined) return "creation";
  return status === "deleting" ? "removal" : "change";
}

function isAtWork(task: Pick<TasksTable, "worker" | "lease_until_ms" | "created_at">): boolean {
  if (task.worker === null) return Date.now() - Date.parse(task.created_at) < pickUpMs;
  return isHeld(task, Date.now());
}
