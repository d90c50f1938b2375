import { StackyardError, toStackyardError } from "../core/errors.ts";
import { brandId, type TaskId } from "../core/ids.ts";
import { textOf, type JsonObject } from "../core/json.ts";
import { findAction, type Step } from "../core/resource.ts";
import type { Secret } from "../core/secret.ts";
import type { Database } from "../store/database.ts";
import { deleteRecord, updateRecord } from "../store/records.ts";
import { giveBack, handleFailure, keepFaulty, withCleanupFailure } from "./failure.ts";
import { journalFailure, journalIntent, journalResult, journalUndo } from "./journal.ts";
import { takeLease } from "./lease.ts";
import { countBuild, finishTask, readTaskRecord, type ConductorServices, type Run } from "./run.ts";
import { makeStepContext } from "./step-context.ts";
import type { StepsEnd, TaskInWork } from "./task-board.ts";
import { nowMs, openTracer } from "./tracer.ts";

/** How the kind of a task begins that is an action. */
const actionKind = "act ";

/** Carries a task out to its end, or leaves it to whoever has its lease. */
export async function runTask(
  services: ConductorServices,
  taskId: TaskId,
  token: Secret | undefined,
): Promise<void> {
  const { database, board, mirror, definitionOf } = services;
  const lease = await takeLease(database, taskId);
  if (lease === undefined) return;
  try {
    const row = await database
      .selectFrom("tasks")
      .select(["kind", "record_id"])
      .where("id", "=", taskId)
      .executeTakeFirstOrThrow();
    const record = await readTaskRecord(database, { id: taskId, recordId: brandId(row.record_id) });
    const task = board.begin(taskId, record.id, token, openTracer(database, record.id));
    await mirror.refresh();
    const definition = definitionOf(record.type);
    const run: Run = {
      services,
      task,
      definition,
      isCreate: row.kind === "reconcile" && record.applied === undefined,
    };
    if (row.kind === "remove") await carryOutRemoval(run);
    else if (row.kind.startsWith(actionKind)) await carryOutAction(run, row.kind.slice(actionKind.length));
    else await carryOutReconcile(run);
    await task.tracer.flush();
  } catch (error) {
    await endTask(database, taskId, toStackyardError(error, "carrying out the task"));
  } finally {
    await lease.release();
    await mirror.refresh();
    board.finish(taskId);
  }
}

async function carryOutReconcile(run: Run): Promise<void> {
  const { services, task, definition } = run;
  const { database } = services;
  const steps = definition.reconcile;
  for (let index = 0; index < steps.length;) {
    const segment = segmentAt(steps, index);
    const failure = await runSegment(run, segment);
    if (failure === undefined) {
      index += segment.length;
      continue;
    }
    const failedAt = steps.findIndex((step) => step.name === failure.step);
    const next = await handleFailure(run, failedAt, failure.error);
    if (next === undefined) return;
    index = next;
  }
  await database.transaction().execute(async (transaction) => {
    const record = await readTaskRecord(transaction, task);
    const at = new Date().toISOString();
    await updateRecord(transaction, record.id, { status: "active", applied: record.inputs, fault: null }, at);
    await finishTask(transaction, task.id, undefined);
    if (run.isCreate) await countBuild(transaction, record, false);
  });
}

/** Consecutive steps of one service. */
function segmentAt(
  steps: readonly Step<JsonObject, JsonObject>[],
  index: number,
): readonly Step<JsonObject, JsonObject>[] {
  const place = steps[index]?.on ?? "conductor";
  const end = steps.findIndex((step, at) => at > index && (step.on ?? "conductor") !== place);
  return steps.slice(index, end === -1 ? undefined : end);
}

async function runSegment(run: Run, segment: readonly Step<JsonObject, JsonObject>[]): Promise<StepsEnd> {
  return segment[0]?.on === "compute" ? runOnCompute(run, segment) : runHere(run, segment);
}

