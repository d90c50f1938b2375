import { StackyardError, toStackyardError, type ErrorCode } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import { textOf } from "../core/json.ts";
import type { RecordStatus, ResourceRecord } from "../core/record.ts";
import { readForcedHost } from "../servers/adoption.ts";
import {
  deleteRecord,
  listRecordsOfMaker,
  reserve,
  updateRecord,
  type StoreTransaction,
} from "../store/records.ts";
import { journalFailure, journalUndo, listHostFailures } from "./journal.ts";
import { countBuild, finishTask, readTaskRecord, type ConductorServices, type Run } from "./run.ts";
import { makeStepContext } from "./step-context.ts";

/** Builds of one server that may fail on hosts before it is given up (nova: `[scheduler] max_attempts`). */
const maxAttempts = 3;

/** Failures that another host may not have. All others concern the request itself. */
const hostSideCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "command-failed",
  "command-timeout",
  "host-unreachable",
  "host-key-changed",
  "host-key-unknown",
  "host-login-refused",
  "host-disk-full",
  "host-unsuitable",
]);

/** Decides what becomes of a failed step. Returns the index to go on at, or `undefined` when the task has ended. */
export async function handleFailure(
  run: Run,
  failedAt: number,
  error: StackyardError,
): Promise<number | undefined> {
  const { services, task, definition, isCreate } = run;
  const { database } = services;
  const failed = definition.reconcile[failedAt];
  const record = await readTaskRecord(database, task);
  const hostId = textOf(record.outputs, "hostId");
  const isHostSide = hostId !== undefined && failed?.on === "compute" && hostSideCodes.has(error.code);
  await journalFailure(database, task.id, failed?.name ?? "", {
    hostId: isHostSide ? hostId : undefined,
    error,
  });
  if (isCreate && isHostSide && failed.sparesHost !== true)
    await database.transaction().execute((transaction) => countBuild(transaction, record, true));

  if (!isCreate || failed?.keepOnFailure === true || error.code === "interrupted") {
    await keepFaulty(run, error);
    return undefined;
  }
  if (error.code === "no-valid-host" && failed?.reschedulesHere === true) {
    const failures = await describeHostFailures(run);
    if (failures.length === 0) return giveUp(run, failedAt, error);
    const reason = `Exhausted all hosts available for retrying build failures for instance ${record.id}.`;
    return giveUp(run, failedAt, retriesExhausted(reason, [...failures, ...error.notes]));
  }
  // One that must be where it is has no other host to try (nova: scheduler/utils.py, populate_retry).
  const again =
    readForcedHost(record.outputs) === undefined
      ? definition.reconcile.findIndex((step) => step.reschedulesHere === true)
      : -1;
  if (isHostSide && again !== -1 && again <= failedAt) {
    const failures = await describeHostFailures(run);
    const undone = await undoSteps(run, failedAt, again);
    if (undone !== undefined) return keepFaulty(run, withCleanupFailure(error, undone));
    if (failures.length < maxAttempts) {
      task.progress(
        `host failed, choosing another (attempt ${String(failures.length + 1)} of ${String(maxAttempts)})`,
      );
      await writeStatus(services, record.id, "building");
      return again;
    }
    const reason = `Exceeded max scheduling attempts ${String(maxAttempts)} for instance ${record.id}. Last exception: ${error.message}`;
    return giveUp(run, again - 1, retriesExhausted(reason, failures));
  }
  return giveUp(run, failedAt, error);
}

/** The error of each host that this task has tried, one a line. */
async function describeHostFailures({ services, task }: Run): Promise<readonly string[]> {
  const failures = await listHostFailures(services.database, task.id);
  return failures.map(
    ({ hostId, code, message }) =>
      `host ${services.mirror.find(hostId)?.name ?? hostId}: ${message} [${code}]`,
  );
}

/** nova: exception.MaxRetriesExceeded, in the words of scheduler/utils.py populate_retry and conductor/manager.py build_instances. */
function retriesExhausted(reason: string, notes: readonly string[]): StackyardError {
  return new StackyardError("retries-exhausted", {
    message: `Exceeded maximum number of retries. ${reason}`,
    notes,
  });
}

/** Takes everything back and removes the record; only the journal remains. */
async function giveUp(run: Run, from: number, error: StackyardError): Promise<undefined> {
  const { services, task } = run;
  const undone = await undoSteps(run, from, 0);
  const record = await readTaskRecord(services.database, task);
  if (undone !== undefined) return keepFaulty(run, withCleanupFailure(error, undone));
  await services.database.transaction().execute(async (transaction) => {
    await deleteRecord(transaction, record.id);
    await giveBack(transaction, record, services.definitionOf);
    await finishTask(transaction, task.id, error);
  });
  return undefined;
}

/** What a replacement had taken over goes back to the resource that it was to replace. */
export async function giveBack(
  transaction: StoreTransaction,
  { type, maker }: ResourceRecord,
  definitionOf: ConductorServices["definitionOf"],
): Promise<void> {
  if (maker === undefined) return;
  for (const { id, inputs } of await listRecordsOfMaker(transaction, type, maker)) {
    await reserve(transaction, id, definitionOf(type).reservations?.(inputs, id) ?? []);
    await updateRecord(transaction, id, {}, new Date().toISOString());
  }
}

/** Undoes steps from `from` down to `to`. Returns the error that stopped it, if one did. */
async function undoSteps(
  { services, task, definition }: Run,
  from: number,
  to: number,
): Promise<StackyardError | undefined> {
  // From now on it is on its way out: the builds of others must wire nothing for it.
  await writeStatus(services, task.recordId, "deleting");
  for (let index = from; index >= to; index--) {
    const step = definition.reconcile[index];
    if (step?.undo === undefined) continue;
    try {
      task.progress(`taking back ${step.name}`);
      const record = await readTaskRecord(services.database, task);
      await step.undo(makeStepContext(services, record, task));
      await journalUndo(services.database, task.id, step.name);
      await services.mirror.refresh();
    } catch (error) {
      return toStackyardError(error, `taking back step ${step.name}`);
    }
  }
  return undefined;
}

async function writeStatus(
  { database, mirror }: ConductorServices,
  id: ResourceId,
  status: RecordStatus,
): Promise<void> {
  await database
    .transaction()
    .execute((transaction) => updateRecord(transaction, id, { status }, new Date().toISOString()));
  await mirror.refresh();
}

/** The error of a task whose work could not be taken back either. */
export function withCleanupFailure(error: StackyardError, cleanup: StackyardError): StackyardError {
  return new StackyardError(error.code, {
    message: error.message,
    cause: error.cause,
    notes: [
      ...error.notes,
      `What was built could not be taken back: ${cleanup.message}. Apply or remove the resource again to finish.`,
    ],
    remedy: error.remedy,
  });
}

/** Leaves the record with its fault: the next apply or remove goes on from there. */
export async function keepFaulty({ services, task }: Run, error: StackyardError): Promise<undefined> {
  await services.database.transaction().execute(async (transaction) => {
    const at = new Date().toISOString();
    const fault = { code: error.code, message: error.message, at };
    await updateRecord(transaction, task.recordId, { status: "error", fault }, at);
    await finishTask(transaction, task.id, error);
  });
  return undefined;
}
