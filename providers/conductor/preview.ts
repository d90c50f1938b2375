import type { CommandPreview, DomainPreview, PlacementPreview, Preview } from "../core/cloud.ts";
import { StackyardError, toStackyardError } from "../core/errors.ts";
import { brandId, type HostId } from "../core/ids.ts";
import { textOf, type JsonObject } from "../core/json.ts";
import type { DryRun, NotedDomain } from "../core/dry-run.ts";
import type { PlacementPort } from "../core/ports.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { StepContext, World } from "../core/resource.ts";
import { readForcedHost } from "../servers/adoption.ts";
import { allocatedHost, requireRoom } from "./claim.ts";
import { askScheduler } from "./explain.ts";
import type { PreviewedPlaces } from "./previewed-places.ts";
import { requestOfServer } from "./request.ts";
import type { ConductorServices } from "./run.ts";
import { makeStepContext } from "./step-context.ts";
import type { TaskInWork } from "./task-board.ts";

/** What previews work with. */
export interface PreviewServices extends ConductorServices {
  readonly places: PreviewedPlaces;
}

/** What carrying a plan out would do. */
export type FlowPreview = Pick<Preview, "placement" | "domains" | "commands" | "incomplete">;

/**
 * Runs the flow of a resource over ports that look and note: what it would choose, define and run. `before` is the resource as it is, `undefined` for
 * one that is made, or made anew; `world` has what is planned beside it. Writes nothing, to no store and no host.
 */
export async function previewFlow(
  services: PreviewServices,
  planned: ResourceRecord,
  before: ResourceRecord | undefined,
  world: World,
  idle: (record: ResourceRecord) => TaskInWork,
): Promise<FlowPreview> {
  const run = await runDry(services, planned, before !== undefined, world, idle);
  // How it was defined is rendered by the same flow: libvirt fills a definition up with much of its own.
  const known =
    before === undefined || run.domains.length === 0 ? [] : await renderKnown(services, before, world, idle);
  return {
    ...(run.placement === undefined ? {} : { placement: run.placement }),
    commands: run.commands,
    domains: run.domains.map((domain): DomainPreview => {
      const earlier = known.find(({ id }) => id === domain.id)?.xml;
      return {
        host: domain.host,
        name: planned.name,
        ...(earlier === undefined ? {} : { before: earlier }),
        after: domain.xml,
      };
    }),
    ...(run.incomplete === undefined ? {} : { incomplete: run.incomplete }),
  };
}

async function renderKnown(
  services: PreviewServices,
  before: ResourceRecord,
  world: World,
  idle: (record: ResourceRecord) => TaskInWork,
): Promise<readonly NotedDomain[]> {
  const inputs = before.applied ?? before.inputs;
  return (await runDry(services, { ...before, inputs }, true, world, idle)).domains;
}

interface Run {
  readonly placement: PlacementPreview | undefined;
  readonly commands: readonly CommandPreview[];
  readonly domains: readonly NotedDomain[];
  readonly incomplete: Preview["incomplete"];
}

async function runDry(
  services: PreviewServices,
  planned: ResourceRecord,
  isThere: boolean,
  world: World,
  idle: (record: ResourceRecord) => TaskInWork,
): Promise<Run> {
  const dry = await services.dryRun();
  const choice: Choice = { preview: undefined };
  const commands: CommandPreview[] = [];
  let record = planned;
  for (const step of services.definitionOf(planned.type).reconcile) {
    const noted = dry.commands.length;
    try {
      const patch = await step.run(
        makeDryContext(services, record, dry, isThere, choice, world, idle(record)),
      );
      record = { ...record, outputs: { ...record.outputs, ...patch } };
    } catch (error) {
      const incomplete = { step: step.name, error: toStackyardError(error, `previewing step ${step.name}`) };
      return { placement: choice.preview, commands, domains: dry.domains, incomplete };
    } finally {
      commands.push(...dry.commands.slice(noted).map((command) => ({ step: step.name, ...command })));
    }
  }
  return { placement: choice.preview, commands, domains: dry.domains, incomplete: undefined };
}

/** What the step of placement has found. */
interface Choice {
  preview: PlacementPreview | undefined;
}

