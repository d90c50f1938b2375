import type { Bus } from "../bus/bus.ts";
import { encodeError, StackyardError } from "../core/errors.ts";
import type { TaskId } from "../core/ids.ts";
import type { DryRun } from "../core/dry-run.ts";
import type { ScanPort } from "../core/ports.ts";
import { textOf } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition } from "../core/resource.ts";
import type { SchedulerOptions } from "../scheduler/options.ts";
import type { Database } from "../store/database.ts";
import { readRecord, type StoreTransaction } from "../store/records.ts";
import type { ContextServices } from "./step-context.ts";
import type { TaskBoard, TaskInWork } from "./task-board.ts";

/** What the conductor works with. */
export interface ConductorServices extends ContextServices {
  readonly bus: Bus;
  readonly board: TaskBoard;
  readonly schedulerOptions: SchedulerOptions;
  readonly scan: ScanPort;
  readonly dryRun: () => DryRun | Promise<DryRun>;
}

/** One task on its way. */
export interface Run {
  readonly services: ConductorServices;
  readonly task: TaskInWork;
  readonly definition: Definition;
  /** Nothing of it ever succeeded: a failure takes everything back. */
  readonly isCreate: boolean;
}

/** The record that a task is about, as it is in the store now. Raises `not-found` when it is gone. */
export async function readTaskRecord(
  database: Database | StoreTransaction,
  { id, recordId }: Pick<TaskInWork, "id" | "recordId">,
): Promise<ResourceRecord> {
  const record = await readRecord(database, recordId);
  if (record === undefined)
    throw new StackyardError("not-found", { message: `the record of task ${id} is gone` });
  return record;
}

/** Writes the end of a task. */
export async function finishTask(
  transaction: StoreTransaction,
  taskId: TaskId,
  error: StackyardError | undefined,
): Promise<void> {
  await transaction
    .updateTable("tasks")
    .set({
      state: error === undefined ? "succeeded" : "failed",
      error: error === undefined ? null : JSON.stringify(encodeError(error)),
      finished_at: new Date().toISOString(),
    })
    .where("id", "=", taskId)
    .execute();
}

/** Keeps the host's count of failed builds, which BuildFailureWeigher reads (nova: compute/stats.py build_failed, build_succeeded). */
export async function countBuild(
  transaction: StoreTransaction,
  record: ResourceRecord,
  failed: boolean,
): Promise<void> {
  const hostId = textOf(record.outputs, "hostId");
  if (hostId === undefined) return;
  await transaction
    .updateTable("providers")
    .set((expression) => ({ failed_builds: failed ? expression("failed_builds", "+", 1) : 0 }))
    .where("host_id", "=", hostId)
    .execute();
}
