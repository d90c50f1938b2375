import type { z } from "zod";
import type {
  ApplyRequest,
  Change,
  Cloud,
  DriftOptions,
  DriftReport,
  GuestAccess,
  Issue,
  JournalEntry,
  InterruptedWork,
  HostFailure,
  Leftover,
  LeftoverReport,
  PlacementAnswer,
  PlacementQuestion,
  Planned,
  PlanRequest,
  Preview,
  ReadOptions,
  ResourceName,
  ResourceView,
} from "../../providers/core/cloud.ts";
import { diffInputs, listIdentityFields } from "../../providers/core/diff.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import { policyOf, shapeOf, type FieldPolicy } from "../../providers/core/fields.ts";
import type { PreviewDetail } from "../../providers/core/preview-detail.ts";
import { brandId, deriveId, type ResourceId } from "../../providers/core/ids.ts";
import { canonicalJson, type JsonObject } from "../../providers/core/json.ts";
import type { ResourceRecord } from "../../providers/core/record.ts";
import type { Definition, Drift, World, WorldEntry } from "../../providers/core/resource.ts";
import type { TraceEvent } from "../../providers/core/trace.ts";
import { checkReferences, checkRules, parseInputs } from "../../providers/core/validate.ts";

/** What the fake cannot know by itself, since it has no hosts. */
export interface FakeCloudOptions {
  readonly definitions: readonly Definition[];
  /** Outputs of a resource after its flow. Default none. They must satisfy the definition. */
  readonly outputsOf?: (type: string, inputs: JsonObject) => JsonObject;
  /** The answer of an action. An action without one is an error. */
  readonly answerOf?: (type: string, action: string, input: JsonObject) => JsonObject | undefined;
  /** The scheduler's answer. */
  readonly placementOf?: (question: PlacementQuestion) => PlacementAnswer;
}

/**
 * The facade without hosts: plans, keeps, finds and removes resources by the real definitions, rules and diff, in memory.
 * Strict: an unknown type, an input that was not planned, and a second creation by another maker are errors.
 */
export class FakeCloud implements Cloud {
  /** Project that resources belong to which name none. */
  readonly projectId: ResourceId = brandId("00000000-0000-4000-8000-000000000001");
  /** As the user would set it. */
  previewDetail: PreviewDetail = "brief";
  /** By id. An apply repairs what has a label. */
  readonly drifts = new Map<string, readonly Drift[]>();
  /** Ids of resources whose task was broken off, until the next apply. */
  readonly interrupted = new Map<string, InterruptedWork>();
  readonly events = new Map<string, readonly TraceEvent[]>();
  /** Ids of resources whose next apply or remove, and of leftovers whose removal, fails with this error. */
  readonly failures = new Map<string, StackyardError>();
  /** Ids whose host cannot be asked. */
  readonly unreachable = new Set<string>();
  /** Ids whose host cannot be asked any more after the next apply. */
  readonly lostByApply = new Set<string>();
  /** What was applied, in order, secrets included. */
  readonly applied: ApplyRequest[] = [];
  readonly entries = new Map<string, readonly JournalEntry[]>();
  readonly leftovers = new Set<Leftover>();
  /** Hosts that a look at leftovers does not reach. */
  readonly hostFailures: HostFailure[] = [];
  readonly accesses = new Map<string, GuestAccess>();
  /** What previews say beside the plan. */
  previewed: Partial<Preview> = {};
  /** How many resources tasks are at work on. */
  inWork = 0;
  expiredTokenCount = 0;
  revoked = false;
  closed = false;
  readonly #options: FakeCloudOptions;
  readonly #records = new Map<string, ResourceRecord>();
  /** Resources that were planned without issues: later plans may refer to them, as in a preview. */
  readonly #planned = new Map<string, WorldEntry>();
  #clock = Date.parse("2026-01-02T03:04:05Z");

  constructor(options: FakeCloudOptions) {
    this.#options = options;
  }

