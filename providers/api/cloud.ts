import type { Authenticate, Session } from "../authenticate/authenticate.ts";
import type { ScryptCost } from "../authenticate/password.ts";
import { authorizeAdministration } from "../authenticate/policy.ts";
import type { Principal } from "../authenticate/principal.ts";
import type { Conductor } from "../conductor/conductor.ts";
import { listInterrupted } from "../conductor/interrupted.ts";
import { readJournal } from "../conductor/journal.ts";
import { listAbandoned } from "../conductor/leftovers.ts";
import { beginTrace, readTrace } from "../conductor/tracer.ts";
import type {
  ApplyRequest,
  Cloud,
  DriftOptions,
  DriftReport,
  GuestAccess,
  Leftover,
  LeftoverReport,
  LookOptions,
  PlacementAnswer,
  PlacementQuestion,
  ReadOptions,
  ResourceView,
} from "../core/cloud.ts";
import { StackyardError } from "../core/errors.ts";
import type { PreviewDetail } from "../core/preview-detail.ts";
import type { ResourceId } from "../core/ids.ts";
import { textOf, type JsonObject } from "../core/json.ts";
import { isUnfinished, type ResourceRecord } from "../core/record.ts";
import type { Definition } from "../core/resource.ts";
import { listReferences } from "../core/validate.ts";
import { updateRecord } from "../store/records.ts";
import { openAccess } from "./access.ts";
import { planAdoption, previewAdoption } from "./adoption.ts";
import { forgetOnceOnly, issueError, writeActionTask, writeTask } from "./apply.ts";
import { refuseReferenced } from "./dependents.ts";
import { reportDrift, reportInterrupted } from "./drift.ts";
import { loginTrace, openRequestTrace } from "./request-trace.ts";
import { planResource, projectOf } from "./plan.ts";
import { previewPlan } from "./preview.ts";
import { checkQuota } from "./quota.ts";
import { Recovery } from "./recovery.ts";
import { omitOnceOnly, omitSecrets } from "./secrets.ts";
import { insertTask, runTask, supersedeTasks, type TaskServices } from "./task.ts";
import { PlannedWorld } from "./world.ts";

/** What the facade works with. */
export interface CloudServices extends TaskServices {
  readonly conductor: Conductor;
  readonly authenticate: Authenticate;
  readonly scryptCost: ScryptCost;
  readonly definitions: readonly Definition[];
  /** Handed on by the facade, as are the services after it. The question names resources by their ids. */
  readonly explainPlacement: (question: PlacementQuestion, principal: Principal) => Promise<PlacementAnswer>;
  readonly listLeftovers: (options: LookOptions) => Promise<LeftoverReport>;
  readonly removeLeftover: (leftover: Leftover, signal: AbortSignal | undefined) => Promise<void>;
  readonly guestAccess: (server: ResourceRecord) => GuestAccess;
  readonly previewDetail: PreviewDetail;
  /** One line for whoever runs the session, about what it does unasked. */
  readonly notify: (line: string) => void;
  readonly close: () => Promise<void>;
}

