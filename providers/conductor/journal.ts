import { z } from "zod";
import type { JournalEntry } from "../core/cloud.ts";
import { encodeError, type StackyardError } from "../core/errors.ts";
import type { ResourceId, TaskId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Database } from "../store/database.ts";
import { updateRecord, type StoreTransaction } from "../store/records.ts";

/** What is kept of a failure: on which host, and why. */
export interface JournaledFailure {
  readonly hostId: string | undefined;
  readonly error: StackyardError;
}

/** Notes that a step begins. */
export async function journalIntent(database: Database, taskId: TaskId, step: string): Promise<void> {
  await insertEntry(database, taskId, step, "intent", null);
}

/** Notes that a step has ended, and commits its outputs to the record, in one transaction. */
export async function journalResult(
  database: Database,
  taskId: TaskId,
  recordId: ResourceId,
  step: string,
  outputs: JsonObject | undefined,
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await insertEntry(transaction, taskId, step, "result", null);
    if (outputs !== undefined)
      await updateRecord(transaction, recordId, { outputs }, new Date().toISOString());
  });
}

/** Notes why a step failed. */
export async function journalFailure(
  database: Database,
  taskId: TaskId,
  step: string,
  failure: JournaledFailure,
): Promise<void> {
  const detail = JSON.stringify({ hostId: failure.hostId ?? null, ...encodeError(failure.error) });
  await insertEntry(database, taskId, step, "failure", detail);
}

/** Notes that a step was taken back. */
export async function journalUndo(database: Database, taskId: TaskId, step: string): Promise<void> {
  await insertEntry(database, taskId, step, "undo", null);
}

async function insertEntry(
  database: Database | StoreTransaction,
  taskId: TaskId,
  step: string,
  phase: "intent" | "result" | "failure" | "undo",
  detail: string | null,
): Promise<void> {
  await database
    .insertInto("journal")
    .values({ task_id: taskId, step, phase, at: new Date().toISOString(), detail })
    .execute();
}

/** Failures of this task on hosts, oldest first. */
export async function listHostFailures(
  database: Database,
  taskId: TaskId,
): Promise<readonly { readonly hostId: string; readonly code: string; readonly message: string }[]> {
  const rows = await database
    .selectFrom("journal")
    .select("detail")
    .where("task_id", "=", taskId)
    .where("phase", "=", "failure")
    .orderBy("sequence")
    .execute();
  return rows.flatMap(({ detail }) => {
    const { hostId, code, message } = failureDetail.parse(JSON.parse(detail ?? "{}"));
    return hostId === null ? [] : [{ hostId, code, message }];
  });
}

/** What {@link journalFailure} wrote. */
const failureDetail = z.object({ hostId: z.string().nullable(), code: z.string(), message: z.string() });

/** All that was done to a resource, oldest first. */
export async function readJournal(database: Database, recordId: string): Promise<readonly JournalEntry[]> {
  const rows = await database
    .selectFrom("journal")
    .innerJoin("tasks", "tasks.id", "journal.task_id")
    .select([
      "tasks.id",
      "tasks.kind",
      "tasks.state",
      "journal.step",
      "journal.phase",
      "journal.at",
      "journal.detail",
    ])
    .where("tasks.record_id", "=", recordId)
    .orderBy("journal.sequence")
    .execute();
  return rows.map((row) => ({
    taskId: row.id,
    kind: row.kind as JournalEntry["kind"],
    state: row.state as JournalEntry["state"],
    step: row.step,
    phase: row.phase,
    at: row.at,
    detail: row.detail === null ? undefined : describeDetail(row.detail),
  }));
}

function describeDetail(detail: string): string {
  const { code, message } = failureDetail.parse(JSON.parse(detail));
  return `${message} [${code}]`;
}
