import type { Bus } from "../bus/bus.ts";
import {
  decodeError,
  encodeError,
  StackyardError,
  toStackyardError,
  type ErrorCode,
} from "../core/errors.ts";
import { brandId, newId, type ResourceId, type TaskId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { RecordStatus, ResourceRecord } from "../core/record.ts";
import type { Definition, Observation, Step } from "../core/resource.ts";
import { Secret } from "../core/secret.ts";
import { schedule } from "../scheduler/schedule.ts";
import type { SchedulerOptions } from "../scheduler/options.ts";
import type { Database } from "../store/database.ts";
import {
  deleteRecord,
  listRecordsOfMaker,
  readRecord,
  reserve,
  updateRecord,
  type StoreTransaction,
} from "../store/records.ts";
import { journalFailure, journalIntent, journalResult, journalUndo, listHostFailures } from "./journal.ts";
import { takeLease } from "./lease.ts";
import { makeStepContext, type ContextServices } from "./step-context.ts";
import { requireTask, type StepsEnd, type TaskBoard, type TaskInWork } from "./task-board.ts";
import { nowMs, openTracer } from "./tracer.ts";

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

export interface ConductorServices extends ContextServices {
  readonly database: Database;
  readonly bus: Bus;
  readonly definitionOf: (type: string) => Definition;
  readonly board: TaskBoard;
  readonly schedulerOptions: SchedulerOptions;
}

/** Step 3: carries tasks out. The only service besides the api that writes to the store. */
export interface Conductor {
  /** What the hosts say of a resource. `undefined`: proved absent. */
  observe(
    record: ResourceRecord,
    signal: AbortSignal | undefined,
  ): Promise<Observation<JsonObject, JsonObject> | undefined>;
  act(
    record: ResourceRecord,
    action: string,
    input: JsonObject,
    token: Secret,
    signal: AbortSignal | undefined,
  ): Promise<JsonObject>;
}

/** Starts the conductor, and the scheduler beside it, on the bus. */
export function openConductor(services: ConductorServices): Conductor {
  const { bus, database, board, definitionOf } = services;
  bus.serve("conductor", {
    run_task: async ({ taskId, token }) => {
      await runTask(services, brandId(taskId), token === undefined ? undefined : new Secret(token));
      return undefined;
    },
    get_instance: async ({ taskId }) => {
      const task = requireTask(board, taskId);
      await task.tracer.time(15, () => undefined);
      const record = await task.tracer.time(16, () => readTaskRecord(database, taskId));
      return task.tracer.time(17, () => ({ record }));
    },
    journal: async ({ taskId, step, phase, outputs }) => {
      const id = brandId<"task">(taskId);
      if (phase === "intent") await journalIntent(database, id, step);
      else await journalResult(database, id, (await readTaskRecord(database, taskId)).id, step, outputs);
      await services.mirror.refresh();
      return undefined;
    },
    steps_ended: ({ taskId, failure }) => {
      requireTask(board, taskId).stepsEnded?.resolve(
        failure === undefined ? undefined : { step: failure.step, error: decodeError(failure.error) },
      );
      return Promise.resolve(undefined);
    },
  });
  bus.serve("scheduler", {
    select_destinations: async ({ hosts, request, weights }) => {
      const tracer = board.tracerOf(request.instanceIds[0]);
      await tracer?.time(9, () => undefined);
      const decide = () => schedule(hosts, request, services.schedulerOptions, { weights });
      return tracer === undefined ? decide() : tracer.time(10, decide);
    },
  });
  return {
    observe: (record, signal) => {
      const definition = definitionOf(record.type);
      if (definition.observe === undefined) return Promise.resolve({ drift: [] });
      return definition.observe(
        makeStepContext(services, record, idleTask(record.id, database, undefined, signal)),
      );
    },
    act: async (record, action, input, token, signal) => {
      const definition = definitionOf(record.type);
      const found = definition.actions?.[action];
      if (found === undefined) {
        throw new StackyardError("not-found", {
          message: `a ${record.type} has no action ${JSON.stringify(action)}`,
          remedy: `Actions: ${Object.keys(definition.actions ?? {}).join(", ") || "none"}.`,
        });
      }
      const parsed = found.input.safeParse(input);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        throw new StackyardError("invalid-input", {
          message: `the action ${action} was given a wrong input: ${issue?.message ?? ""}`,
          field: issue?.path.join(".") ?? "",
        });
      }
      const task = idleTask(record.id, database, token, signal);
      return found.run(makeStepContext(services, record, task), parsed.data as JsonObject);
    },
  };
}