  plan(request: PlanRequest): Promise<Planned> {
    const definition = this.#definition(request.type);
    const unknown = request.unknown ?? [];
    const given = Object.fromEntries(Object.entries(request.inputs).filter(([key]) => key !== "id"));
    const named: JsonObject =
      "name" in shapeOf(definition.inputs) ? { name: request.defaultName, ...given } : { ...given };
    const known = request.prior?.["id"] ?? request.inputs["id"];
    const identity = Object.fromEntries(listIdentityFields(definition).map((key) => [key, named[key]]));
    const id = brandId<"resource">(
      typeof known === "string" ? known : deriveId(request.maker ?? "", canonicalJson(identity)),
    );
    const parsed = parseInputs(definition, named, unknown);
    const context = { id, world: this.#world() };
    const completed = { ...parsed.inputs, ...definition.complete?.(parsed.inputs, context) };
    const issues =
      parsed.issues.length > 0
        ? parsed.issues
        : [
            ...checkReferences(definition, completed, context.world),
            ...checkRules(definition, completed, unknown, context),
            ...this.#listTaken(definition, id, completed, request.maker ?? ""),
          ];
    if (issues.length === 0) {
      const { type, defaultName: name } = request;
      this.#planned.set(id, { id, type, name, projectId: this.projectId, inputs: completed, outputs: {} });
    }
    return Promise.resolve({
      inputs: { ...completed, id },
      issues,
      change: this.#diff(definition, request.prior, completed),
    });
  }

  async preview(request: PlanRequest): Promise<Preview> {
    return { ...(await this.plan(request)), domains: [], commands: [], ...this.previewed };
  }

  apply(request: ApplyRequest): Promise<ResourceView> {
    const definition = this.#definition(request.type);
    const { id, ...inputs } = request.inputs;
    if (typeof id !== "string")
      return reject("internal", "apply was given inputs that plan did not complete");
    request.signal?.throwIfAborted();
    this.applied.push(request);
    const before = this.#records.get(id);
    if (before !== undefined && before.maker !== request.maker)
      return reject("not-ours", `the ${request.type} was made by another maker`);
    for (const step of definition.reconcile) request.onProgress?.(step.name);
    const failure = this.failures.get(id);
    this.failures.delete(id);
    this.interrupted.delete(id);
    if (this.lostByApply.has(id)) this.unreachable.add(id);
    this.drifts.set(
      id,
      (this.drifts.get(id) ?? []).filter(({ label }) => label === undefined),
    );
    const at = this.#now();
    const record: ResourceRecord = {
      id: brandId(id),
      type: request.type,
      projectId: definition.scope === "project" ? this.projectId : null,
      name: typeof inputs["name"] === "string" ? inputs["name"] : request.defaultName,
      inputs,
      outputs: failure === undefined ? this.#outputs(definition, inputs) : {},
      ...(failure === undefined ? { applied: inputs } : {}),
      status: failure === undefined ? "active" : "error",
      ...(failure === undefined ? {} : { fault: { code: failure.code, message: failure.message, at } }),
      maker: request.maker,
      revision: (before?.revision ?? 0) + 1,
      createdAt: before?.createdAt ?? at,
      updatedAt: at,
    };
    this.#records.set(id, record);
    if (failure !== undefined) return Promise.reject(failure);
    const view = this.#view(record);
    return Promise.resolve({ ...view, inputs: { ...inputs, id }, outputs: record.outputs });
  }

  previewAdoption(): Promise<never> {
    return reject("internal", "the fake has no hosts, and adopts nothing");
  }

  adopt(): Promise<never> {
    return this.previewAdoption();
  }

  read(type: string, id: string, options?: ReadOptions): Promise<ResourceView | undefined> {
    this.#definition(type);
    if (options?.observe !== false && this.unreachable.has(id))
      return reject("host-unreachable", "reading the resource: no answer from host h1");
    const record = this.#records.get(id);
    return Promise.resolve(record?.type === type ? this.#view(record) : undefined);
  }

  drift({ resource }: DriftOptions = {}): Promise<DriftReport> {
    const visible = [...this.#records.values()].filter(
      ({ type, id }) => resource === undefined || (resource.type === type && resource.id === id),
    );
    const asked = visible.filter(({ id }) => !this.interrupted.has(id));
    const nameOf = ({ type, id, name }: ResourceRecord): ResourceName => ({ type, id, name });
    return Promise.resolve({
      checked: asked.length,
      inWork: this.inWork,
      interrupted: visible.flatMap((record) => {
        const was = this.interrupted.get(record.id);
        return was === undefined ? [] : [{ resource: nameOf(record), was }];
      }),
      findings: asked
        .filter(({ id }) => !this.unreachable.has(id))
        .flatMap((record) =>
          (this.drifts.get(record.id) ?? []).map((drift) => ({ resource: nameOf(record), ...drift })),
        ),
      failures: asked
        .filter(({ id }) => this.unreachable.has(id))
        .map((record) => ({
          host: "h1",
          error: new StackyardError("host-unreachable", { message: "no answer from host h1" }),
          resources: [nameOf(record)],
        })),
    });
  }

  remove(
    type: string,
    id: string,
    options?: { readonly onProgress?: (line: string) => void; readonly signal?: AbortSignal },
  ): Promise<void> {
    const definition = this.#definition(type);
    options?.signal?.throwIfAborted();
    for (const step of definition.remove) options?.onProgress?.(step.name);
    const failure = this.failures.get(id);
    if (failure !== undefined) return Promise.reject(failure);
    this.#records.delete(id);
    return Promise.resolve();
  }

  list(type: string): Promise<readonly ResourceView[]> {
    this.#definition(type);
    return Promise.resolve(this.#all(type).map((record) => this.#view(record)));
  }

  find(type: string, idOrName: string): Promise<ResourceView> {
    this.#definition(type);
    const found = this.#all(type).filter(({ id, name }) => id === idOrName || name === idOrName);
    const [first, second] = found;
    if (first === undefined) return reject("not-found", `there is no such ${type}`, idOrName);
    if (second !== undefined) return reject("conflict", `several resources have this name`, idOrName);
    return Promise.resolve(this.#view(first));
  }

  act(type: string, id: string, action: string, input: JsonObject): Promise<JsonObject> {
    const known = this.#definition(type).actions?.[action];
    if (known === undefined) return reject("internal", `a ${type} has no action ${action}`);
    if (this.#records.get(id)?.type !== type) return reject("not-found", `there is no such ${type}`, id);
    const answer = this.#options.answerOf?.(type, action, input);
    return answer === undefined
      ? reject("internal", `the fake has no answer to ${type} ${action}: add one to answerOf`)
      : Promise.resolve(answer);
  }

  trace(serverId: string): Promise<readonly TraceEvent[]> {
    return Promise.resolve(this.events.get(serverId) ?? []);
  }

  explainPlacement(question: PlacementQuestion): Promise<PlacementAnswer> {
    const answer = this.#options.placementOf?.(question);
    return answer === undefined
      ? reject("internal", "the fake places nothing: add placementOf")
      : Promise.resolve(answer);
  }

  journal(id: string): Promise<readonly JournalEntry[]> {
    return Promise.resolve(this.entries.get(id) ?? []);
  }

  listLeftovers(): Promise<LeftoverReport> {
    return Promise.resolve({ leftovers: [...this.leftovers], failures: this.hostFailures });
  }

  removeLeftover(leftover: Leftover): Promise<void> {
    const failure = this.failures.get(leftover.id);
    if (failure !== undefined) return Promise.reject(failure);
    return this.leftovers.delete(leftover)
      ? Promise.resolve()
      : reject("not-found", "there is no such leftover", leftover.id);
  }

  guestAccess(serverId: string): Promise<GuestAccess> {
    const access = this.accesses.get(serverId);
    return access === undefined
      ? reject("wrong-state", "the server has no address", serverId)
      : Promise.resolve(access);
  }

  revoke(): Promise<void> {
    this.revoked = true;
    return Promise.resolve();
  }

  flushTokens(): Promise<number> {
    return Promise.resolve(this.expiredTokenCount);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  #definition(type: string): Definition {
    const definition = this.#options.definitions.find((candidate) => candidate.type === type);
    if (definition === undefined) throw new Error(`no definition of type ${type}`);
    return definition;
  }

  #diff(definition: Definition, prior: JsonObject | undefined, desired: JsonObject): Change {
    return prior === undefined ? { action: "create", fields: [] } : diffInputs(definition, prior, desired);
  }

  #outputs(definition: Definition, inputs: JsonObject): JsonObject {
    const outputs = this.#options.outputsOf?.(definition.type, inputs) ?? {};
    definition.outputs.partial().parse(outputs);
    return outputs;
  }

  #listTaken(definition: Definition, id: string, inputs: JsonObject, maker: string): readonly Issue[] {
    const world = this.#world();
    return (definition.reservations?.(inputs, brandId(id)) ?? []).flatMap(({ kind, scope, value, field }) => {
      const holder = world.holder(kind, scope, value);
      return holder === undefined || holder === id || this.#records.get(holder)?.maker === maker
        ? []
        : [{ code: "conflict" as const, field, value, message: `is taken by ${holder}` }];
    });
  }

  #all(type: string): readonly ResourceRecord[] {
    return [...this.#records.values()].filter((record) => record.type === type);
  }

  #world(): World {
    return {
      find: (type, id) =>
        [...this.#all(type), ...this.#planned.values()].find(
          (entry) => entry.type === type && entry.id === id,
        ),
      all: (type) => this.#all(type),
      holder: (kind, scope, value) =>
        [...this.#records.values()].find((record) =>
          this.#definition(record.type)
            .reservations?.(record.inputs, record.id)
            .some((held) => held.kind === kind && held.scope === scope && held.value === value),
        )?.id,
    };
  }

  /** As readers see it: without secrets, and without what is given once. */
  #view(record: ResourceRecord): ResourceView {
    const { id, type } = record;
    const definition = this.#definition(type);
    const inputs = omitFields(record.inputs, definition.inputs, (policy) => policy.secret === true);
    const outputs = omitFields(record.outputs, definition.outputs, (policy) => policy.onceOnly === true);
    return {
      id,
      type,
      record: { ...record, inputs, outputs },
      inputs,
      outputs,
      drift: this.drifts.get(id) ?? [],
    };
  }

  #now(): string {
    this.#clock += 1000;
    return new Date(this.#clock).toISOString();
  }
}

function omitFields(
  value: JsonObject,
  schema: z.ZodObject,
  isOmitted: (policy: FieldPolicy) => boolean,
): JsonObject {
  const shape = shapeOf(schema);
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => {
      const field = shape[key];
      const policy = field === undefined ? undefined : policyOf(field);
      return policy === undefined || !isOmitted(policy);
    }),
  );
}

function reject(code: StackyardError["code"], message: string, value?: string): Promise<never> {
  return Promise.reject(new StackyardError(code, { message, ...(value === undefined ? {} : { value }) }));
}
