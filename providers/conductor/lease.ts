import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { TaskId } from "../core/ids.ts";
import type { Database } from "../store/database.ts";

/** How long a worker is taken for alive after its last sign, in milliseconds. */
export const leaseMs = 30_000;

/** How often a worker renews. */
const renewalMs = 10_000;

/** Names this process so that another on the same machine can tell whether it still lives: machine, pid, start time. */
export const workerName = `${hostname()}/${String(process.pid)}/${readStartTime(process.pid) ?? "?"}`;

/** Start time of a process in clock ticks since boot (proc(5), stat field 22); `undefined` when there is none. */
function readStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** Whether the worker's process is known to be gone. On another machine it cannot be known. */
export function isWorkerDead(worker: string): boolean {
  const [machine, pid, startTime] = worker.split("/");
  if (machine !== hostname() || startTime === "?") return false;
  return readStartTime(Number(pid)) !== startTime;
}

/** Whether what a worker has taken is still its own at a time, in milliseconds since 1970: its lease runs and its process is not known to be gone. */
export function isHeld(
  { worker, lease_until_ms: untilMs }: { readonly worker: string | null; readonly lease_until_ms: number },
  atMs: number,
): boolean {
  return worker !== null && untilMs > atMs && !isWorkerDead(worker);
}

/** Renews a lease until the returned function is called. */
export function keepRenewing(renew: () => Promise<unknown>): () => void {
  // A missed renewal is made up for by the next; three in a row lose the lease.
  const timer = setInterval(() => void renew().catch(() => undefined), renewalMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** A worker's hold on a task or a lock. */
export interface Lease {
  /** Gives it back, whatever became of the work. */
  release(): Promise<void>;
}

/** Takes a task, if no living worker has it. One worker a task. */
export async function takeLease(database: Database, taskId: TaskId): Promise<Lease | undefined> {
  const now = Date.now();
  const row = await database
    .selectFrom("tasks")
    .select(["worker", "state"])
    .where("id", "=", taskId)
    .executeTakeFirst();
  if (row === undefined || (row.state !== "pending" && row.state !== "running")) return undefined;
  const dead = row.worker !== null && isWorkerDead(row.worker);
  const taken = await database
    .updateTable("tasks")
    .set({ worker: workerName, state: "running", lease_until_ms: now + leaseMs })
    .where("id", "=", taskId)
    .where("state", "in", ["pending", "running"])
    .where((expression) =>
      expression.or([
        expression("worker", "is", null),
        expression("lease_until_ms", "<", now),
        ...(dead && row.worker !== null ? [expression("worker", "=", row.worker)] : []),
      ]),
    )
    .executeTakeFirst();
  if (taken.numUpdatedRows === 0n) return undefined;
  const stopRenewing = keepRenewing(() =>
    database
      .updateTable("tasks")
      .set({ lease_until_ms: Date.now() + leaseMs })
      .where("id", "=", taskId)
      .where("worker", "=", workerName)
      .execute(),
  );
  return {
    release: async () => {
      stopRenewing();
      await database
        .updateTable("tasks")
        .set({ worker: null, lease_until_ms: 0 })
        .where("id", "=", taskId)
        .where("worker", "=", workerName)
        .execute();
    },
  };
}