/** Stands in for a task where none is stored: observations and actions. */
function idleTask(
  recordId: ResourceId,
  database: Database,
  token: Secret | undefined,
  signal: AbortSignal | undefined,
): TaskInWork {
  const controller = new AbortController();
  if (signal?.aborted === true) controller.abort(signal.reason);
  signal?.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
  return {
    id: newId<"task">(),
    recordId,
    token,
    controller,
    tracer: openTracer(database, recordId),
    progress: () => undefined,
    stepsEnded: undefined,
  };
}

async function readTaskRecord(
  database: Database | StoreTransaction,
  taskId: string,
): Promise<ResourceRecord> {
  const row = await database
    .selectFrom("tasks")
    .select("record_id")
    .where("id", "=", taskId)
    .executeTakeFirst();
  const record = row === undefined ? undefined : await readRecord(database, row.record_id);
  if (record === undefined)
    throw new StackyardError("not-found", { message: `the record of task ${taskId} is gone` });
  return record;
}

/** Carries a task out to its end, or leaves it to whoever has its lease. */
async function runTask(
  services: ConductorServices,
  taskId: TaskId,
  token: Secret | undefined,
): Promise<void> {
  const { database, board, mirror, definitionOf } = services;
  const lease = await takeLease(database, taskId);
  if (lease === undefined) return;
  try {
    const record = await readTaskRecord(database, taskId);
    const row = await database
      .selectFrom("tasks")
      .select("kind")
      .where("id", "=", taskId)
      .executeTakeFirstOrThrow();
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

/** One task on its way. */
interface Run {
  readonly services: ConductorServices;
  readonly task: TaskInWork;
  readonly definition: Definition;
  /** Nothing of it ever succeeded: a failure takes everything back. */
  readonly isCreate: boolean;
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
    const record = await readTaskRecord(transaction, task.id);
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
      const record = await readTaskRecord(database, task.id);
      const patch = await step.run(makeStepContext(services, record, task));
      // The step may have written the record itself, e.g. its claim.
      const after = await readTaskRecord(database, task.id);
      await journalResult(
        database,
        task.id,
        record.id,
        step.name,
        patch === undefined ? undefined : { ...after.outputs, ...patch },
      );
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
  const record = await readTaskRecord(database, task.id);
  const ended = Promise.withResolvers<StepsEnd>();
  task.stepsEnded = ended;
  const host = String(record.outputs["host"]);
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

/** An interruption is not the step's fault: it is told apart, so that nothing is taken back. */
export function toFailure(error: unknown, task: TaskInWork, attempting: string): StackyardError {
  if (!task.controller.signal.aborted) return toStackyardError(error, attempting);
  return new StackyardError("interrupted", { message: `${attempting} was interrupted`, cause: error });
}

/** Decides what becomes of a failed step. Returns the index to go on at, or `undefined` when the task has ended. */
async function handleFailure(run: Run, failedAt: number, error: StackyardError): Promise<number | undefined> {
  const { services, task, definition, isCreate } = run;
  const { database } = services;
  const failed = definition.reconcile[failedAt];
  const record = await readTaskRecord(database, task.id);
  const hostId = typeof record.outputs["hostId"] === "string" ? record.outputs["hostId"] : undefined;
  const isHostSide = hostId !== undefined && failed?.on === "compute" && hostSideCodes.has(error.code);
  await journalFailure(database, task.id, failed?.name ?? "", {
    hostId: isHostSide ? hostId : undefined,
    error,
  });
  if (isCreate && isHostSide && failed.sparesHost !== true)
    await database.transaction().execute((transaction) => countBuild(transaction, record, true));

  if (!isCreate || failed?.keepOnFailure === true || error.code === "interrupted") {
    await keepFaulty(run, record.id, error);
    return undefined;
  }
  if (error.code === "no-valid-host" && failed?.reschedulesHere === true) {
    const failures = await describeHostFailures(run);
    if (failures.length === 0) return giveUp(run, failedAt, error);
    const reason = `Exhausted all hosts available for retrying build failures for instance ${record.id}.`;
    return giveUp(run, failedAt, retriesExhausted(reason, [...failures, ...error.notes]));
  }
  const again = definition.reconcile.findIndex((step) => step.reschedulesHere === true);
  if (isHostSide && again !== -1 && again <= failedAt) {
    const failures = await describeHostFailures(run);
    const undone = await undoSteps(run, failedAt, again);
    if (undone !== undefined) return keepFaulty(run, record.id, withCleanupFailure(error, undone));
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
  const record = await readTaskRecord(services.database, task.id);
  if (undone !== undefined) return keepFaulty(run, record.id, withCleanupFailure(error, undone));
  await services.database.transaction().execute(async (transaction) => {
    await deleteRecord(transaction, record.id);
    await giveBack(transaction, record, services.definitionOf);
    await finishTask(transaction, task.id, error);
  });
  return undefined;
}

/** What a replacement had taken over goes back to the resource that it was to replace. */
async function giveBack(
  transaction: StoreTransaction,
  { type, maker }: ResourceRecord,
  definitionOf: ConductorServices["definitionOf"],
): Promise<void> {
  if (maker === undefined) return;
  for (const { id, inputs } of await listRecordsOfMaker(transaction, type, maker)) {
    await reserve(transaction, id, definitionOf(type).reservations?.(inputs) ?? []);
    await updateRecord(transaction, id, {}, new Date().toISOString());
  }
}

/** Undoes steps from `from` down to `to`. Returns the error that stopped it, if one did. */
async function undoSteps(
  { services, task, definition }: Run,
  from: number,
  to: number,
): Promise<StackyardError | undefined> {
  const { id } = await readTaskRecord(services.database, task.id);
  // From now on it is on its way out: the builds of others must wire nothing for it.
  await writeStatus(services, id, "deleting");
  for (let index = from; index >= to; index--) {
    const step = definition.reconcile[index];
    if (step?.undo === undefined) continue;
    try {
      task.progress(`taking back ${step.name}`);
      const record = await readTaskRecord(services.database, task.id);
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

function withCleanupFailure(error: StackyardError, cleanup: StackyardError): StackyardError {
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
async function keepFaulty(
  { services, task }: Run,
  recordId: ResourceId,
  error: StackyardError,
): Promise<undefined> {
  await services.database.transaction().execute(async (transaction) => {
    const at = new Date().toISOString();
    const fault = { code: error.code, message: error.message, at };
    await updateRecord(transaction, recordId, { status: "error", fault }, at);
    await finishTask(transaction, task.id, error);
  });
  return undefined;
}

async function carryOutRemoval(run: Run): Promise<void> {
  const { services, task, definition } = run;
  const failure = await runHere(run, definition.remove);
  const record = await readTaskRecord(services.database, task.id);
  if (failure !== undefined) {
    await journalFailure(services.database, task.id, failure.step, {
      hostId: undefined,
      error: failure.error,
    });
    await keepFaulty(run, record.id, failure.error);
    return;
  }
  await services.database.transaction().execute(async (transaction) => {
    await deleteRecord(transaction, record.id);
    await finishTask(transaction, task.id, undefined);
  });
}

async function endTask(database: Database, taskId: TaskId, error: StackyardError): Promise<void> {
  await database.transaction().execute((transaction) => finishTask(transaction, taskId, error));
}

async function finishTask(
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
async function countBuild(
  transaction: StoreTransaction,
  record: ResourceRecord,
  failed: boolean,
): Promise<void> {
  const hostId = record.outputs["hostId"];
  if (typeof hostId !== "string") return;
  await transaction
    .updateTable("providers")
    .set((expression) => ({ failed_builds: failed ? expression("failed_builds", "+", 1) : 0 }))
    .where("host_id", "=", hostId)
    .execute();
}
