import type { AdoptionPreview, AdoptionRequest } from "../core/adoption.ts";
import type { Authenticate, Session } from "../authenticate/authenticate.ts";
import type { ScryptCost } from "../authenticate/password.ts";
import { authorize, authorizeAdministration, isAllowed, type Verb } from "../authenticate/policy.ts";
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
  Preview,
  Planned,
  PlanRequest,
  ReadOptions,
  ResourceView,
  WaitOptions,
} from "../core/cloud.ts";
import { StackyardError } from "../core/errors.ts";
import type { PreviewDetail } from "../core/preview-detail.ts";
import type { ResourceId } from "../core/ids.ts";
import { textOf, type JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Secret } from "../core/secret.ts";
import type { Definition, WorldEntry } from "../core/resource.ts";
import { listReferences } from "../core/validate.ts";
import { updateRecord } from "../store/records.ts";
import { requestOfAdoption, type PlannedAdoption } from "./adoption.ts";
import { forgetOnceOnly, issueError, writeTask } from "./apply.ts";
import { refuseReferenced } from "./dependents.ts";
import { isUnfinished, reportDrift, reportInterrupted } from "./drift.ts";
import { loginTrace, openRequestTrace } from "./request-trace.ts";
import { planResource, projectOf, type Planner } from "./plan.ts";
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

/**
 * Step 2: the facade for one user. Every call validates the token, validates, authorises; only then anything is written.
 *
 * A token in the second half of its life is renewed by `logIn`, so that a long update outlives its first one, and a build has at least half a
 * life for all the services that validate it (keystoneauth: identity/base.py; nova has service tokens for the latter).
 */
