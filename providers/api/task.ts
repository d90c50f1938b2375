import type { Bus } from "../bus/bus.ts";
import { isHeld } from "../conductor/lease.ts";
import type { TaskBoard } from "../conductor/task-board.ts";
import type { TaskKind } from "../core/cloud.ts";
import { decodeError, StackyardError } from "../core/errors.ts";
import { newId, type ResourceId, type TaskId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Secret } from "../core/secret.ts";
import type { Database } from "../store/database.ts";
import type { RecordMirror } from "../store/mirror.ts";
import type { StoreTransaction } from "../store/records.ts";

/** How often a task that another process works on is looked at, in milliseconds. */
const pollMs = 200;

/** Who carries tasks out, and where their end is seen. */
export interface TaskServices {
  readonly database: Database;
  readonly mirror: RecordMirror;
  readonly bus: Bus;
  readonly board: TaskBoard;
}

/** Ends open tasks of workers that are gone. Raises `wrong-state` while one is at work. */
export async function supersedeTasks(transaction: StoreTransaction, id: ResourceId): Promise<void> {
  const open = await transaction
    .selectFrom("tasks")
    .select(["id", "worker", "lease_until_ms"])
    .where("record_id", "=", id)
    .where("state", "in", ["pending", "running"])
    .execute();
  for (const task of open) {
    if (isHeld(task, Date.now())) {
      throw new StackyardError("wrong-state", {
        message: `another process (${task.worker ?? ""}) is at work on this resource`,
      });
    }
    await transaction
      .updateTable("tasks")
      .set({ state: "failed", finished_at: new Date().toISOString() })
      .where("id", "=", task.id)
      .execute();
  }
}

/** Writes a task that nobody works on yet. */
export async function insertTask(
  transaction: StoreTransaction,
  record: Pick<ResourceRecord, "id" | "type">,
  kind: TaskKind,
): Promise<TaskId> {
  const id = newId<"task">();
  await transaction
    .insertInto("tasks")
    .values({
      id,
      record_id: record.id,
      type: record.type,
      kind,
      state: "pending",
      error: null,
      worker: null,
      lease_until_ms: 0,
      created_at: new Date().toISOString(),
      finished_at: null,
    })
    .execute();
  return id;
}

/** Casts the task to the conductor and waits for its end, wherever it is carried out. */
export async function runTask(
  { bus, board, database, mirror }: TaskServices,
  taskId: TaskId,
  token: Secret,
  { onProgress, signal }: { readonly onProgress?: (line: string) => void; readonly signal?: AbortSignal },
): Promise<ResourceRecord | undefined> {
  const finished = board.await(taskId, onProgress, signal);
  bus.cast("conductor", "run_task", { taskId, token: token.reveal() });
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([finished, new Promise((resolve) => (timer = setTimeout(resolve, pollMs)))]);
    clearTimeout(timer);
    const task = await database
      .selectFrom("tasks")
      .select(["state", "error", "record_id"])
      .where("id", "=", taskId)
      .executeTakeFirst();
    if (task?.state === "succeeded") {
      await mirror.refresh();
      return mirror.find(task.record_id);
    }
    if (task?.state === "failed") {
      await mirror.refresh();
      throw task.error === null
        ? new StackyardError("interrupted", { message: "another task has taken this one's place" })
        : decodeError(JSON.parse(task.error) as JsonObject);
    }
  }
}