function makeDryContext(
  services: PreviewServices,
  record: ResourceRecord,
  dry: DryRun,
  isThere: boolean,
  choice: Choice,
  world: World,
  task: TaskInWork,
): StepContext<JsonObject, JsonObject> {
  const placement = chooseOnly(services, record, isThere, choice, world);
  const context = makeStepContext({ ...services, ports: { ...dry.ports, placement } }, record, task);
  const seen = withRecord(world, record);
  return {
    ...context,
    world: seen,
    owned: {
      ensure: (type, id, inputs) =>
        ensureDry(services, { type, id, inputs }, record, dry, choice, seen, task),
      remove: () => Promise.resolve(),
      release: () => Promise.resolve(),
    },
    // Turns are kept in the store, and what only looks needs none.
    exclusive: (_key, work) => work(),
    together: (_key, _purpose, work) => work(),
  };
}

/** Runs the flow of a record that another would make for itself. */
async function ensureDry(
  services: PreviewServices,
  { type, id, inputs }: Pick<ResourceRecord, "type" | "id" | "inputs">,
  owner: ResourceRecord,
  dry: DryRun,
  choice: Choice,
  world: World,
  task: TaskInWork,
): Promise<void> {
  const known = services.mirror.find(id);
  const { projectId, revision, createdAt, updatedAt } = owner;
  let owned: ResourceRecord = {
    ...{ name: textOf(inputs, "name") ?? owner.name, outputs: {}, projectId, revision, createdAt, updatedAt },
    ...known,
    ...{ id, type, inputs: { ...known?.inputs, ...inputs }, status: "building", owner: owner.id },
  };
  for (const step of services.definitionOf(type).reconcile) {
    const patch = await step.run(
      makeDryContext(services, owned, dry, known !== undefined, choice, world, task),
    );
    owned = { ...owned, outputs: { ...owned.outputs, ...patch } };
  }
}

/** A world with one record as it would be. */
function withRecord(store: World, record: ResourceRecord): World {
  return {
    find: (type, id) => (type === record.type && id === record.id ? record : store.find(type, id)),
    all: (type) =>
      type === record.type
        ? [...store.all(type).filter(({ id }) => id !== record.id), record]
        : store.all(type),
    holder: (kind, scope, value) => store.holder(kind, scope, value),
  };
}

/** Placement that claims nothing. */
function chooseOnly(
  services: PreviewServices,
  record: ResourceRecord,
  isThere: boolean,
  choice: Choice,
  world: World,
): PlacementPort {
  return {
    publish: () => Promise.resolve(),
    withdraw: () => Promise.resolve(),
    release: () => Promise.resolve(),
    chooseTarget: () => Promise.reject(moveInPreview()),
    claimTarget: () => Promise.resolve(),
    moveClaim: () => Promise.resolve(),
    releaseTarget: () => Promise.resolve(),
    claim: async () => {
      const [hostId, preview] = await choose(services, record, isThere, world);
      choice.preview = preview;
      if (hostId !== undefined) return hostId;
      throw new StackyardError("no-valid-host", {
        message: `no host can take ${record.type} ${JSON.stringify(record.name)}`,
      });
    },
  };
}

/** No step of an apply chooses where to a server moves. */
function moveInPreview(): StackyardError {
  return new StackyardError("internal", { message: "a preview was asked where a server is to move" });
}

async function choose(
  services: PreviewServices,
  record: ResourceRecord,
  isThere: boolean,
  world: World,
): Promise<readonly [HostId | undefined, PlacementPreview]> {
  const { database, mirror, bus, schedulerOptions: options } = services;
  const request = requestOfServer(record, world);
  const kept = isThere ? await allocatedHost(database, record.id) : undefined;
  const place = kept ?? readForcedHost(record.outputs);
  if (place !== undefined) {
    await requireRoom(database, place, record.id, request, options);
    const host = mirror.find(place)?.name ?? place;
    return [brandId(place), { host, isKept: true, hosts: 1, filters: [] }];
  }
  const { places } = services;
  const { selected, trace } = await places.inTurn(async () => {
    const schedule = await askScheduler(
      { database, mirror, bus, options },
      places.join(record.id, request),
      (hosts) => places.fill(record.id, hosts, options),
    );
    const [choice] = schedule.selected;
    places.note(record.id, choice && { hostId: choice.hostId, host: choice.name, request });
    return schedule;
  });
  const [chosen] = selected;
  const filters = (trace.rounds[0]?.stages ?? []).map(({ name, before, removed }) => ({
    name,
    before,
    removed: removed.length,
  }));
  return [
    chosen === undefined ? undefined : brandId(chosen.hostId),
    {
      ...(chosen === undefined ? {} : { host: chosen.name }),
      isKept: false,
      hosts: trace.hosts,
      filters,
    },
  ];
}
