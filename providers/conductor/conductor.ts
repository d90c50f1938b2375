import type { AdoptionChange, AdoptionRequest } from "../core/adoption.ts";
import type { OnWaiting, WaitOptions } from "../core/cloud.ts";
import { decodeError, StackyardError } from "../core/errors.ts";
import { brandId, newId, type ResourceId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import {
  findAction,
  type Definition,
  type Observation,
  type StepContext,
  type TaskAction,
  type World,
} from "../core/resource.ts";
import { Secret } from "../core/secret.ts";
import type { Database } from "../store/database.ts";
import { updateRecord } from "../store/records.ts";
import { judgeAdoption, lookForAdoption, type AdoptionLook } from "./adoption.ts";
import { observeTogether } from "./drift.ts";
import { runTask } from "./flow.ts";
import { journalIntent, journalResult } from "./journal.ts";
import { previewFlow, type FlowPreview } from "./preview.ts";
import { PreviewedPlaces } from "./previewed-places.ts";
import { readTaskRecord, type ConductorServices } from "./run.ts";
import { makeStepContext } from "./step-context.ts";
import { requireTask, type TaskInWork } from "./task-board.ts";
import { openTracer } from "./tracer.ts";

/** Step 3: carries tasks out. The only service besides the api that writes to the store. */
export interface Conductor {
  /** What the hosts say of a resource. `undefined`: proved absent. */
  observe(
    record: ResourceRecord,
    signal: AbortSignal | undefined,
  ): Promise<Observation<JsonObject, JsonObject> | undefined>;
  /** The same of many, in one round trip a host. `deep` reads the files of images whole. */
  observeAll(
    records: readonly ResourceRecord[],
    options: {
      readonly deep: boolean;
      readonly signal: AbortSignal | undefined;
      readonly onWaiting: OnWaiting | undefined;
    },
  ): ReturnType<typeof observeTogether>;
  /**
   * What carrying out a plan would do. `before`: as the resource is; absent for one that is made, or made anew. `world`: the store with the plans of
   * what the resource refers to.
   */
  preview(
    planned: ResourceRecord,
    before: ResourceRecord | undefined,
    world: World,
    signal: AbortSignal | undefined,
  ): Promise<FlowPreview>;
  /** Looks at a domain of a host that may become a server. Raises what keeps it from that. */
  lookForAdoption(
    host: ResourceRecord,
    request: Pick<AdoptionRequest, "domain" | "inputs">,
    signal: AbortSignal | undefined,
  ): Promise<AdoptionLook>;
  /** What of the domain is otherwise once it is the server that the record says. Raises what keeps it from being that one. */
  judgeAdoption(look: AdoptionLook, planned: ResourceRecord): Promise<readonly AdoptionChange[]>;
  /**
   * Does what an action does within the call, and answers; of one that is a task it checks whether it may begin, and returns the outputs to begin with.
   */
  act(
    record: ResourceRecord,
    action: string,
    input: JsonObject,
    token: Secret,
    options: WaitOptions,
  ): Promise<ActionOutcome>;
}

/** What became of an action. */
export type ActionOutcome =
  | { readonly answer: JsonObject }
  | { readonly begun: JsonObject; readonly action: TaskAction<JsonObject, JsonObject> };

/** Starts the conductor, and the scheduler beside it, on the bus. */
export function openConductor(services: ConductorServices): Conductor {
  const { bus, database, board, definitionOf } = services;
  const places = new PreviewedPlaces(services.mirror);
  bus.serve("conductor", {
    run_task: async ({ taskId, token }) => {
      await runTask(services, brandId(taskId), token === undefined ? undefined : new Secret(token));
      return undefined;
    },
    get_instance: async ({ taskId }) => {
      const task = requireTask(board, taskId);
      await task.tracer.time(15, () => undefined);
      const record = await task.tracer.time(16, () => readTaskRecord(database, task));
      return task.tracer.time(17, () => ({ record }));
    },
    journal: async ({ taskId, step, phase, outputs }) => {
      const { id, recordId } = requireTask(board, taskId);
      if (phase === "intent") await journalIntent(database, id, step);
      else await journalResult(database, id, recordId, step, outputs);
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
      // Most processes place nothing, and are spared the time that filters and weighers take to load.
      const { schedule } = await import("../scheduler/schedule.ts");
      const decide = () => schedule(hosts, request, services.schedulerOptions, { weights });
      return tracer === undefined ? decide() : tracer.time(10, decide);
    },
  });
  return {
    observe: (record, signal) => {
      const definition = definitionOf(record.type);
      if (definition.observe === undefined) return Promise.resolve({ drift: [] });
      return definition.observe(
        makeStepContext(
          services,
          record,
          idleTask(record.id, database, undefined, signal === undefined ? {} : { signal }),
        ),
      );
    },
    observeAll: (records, { deep, signal = new AbortController().signal, onWaiting }) =>
      observeTogether(records, {
        scan: services.scan,
        ports: services.ports,
        definitionOf,
        contextOf: (record, ports) =>
          makeStepContext(
            { ...services, ports: { ...services.ports, ...ports } },
            record,
            idleTask(record.id, database, undefined, { signal }),
          ),
        deep,
        signal,
        onWaiting,
      }),
    preview: (planned, before, world, signal) =>
      previewFlow({ ...services, places }, planned, before, world, ({ id }) =>
        idleTask(id, database, undefined, signal === undefined ? {} : { signal }),
      ),
    lookForAdoption: (host, request, signal = new AbortController().signal) =>
      lookForAdoption(services, host, request, signal),
    judgeAdoption: (look, planned) => judgeAdoption(services, look, planned),
    act: async (record, action, input, token, options) => {
      const definition = definitionOf(record.type);
      const found = findAction(definition, action);
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
      if (found.role !== "reader") refuseBusy(record, action);
      const context = makeStepContext(services, record, idleTask(record.id, database, token, options));
      if ("steps" in found) {
        await services.mirror.refresh();
        return { begun: await found.begin(context, parsed.data as JsonObject), action: found };
      }
      const answer = await found.run(context, parsed.data as JsonObject);
      if (found.role !== "reader") await noteOutputs(services, definition, context);
      return { answer };
    },
  };
}

/** Nothing is done to a resource beside its task (nova: api/openstack/common.py, InstanceInvalidState). */
export function refuseBusy({ type, name, status }: ResourceRecord, action: string): void {
  if (status !== "building" && status !== "deleting") return;
  throw new StackyardError("wrong-state", {
    message: `cannot ${action} ${type} ${JSON.stringify(name)} while it is ${status}`,
    remedy: "Wait until that has ended, or apply or remove it anew if it was interrupted.",
  });
}

/** What an action changed is in the record too, so that lists show it without asking hosts. */
async function noteOutputs(
  { database, mirror }: ConductorServices,
  definition: Definition,
  context: StepContext<JsonObject, JsonObject>,
): Promise<void> {
  const seen = await definition.observe?.(context);
  if (seen?.outputs === undefined) return;
  const outputs = { ...context.outputs, ...seen.outputs };
  await database
    .transaction()
    .execute((transaction) =>
      updateRecord(transaction, context.record.id, { outputs }, new Date().toISOString()),
    );
  await mirror.refresh();
}

/** Stands in for a task where none is stored: observations and actions. */
function idleTask(
  recordId: ResourceId,
  database: Database,
  token: Secret | undefined,
  { signal, onProgress = () => undefined }: WaitOptions,
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
    progress: onProgress,
    stepsEnded: undefined,
  };
}