/** Step 2: the facade for one user. Every call validates the token, validates, authorises; only then anything is written. */
export function openFacade(services: CloudServices, opened: Session, logIn: () => Promise<Session>): Cloud {
  const { database, mirror, authenticate, definitions, conductor } = services;
  const access = openAccess(services, opened, logIn);
  const { begin, definitionOf, mayDo, permit, stored, findVisible, requireRecord } = access;
  const planned = new PlannedWorld(mirror);
  const looking = { access, conductor, planned };
  const recovery = new Recovery(services, (record) => refuseReferenced(record, mirror, definitionOf));
  let closing: Promise<void> | undefined;

  async function view(
    record: ResourceRecord,
    { observe = true, signal }: ReadOptions,
  ): Promise<ResourceView | undefined> {
    const definition = definitionOf(record.type);
    const seen = observe ? await conductor.observe(record, signal) : { drift: [] };
    if (seen === undefined) return undefined;
    return {
      id: record.id,
      type: record.type,
      record: {
        ...record,
        inputs: omitSecrets(definition, record.inputs),
        outputs: omitOnceOnly(definition, record.outputs),
        ...(record.applied === undefined ? {} : { applied: omitSecrets(definition, record.applied) }),
      },
      inputs: { ...omitSecrets(definition, record.inputs), ...seen.inputs },
      outputs: { ...omitOnceOnly(definition, record.outputs), ...seen.outputs },
      drift: seen.drift,
    };
  }

  /** Applies; a new resource begins with `outputs`. */
  async function applyFrom(request: ApplyRequest, outputs: JsonObject): Promise<ResourceView> {
    const trace = openRequestTrace();
    trace.note(4);
    const principal = await begin();
    trace.note(5);
    const definition = definitionOf(request.type);
    const givenId = request.inputs["id"];
    const before = typeof givenId === "string" ? stored(request.type, givenId) : undefined;
    // What an apply refers to is there: nothing that was only planned, or not known in a plan, stands in for it.
    for (const reference of listReferences(definition, request.inputs)) planned.drop(reference.id);
    const result = planResource(definition, request, access.plannerFor(principal), planned);
    const [issue] = result.issues;
    if (issue !== undefined) throw issueError(request, issue, result.issues);
    if (result.id === undefined)
      throw new StackyardError("internal", { message: "a resource was applied without its identity" });
    const { id, ...inputs } = { ...result.inputs, id: result.id };
    const projectId = projectOf(definition, inputs);
    permit(principal, before === undefined ? "create" : "update", definition, { id, projectId });
    if (before !== undefined) permit(principal, "update", definition, before);
    trace.note(6);
    const replaced = new Set([...planned.replaced, ...listPredecessors(principal, request, id, inputs)]);
    const desired = { ...request, id, inputs, projectId, before, replaced, outputs };
    const created = await recovery.follow(id, access.token, async () => {
      const taskId = await writeTask(services, definition, desired, async (transaction) => {
        if (projectId !== null)
          await checkQuota(transaction, definitions, { ...desired, definition, projectId }, planned);
        if (request.type !== "server" || before !== undefined) return;
        await beginTrace(transaction, id, [...loginTrace(principal), ...trace.events, trace.last(7)]);
      });
      await mirror.refresh();
      planned.drop(id);
      return runTask(services, taskId, access.token(), request);
    });
    const record = mirror.find(id) ?? created;
    if (record === undefined)
      throw new StackyardError("not-found", {
        message: `${request.type} ${id} was removed meanwhile`,
        value: id,
      });
    const shown = await view(record, { observe: false });
    if (shown === undefined) throw new StackyardError("internal", { message: "a record could not be shown" });
    // What is given once is given now, and dropped from the store.
    const given = { ...record.outputs };
    await forgetOnceOnly(database, definition, record);
    return { ...shown, inputs: { ...request.inputs, ...shown.inputs, id }, outputs: given };
  }

  /** What the same maker has under this name and another id: it is replaced, whoever planned that, and in whichever process. */
  function listPredecessors(
    principal: Principal,
    { type, maker, defaultName }: ApplyRequest,
    id: ResourceId,
    inputs: JsonObject,
  ): readonly ResourceId[] {
    const name = textOf(inputs, "name") ?? defaultName;
    return mirror
      .all(type)
      .filter((record) => record.maker === maker && record.name === name && record.id !== id)
      .filter((record) => mayDo(principal, "update", record))
      .map((record) => record.id);
  }

  async function read(
    type: string,
    id: string,
    options: ReadOptions = {},
  ): Promise<ResourceView | undefined> {
    const principal = await begin();
    const record = stored(type, id);
    if (record === undefined) {
      definitionOf(type);
      return undefined;
    }
    permit(principal, "read", definitionOf(type), record);
    return view(record, options);
  }

  async function remove(
    type: string,
    id: string,
    options: Parameters<Cloud["remove"]>[2] = {},
  ): Promise<void> {
    const principal = await begin();
    const definition = definitionOf(type);
    const record = stored(type, id);
    if (record === undefined) return;
    permit(principal, "remove", definition, record);
    await recovery.follow(record.id, access.token, async () => {
      await mirror.refresh();
      if (stored(type, id) === undefined) return;
      refuseReferenced(record, mirror, definitionOf);
      const taskId = await database.transaction().execute(async (transaction) => {
        await supersedeTasks(transaction, record.id);
        await updateRecord(transaction, record.id, { status: "deleting" }, new Date().toISOString());
        return insertTask(transaction, record, "remove");
      });
      await runTask(services, taskId, access.token(), options);
      planned.drop(id);
    });
  }

  async function find(type: string, idOrName: string): Promise<ResourceView> {
    const shown = await view(findVisible(await begin(), type, idOrName), { observe: false });
    if (shown === undefined) throw new StackyardError("internal", { message: "a record could not be shown" });
    return shown;
  }

  async function drift({
    resource,
    deep = false,
    signal,
    onWaiting,
  }: DriftOptions = {}): Promise<DriftReport> {
    const principal = await begin();
    const visible =
      resource === undefined
        ? [...mirror.everything()].filter((record) => mayDo(principal, "read", record))
        : [await requireRecord(resource.type, resource.id, "read")];
    const asked = visible.filter(({ type }) => definitionOf(type).observe !== undefined);
    const settled = asked.filter((record) => !isUnfinished(record));
    const broken = await database.transaction().execute((transaction) => listInterrupted(transaction));
    const brokenIds = new Set(broken.map(({ record }) => record.id));
    const { observed, failures } = await conductor.observeAll(settled, { deep, signal, onWaiting });
    return {
      inWork: asked.filter(
        ({ id, owner, status }) =>
          isUnfinished({ status }) && !brokenIds.has(id) && (owner === undefined || !brokenIds.has(owner)),
      ).length,
      interrupted: reportInterrupted(visible, broken),
      ...reportDrift(observed, failures),
    };
  }

  return {
    previewDetail: services.previewDetail,
    plan: async (request) => {
      const principal = await begin();
      const definition = definitionOf(request.type);
      const { inputs, issues, change } = planResource(
        definition,
        request,
        access.plannerFor(principal),
        planned,
      );
      return { inputs, issues, change };
    },
    preview: (request, signal) => previewPlan(looking, request, signal),
    apply: (request) => applyFrom(request, {}),
    previewAdoption: (request, signal) => previewAdoption(looking, request, signal),
    adopt: async (asked, options = {}) => {
      const { look, request, plan } = await planAdoption(looking, asked, options.signal);
      const { type, maker, defaultName } = request;
      return applyFrom({ ...options, type, maker, defaultName, inputs: plan.inputs }, look.outputs);
    },
    read,
    drift,
    remove,
    find,
    list: async (type) => {
      const principal = await begin();
      definitionOf(type);
      const records = mirror.all(type).filter((record) => mayDo(principal, "read", record));
      const views = await Promise.all(records.map((record) => view(record, { observe: false })));
      return views.filter((entry) => entry !== undefined);
    },
    act: async (type, id, action, input, options = {}) => {
      const asked = await requireRecord(type, id, { act: action });
      const outcome = await conductor.act(asked, action, input, access.token(), options);
      if ("answer" in outcome) return outcome.answer;
      return recovery.follow(asked.id, access.token, async () => {
        const taskId = await writeActionTask(services, asked, action, outcome.begun);
        await mirror.refresh();
        const ended = await runTask(services, taskId, access.token(), options);
        return outcome.action.answer(ended?.outputs ?? {});
      });
    },
    trace: async (serverId) => {
      await requireRecord("server", serverId, "read");
      return readTrace(database, serverId);
    },
    explainPlacement: async (question) => {
      const principal = await begin();
      authorizeAdministration(principal, "placement:explain");
      requireCount(question.count ?? 1);
      const idOf = (type: string, idOrName: string): string => findVisible(principal, type, idOrName).id;
      return services.explainPlacement(
        {
          ...question,
          flavor: idOf("flavor", question.flavor),
          ...(question.image === undefined ? {} : { image: idOf("image", question.image) }),
          ...(question.serverGroup === undefined
            ? {}
            : { serverGroup: idOf("server-group", question.serverGroup) }),
        },
        principal,
      );
    },
    journal: async (id) => {
      const principal = await begin();
      const record = mirror.find(id);
      if (record === undefined) authorizeAdministration(principal, "journal:removed");
      else permit(principal, "read", definitionOf(record.type), record);
      return readJournal(database, id);
    },
    listLeftovers: async (options = {}) => {
      authorizeAdministration(await begin(), "leftovers:list");
      return services.listLeftovers(options);
    },
    removeLeftover: async (leftover, signal) => {
      authorizeAdministration(await begin(), "leftovers:remove");
      if (leftover.kind === "record") {
        const abandoned = await listAbandoned(database);
        const record = mirror.find(leftover.id);
        if (record !== undefined && abandoned.some(({ id }) => id === record.id))
          await remove(record.type, record.id, signal === undefined ? {} : { signal });
        return;
      }
      await services.removeLeftover(leftover, signal);
    },
    guestAccess: async (serverId) => services.guestAccess(await requireRecord("server", serverId, "read")),
    revoke: access.end,
    flushTokens: async () => {
      authorizeAdministration(await begin(), "tokens:flush");
      return authenticate.flush();
    },
    close: async ({ now = false } = {}) => {
      if (now) recovery.stop();
      else await recovery.settle();
      await (closing ??= services.close());
    },
  };
}

/** Servers that one question may ask about at most. */
const maxQuestionCount = 1_000;

function requireCount(count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= maxQuestionCount) return;
  throw new StackyardError("invalid-input", {
    message: `the scheduler is asked about 1 to ${String(maxQuestionCount)} servers at once`,
    field: "count",
    value: count,
    remedy: "Ask about fewer.",
  });
}