export function openFacade(services: CloudServices, opened: Session, logIn: () => Promise<Session>): Cloud {
  const { database, mirror, authenticate, definitions, conductor } = services;
  const planned = new PlannedWorld(mirror);
  const recovery = new Recovery(services, (record) => refuseReferenced(record, mirror, definitionOf));

  function definitionOf(type: string): Definition {
    const definition = definitions.find((candidate) => candidate.type === type);
    if (definition !== undefined) return definition;
    throw new StackyardError("not-found", {
      message: `there is no resource type ${JSON.stringify(type)}`,
      remedy: `Types: ${definitions.map((candidate) => candidate.type).join(", ")}.`,
    });
  }

  let session = opened;
  let renewal: Promise<Session> | undefined;
  let isEnded = false;
  let closing: Promise<void> | undefined;

  async function renewToken(): Promise<void> {
    const { issuedAtMs, expiresAtMs } = session.principal;
    if (isEnded || Date.now() < (issuedAtMs + expiresAtMs) / 2) return;
    renewal ??= logIn().finally(() => (renewal = undefined));
    session = await renewal;
  }

  const tokenOf = (): Secret => session.token;

  async function begin(): Promise<Principal> {
    await renewToken();
    const principal = await authenticate.validate(session.token);
    await mirror.refresh();
    return principal;
  }

  function permit(
    principal: Principal,
    verb: Verb,
    definition: Definition,
    record: Pick<ResourceRecord, "id" | "projectId">,
  ): void {
    authorize(principal, { verb, definition, projectId: record.projectId, id: record.id });
  }

  function mayDo(principal: Principal, verb: Verb, { type, projectId, id }: WorldEntry): boolean {
    return isAllowed(principal, { verb, definition: definitionOf(type), projectId, id });
  }

  function plannerFor(principal: Principal): Planner {
    return {
      principal,
      mayRead: (entry) => mayDo(principal, "read", entry),
      mayUpdate: (entry) => mayDo(principal, "update", entry),
    };
  }

  function stored(type: string, id: string): ResourceRecord | undefined {
    const record = mirror.find(id);
    return record?.type === type ? record : undefined;
  }

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

  async function plan(request: PlanRequest): Promise<Planned> {
    const principal = await begin();
    const definition = definitionOf(request.type);
    const { inputs, issues, change } = planResource(definition, request, plannerFor(principal), planned);
    return { inputs, issues, change };
  }

  async function preview(request: PlanRequest, signal?: AbortSignal): Promise<Preview> {
    const principal = await begin();
    const definition = definitionOf(request.type);
    const result = planResource(definition, request, plannerFor(principal), planned);
    const { id, issues, change } = result;
    const shown = { inputs: result.inputs, issues, change, domains: [], commands: [] };
    if (issues.length > 0 || id === undefined || planned.isIncomplete(id)) return shown;
    const { id: known, ...inputs } = { ...result.inputs, id };
    const projectId = projectOf(definition, inputs);
    const before = stored(request.type, known);
    permit(principal, before === undefined ? "create" : "update", definition, { id, projectId });
    if (before !== undefined) permit(principal, "update", definition, before);
    if (!principal.isAdmin) return { ...shown, incomplete: hiddenPreview() };
    const isKept = before !== undefined && change.action !== "replace";
    const record = toPlannedRecord(
      definition,
      request,
      { id, projectId, inputs },
      isKept ? before : undefined,
    );
    return { ...shown, ...(await conductor.preview(record, isKept ? before : undefined, planned, signal)) };
  }

  /** Looks at what is to be adopted, and plans the server that it becomes. */
  async function planAdoption(
    { host, domain, inputs }: AdoptionRequest,
    signal: AbortSignal | undefined,
  ): Promise<PlannedAdoption> {
    const principal = await begin();
    authorizeAdministration(principal, "servers:adopt");
    const definition = definitionOf("server");
    const place = findVisible(principal, "host", host);
    const look = await conductor.lookForAdoption(place, { domain, inputs }, signal);
    const request = requestOfAdoption(look);
    const { change, issues, ...result } = planResource(definition, request, plannerFor(principal), planned);
    const plan = { inputs: result.inputs, issues, change };
    if (issues.length > 0 || result.id === undefined)
      return { look, request, plan, changes: [], record: undefined };
    const { id, ...completed } = { ...result.inputs, id: result.id };
    const projectId = projectOf(definition, completed);
    const filled = toPlannedRecord(definition, request, { id, projectId, inputs: completed }, look.begun);
    const record = { ...filled, outputs: { ...filled.outputs, ...look.outputs } };
    try {
      return { look, request, plan, record, changes: await conductor.judgeAdoption(look, record) };
    } catch (error) {
      planned.drop(id);
      throw error;
    }
  }

  async function previewAdoption(request: AdoptionRequest, signal?: AbortSignal): Promise<AdoptionPreview> {
    const { look, plan: shown, record, changes } = await planAdoption(request, signal);
    const { found, adoption, host } = look;
    const known = { host: host.name, adoption, changes, ...(found === undefined ? {} : { found }) };
    if (record === undefined) return { ...shown, ...known, domains: [], commands: [] };
    return { ...shown, ...known, ...(await conductor.preview(record, undefined, planned, signal)) };
  }

  async function adopt(asked: AdoptionRequest, options: WaitOptions = {}): Promise<ResourceView> {
    const { look, request, plan: shown } = await planAdoption(asked, options.signal);
    const { type, maker, defaultName } = request;
    return applyFrom({ ...options, type, maker, defaultName, inputs: shown.inputs }, look.outputs);
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
    const result = planResource(definition, request, plannerFor(principal), planned);
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
    const created = await recovery.follow(id, tokenOf, async () => {
      const taskId = await writeTask(services, definition, desired, async (transaction) => {
        if (projectId !== null)
          await checkQuota(transaction, definitions, { ...desired, definition, projectId }, planned);
        if (request.type !== "server" || before !== undefined) return;
        await beginTrace(transaction, id, [...loginTrace(principal), ...trace.events, trace.last(7)]);
      });
      await mirror.refresh();
      planned.drop(id);
      return runTask(services, taskId, session.token, request);
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
    await recovery.follow(record.id, tokenOf, async () => {
      await mirror.refresh();
      if (stored(type, id) === undefined) return;
      refuseReferenced(record, mirror, definitionOf);
      const taskId = await database.transaction().execute(async (transaction) => {
        await supersedeTasks(transaction, record.id);
        await updateRecord(transaction, record.id, { status: "deleting" }, new Date().toISOString());
        return insertTask(transaction, record, "remove");
      });
      await runTask(services, taskId, session.token, options);
      planned.drop(id);
    });
  }

  async function find(type: string, idOrName: string): Promise<ResourceView> {
    const shown = await view(findVisible(await begin(), type, idOrName), { observe: false });
    if (shown === undefined) throw new StackyardError("internal", { message: "a record could not be shown" });
    return shown;
  }

  /** By id, else by name; of several of one name, the one of the principal's own project. */
  function findVisible(principal: Principal, type: string, idOrName: string): ResourceRecord {
    const definition = definitionOf(type);
    const visible = mirror.all(type).filter((record) => mayDo(principal, "read", record));
    const matches = visible.filter((record) => record.id === idOrName);
    const named = matches.length > 0 ? matches : visible.filter((record) => record.name === idOrName);
    const own = named.filter((record) => record.projectId === principal.projectId);
    const [record, ...more] = named.length > 1 && own.length === 1 ? own : named;
    if (record === undefined)
      throw new StackyardError("not-found", {
        message: `there is no ${type} ${JSON.stringify(idOrName)}`,
        field: type,
        value: idOrName,
      });
    if (more.length > 0) {
      throw new StackyardError("conflict", {
        message: `${String(more.length + 1)} ${definition.plural} are called ${JSON.stringify(idOrName)}`,
        remedy: `Use the id: ${[record, ...more].map((match) => match.id).join(", ")}.`,
      });
    }
    return record;
  }

  async function requireRecord(
    type: string,
    id: string,
    verb: Verb,
  ): Promise<{ readonly principal: Principal; readonly record: ResourceRecord }> {
    const principal = await begin();
    const record = stored(type, id);
    if (record === undefined)
      throw new StackyardError("not-found", { message: `there is no ${type} ${id}`, value: id });
    permit(principal, verb, definitionOf(type), record);
    return { principal, record };
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
        : [(await requireRecord(resource.type, resource.id, "read")).record];
    const asked = visible.filter(({ type }) => definitionOf(type).observe !== undefined);
    const settled = asked.filter((record) => !isUnfinished(record));
    const broken = await database.transaction().execute((transaction) => listInterrupted(transaction));
    const brokenIds = new Set(broken.map(({ record }) => record.id));
    const { observed, failures } = await conductor.observeAll(settled, { deep, signal, onWaiting });
    return {
      inWork: asked.filter((record) => isUnfinished(record) && !brokenIds.has(record.id)).length,
      interrupted: reportInterrupted(visible, broken),
      ...reportDrift(observed, failures),
    };
  }

  return {
    previewDetail: services.previewDetail,
    plan,
    preview,
    apply: (request) => applyFrom(request, {}),
    previewAdoption,
    adopt,
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
      const { record } = await requireRecord(type, id, { act: action });
      return conductor.act(record, action, input, session.token, options);
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
    guestAccess: async (serverId) =>
      services.guestAccess((await requireRecord("server", serverId, "read")).record),
    revoke: () => {
      isEnded = true;
      return authenticate.revoke(session.token);
    },
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

/** The record as it would be written. It is written nowhere. */
function toPlannedRecord(
  { type }: Definition,
  { maker, defaultName }: PlanRequest,
  { id, projectId, inputs }: Pick<ResourceRecord, "id" | "projectId" | "inputs">,
  before: ResourceRecord | undefined,
): ResourceRecord {
  const at = new Date().toISOString();
  const name = textOf(inputs, "name") ?? defaultName;
  const made = { outputs: {}, maker: maker ?? id, revision: 0, createdAt: at, updatedAt: at };
  return { ...made, ...before, id, type, projectId, name, inputs, status: "building" };
}

/** Why a preview ends with the plan for who does not administer the cloud. */
function hiddenPreview(): NonNullable<Preview["incomplete"]> {
  const message = "the host, its filters and its commands are shown to administrators of the cloud";
  return { step: "placement", error: new StackyardError("forbidden", { message }) };
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