async function runHere(
  { services, task }: Run,
  segment: readonly Step<JsonObject, JsonObject>[],
): Promise<StepsEnd> {
  const { database } = services;
  for (const step of segment) {
    try {
      await journalIntent(database, task.id, step.name);
      task.controller.signal.throwIfAborted();
      const record = await readTaskRecord(database, task);
      const patch = await step.run(makeStepContext(services, record, task));
      // The step may have written the record itself, e.g. its claim.
      const outputs =
        patch === undefined ? undefined : { ...(await readTaskRecord(database, task)).outputs, ...patch };
      await journalResult(database, task.id, record.id, step.name, outputs);
      await services.mirror.refresh();
    } catch (error) {
      return { step: step.name, error: toFailure(error, task, `step ${step.name}`) };
    }
  }
  return undefined;
}

/** Casts the steps to the record's host and waits for its report. */
async function runOnCompute(
  { services, task }: Run,
  segment: readonly Step<JsonObject, JsonObject>[],
): Promise<StepsEnd> {
  const { bus, database } = services;
  const record = await readTaskRecord(database, task);
  const ended = Promise.withResolvers<StepsEnd>();
  task.stepsEnded = ended;
  const host = textOf(record.outputs, "host") ?? "";
  await task.tracer.time(12, () =>
    bus.cast(`compute.${host}`, "run_steps", {
      taskId: task.id,
      steps: segment.map((step) => step.name),
      token: task.token?.reveal(),
      castAtMs: nowMs(),
    }),
  );
  return ended.promise;
}

async function carryOutRemoval(run: Run): Promise<void> {
  const { services, task, definition } = run;
  const failure = await runHere(run, definition.remove);
  if (failure !== undefined) {
    await journalFailure(services.database, task.id, failure.step, {
      hostId: undefined,
      error: failure.error,
    });
    await keepFaulty(run, failure.error);
    return;
  }
  await services.database.transaction().execute(async (transaction) => {
    const record = await readTaskRecord(transaction, task);
    await deleteRecord(transaction, record.id);
    if (record.applied === undefined) await giveBack(transaction, record, services.definitionOf);
    await finishTask(transaction, task.id, undefined);
  });
}

/** Where an action ends, the record stands as it did before: its outputs may have changed, never whether it is as declared. */
async function carryOutAction(run: Run, name: string): Promise<void> {
  const { services, task, definition } = run;
  const { database } = services;
  const action = findAction(definition, name);
  if (action === undefined || !("steps" in action))
    throw new StackyardError("internal", {
      message: `a ${definition.type} has no action ${name} with steps`,
    });
  const failure = await runHere(run, action.steps);
  if (failure === undefined) {
    await endAction(run, undefined);
    return;
  }
  await journalFailure(database, task.id, failure.step, { hostId: undefined, error: failure.error });
  // What was given up is taken back all the same: with a signal of its own.
  const settling: TaskInWork = { ...task, controller: new AbortController() };
  try {
    const record = await readTaskRecord(database, task);
    const patch = await action.settle(makeStepContext(services, record, settling));
    const outputs = patch === undefined ? undefined : { ...record.outputs, ...patch };
    await database.transaction().execute(async (transaction) => {
      if (outputs !== undefined)
        await updateRecord(transaction, record.id, { outputs }, new Date().toISOString());
    });
    await journalUndo(database, task.id, failure.step);
    await endAction(run, failure.error);
  } catch (error) {
    const cleanup = toStackyardError(error, `taking back step ${failure.step}`);
    await keepFaulty(run, withCleanupFailure(failure.error, cleanup));
  }
}

async function endAction({ services, task }: Run, error: StackyardError | undefined): Promise<void> {
  await services.database.transaction().execute(async (transaction) => {
    const { id, fault } = await readTaskRecord(transaction, task);
    const status = fault === undefined ? "active" : "error";
    await updateRecord(transaction, id, { status }, new Date().toISOString());
    await finishTask(transaction, task.id, error);
  });
}

async function endTask(database: Database, taskId: TaskId, error: StackyardError): Promise<void> {
  await database.transaction().execute((transaction) => finishTask(transaction, taskId, error));
}

/** An interruption is not the step's fault: it is told apart, so that nothing is taken back. */
export function toFailure(error: unknown, task: TaskInWork, attempting: string): StackyardError {
  if (!task.controller.signal.aborted) return toStackyardError(error, attempting);
  return new StackyardError("interrupted", { message: `${attempting} was interrupted`, cause: error });
}
