import { isReplacing } from "../core/change.ts";
import type { Issue, Planned, PlanRequest } from "../core/cloud.ts";
import { diffInputs, listIdentityFields, readIdentity } from "../core/diff.ts";
import { StackyardError } from "../core/errors.ts";
import { policyOf, shapeOf, unwrapSchema } from "../core/fields.ts";
import { brandId, deriveId, deriveOwnedId, isOwnedId, isUuid, type ResourceId } from "../core/ids.ts";
import {
  canonicalJson,
  equalJson,
  isJsonObject,
  textOf,
  type JsonObject,
  type JsonValue,
} from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { CompletionContext, Definition, WorldEntry } from "../core/resource.ts";
import { checkReferences, checkRules, listReferences, parseInputs } from "../core/validate.ts";
import type { Principal } from "../authenticate/principal.ts";
import { z } from "zod";
import type { PlannedWorld } from "./world.ts";

/** What planning found: completed inputs, and the id if it can be known. */
export interface PlanResult extends Planned {
  readonly id: ResourceId | undefined;
}

/** Who plans, and what they may do with what there is. */
export interface Planner {
  readonly principal: Principal;
  readonly mayRead: (entry: WorldEntry) => boolean;
  readonly mayUpdate: (entry: WorldEntry) => boolean;
}

/**
 * Completes and checks one resource's inputs against the planned world, and takes the plan into it. Pure but for that. What the planner may not
 * read is not there: a reference to it leads nowhere.
 */
export function planResource(
  definition: Definition,
  request: PlanRequest,
  planner: Planner,
  world: PlannedWorld,
): PlanResult {
  const unknown = (request.unknown ?? []).filter((key) => key !== "id");
  const { id: givenId, ...given } = request.inputs;
  const priorId = request.prior?.["id"] ?? givenId;
  const draft = fillDefaults(definition, given, unknown, request, planner.principal);
  const id = identify(definition, draft, unknown, request, priorId, world);
  const parsed = parseInputs(definition, keepPrior(definition, draft, unknown, request.prior), unknown);
  if (parsed.issues.length > 0) return refuse(definition, request, parsed.inputs, parsed.issues, id);
  if (id === undefined)
    return { id, inputs: parsed.inputs, issues: [], change: changeOf(definition, request, parsed.inputs) };
  if (isChosen(definition, id, parsed.inputs, planner.principal, world)) {
    const issue: Issue = {
      code: "invalid-input",
      field: "id",
      value: id,
      message: "is none that this cloud makes for resources of the project",
      remedy:
        "Leave the id out. If the resource was removed behind the engine's back, refresh its state first.",
    };
    return refuse(definition, request, parsed.inputs, [issue], id);
  }

  const maker = request.maker ?? id;
  const leansOnUnknown = listReferences(definition, parsed.inputs).some((reference) =>
    world.isIncomplete(reference.id),
  );
  const context: CompletionContext = { id, world: world.seenBy(id, maker, planner.mayRead) };
  // Before anything is filled in: that would tell of resources that may not be seen.
  const dangling = leansOnUnknown ? [] : checkReferences(definition, parsed.inputs, context.world);
  if (dangling.length > 0) return refuse(definition, request, parsed.inputs, dangling, id);
  try {
    const inputs = dropAbsent(definition.complete?.(parsed.inputs, context) ?? parsed.inputs);
    const change = changeOf(definition, request, inputs);
    const stored = world.stored(id);
    // A plan for what the planner may not change is not taken in: it would stand in for it in later plans.
    const mayPlan = stored === undefined || planner.mayUpdate(stored);
    const isReplaced = change.action === "replace" && stored !== undefined;
    const issues = leansOnUnknown
      ? []
      : [
          ...rejectOwned(definition, stored, inputs, world),
          ...checkRules(definition, inputs, unknown, context),
        ];
    if (issues.length > 0) return refuse(definition, request, inputs, issues, id);
    if (leansOnUnknown || unknown.length > 0) {
      if (mayPlan) world.addIncomplete(id);
      if (mayPlan && isReplaced) world.addReplaced(id);
      return { id, inputs: { ...inputs, id }, issues: [], change };
    }
    const taken = checkReservations(definition, inputs, context, maker);
    if (taken.length > 0) return refuse(definition, request, inputs, taken, id);
    if (!mayPlan) return { id, inputs: { ...inputs, id }, issues: [], change };
    if (isReplaced) {
      world.addReplaced(id);
      return { id, inputs: { ...inputs, id }, issues: [], change };
    }
    world.add({
      id,
      type: definition.type,
      name: textOf(inputs, "name") ?? request.defaultName,
      projectId: projectOf(definition, inputs),
      inputs,
      outputs: stored?.outputs ?? {},
      maker,
      reservations: definition.reservations?.(inputs, id) ?? [],
      ...(stored?.owner === undefined ? {} : { owner: stored.owner }),
    });
    return { id, inputs: { ...inputs, id }, issues: [], change };
  } catch (error) {
    if (!(error instanceof StackyardError) || error.code === "internal") throw error;
    const issue: Issue = {
      code: error.code,
      field: error.field ?? "",
      message: error.message,
      remedy: error.remedy,
    };
    return refuse(definition, request, parsed.inputs, [issue], id);
  }
}

/** The project that owns a resource with these inputs; null for resources of the whole cloud. */
export function projectOf(definition: Definition, inputs: JsonObject): ResourceId | null {
  const project = inputs["project"];
  return definition.scope === "project" && typeof project === "string" && isUuid(project)
    ? brandId(project)
    : null;
}

function refuse(
  definition: Definition,
  request: PlanRequest,
  inputs: JsonObject,
  issues: readonly Issue[],
  id: ResourceId | undefined,
): PlanResult {
  return { id, inputs, issues, change: changeOf(definition, request, inputs) };
}

function changeOf(definition: Definition, request: PlanRequest, inputs: JsonObject): Planned["change"] {
  return request.prior === undefined
    ? { action: "create", fields: [] }
    : diffInputs(definition, request.prior, inputs);
}

/** Name and project of who asks, where the inputs leave them open. */
function fillDefaults(
  definition: Definition,
  given: JsonObject,
  unknown: readonly string[],
  request: PlanRequest,
  principal: Principal,
): JsonObject {
  const isOpen = (key: string): boolean =>
    key in shapeOf(definition.inputs) && given[key] === undefined && !unknown.includes(key);
  const project = request.prior?.["project"] ?? principal.projectId;
  return dropAbsent({
    ...given,
    ...(isOpen("name") ? { name: request.prior?.["name"] ?? request.defaultName } : {}),
    ...(definition.scope === "project" && isOpen("project") && project !== null ? { project } : {}),
  });
}

/**
 * The id: that of the existing resource, else derived from maker and identity. A resource that was renamed keeps its id: whoever has its old name
 * now gets the next one. `undefined` while that depends on an unknown.
 */
function identify(
  definition: Definition,
  draft: JsonObject,
  unknown: readonly string[],
  { maker }: PlanRequest,
  given: JsonValue | undefined,
  world: PlannedWorld,
): ResourceId | undefined {
  if (typeof given === "string" && isUuid(given)) return brandId(given);
  const fields = listIdentityFields(definition);
  if (maker === undefined || fields.some((field) => unknown.includes(field))) return undefined;
  const identity = canonicalJson(readIdentity(definition, draft));
  const projectId = projectOf(definition, draft);
  for (let renamed = 0; ; renamed++) {
    const parts = [maker, definition.type, identity, ...(renamed === 0 ? [] : [String(renamed)])];
    const id: ResourceId = projectId === null ? deriveId(...parts) : deriveOwnedId(projectId, ...parts);
    const record = world.stored(id);
    // One that was never finished is taken up under whatever name.
    if (record?.applied === undefined || !("name" in shapeOf(definition.inputs))) return id;
    if (unknown.includes("name")) return undefined;
    if (record.name === draft["name"]) return id;
  }
}

/**
 * Whether somebody who does not administer the cloud wants a new resource of a project under an id of his own choice. Hosts name devices, flows and
 * folders by ids, and journals are kept by them: whoever could choose them could have another project's, that of a removed resource among them.
 */
function isChosen(
  definition: Definition,
  id: ResourceId,
  inputs: JsonObject,
  principal: Principal,
  world: PlannedWorld,
): boolean {
  const projectId = projectOf(definition, inputs);
  if (projectId === null || principal.isAdmin) return false;
  return world.stored(id) === undefined && !isOwnedId(projectId, id);
}

/** What is changed of a resource that another has made for itself: its owner says what it is like. */
function rejectOwned(
  definition: Definition,
  stored: ResourceRecord | undefined,
  inputs: JsonObject,
  world: PlannedWorld,
): readonly Issue[] {
  if (stored?.owner === undefined) return [];
  const owner = world.stored(stored.owner);
  const whose = owner === undefined ? "another resource" : `${owner.type} ${JSON.stringify(owner.name)}`;
  return diffInputs(definition, stored.inputs, inputs).fields.map(({ field, to }) => ({
    code: "in-use",
    field,
    ...(to === undefined ? {} : { value: to }),
    message: `cannot be changed here: ${whose} has made the ${definition.type} for itself`,
    remedy: `Change ${whose}.`,
  }));
}

/** What was filled in before stays, where the inputs still leave it open; not in what takes the resource's place, which is filled in anew. */
function keepPrior(
  definition: Definition,
  draft: JsonObject,
  unknown: readonly string[],
  prior: JsonObject | undefined,
): JsonObject {
  if (prior === undefined || changesIdentity(definition, draft, unknown, prior)) return draft;
  return fillFrom(definition.inputs, draft, prior, unknown);
}

/** Whether the inputs themselves ask for another resource, whatever is filled in. */
function changesIdentity(
  definition: Definition,
  draft: JsonObject,
  unknown: readonly string[],
  prior: JsonObject,
): boolean {
  const shape = shapeOf(definition.inputs);
  return diffInputs(definition, prior, draft).fields.some(({ field, to, label }) => {
    const schema = shape[field];
    const isLeftOpen = to === undefined && schema !== undefined && policyOf(schema)?.computed !== undefined;
    return isReplacing(label) && !isLeftOpen && !unknown.includes(field);
  });
}

function fillFrom(
  object: z.ZodObject,
  draft: JsonObject,
  prior: JsonObject,
  unknown: readonly string[],
): JsonObject {
  const filled: Record<string, JsonValue | undefined> = { ...draft };
  for (const [key, schema] of Object.entries(shapeOf(object))) {
    if (unknown.includes(key)) continue;
    const inner = unwrapSchema(schema);
    const value = draft[key];
    const before = prior[key];
    if (value === undefined) {
      if (policyOf(schema)?.computed !== undefined && !(inner instanceof z.ZodArray)) filled[key] = before;
    } else if (inner instanceof z.ZodArray && Array.isArray(value) && Array.isArray(before)) {
      filled[key] = fillList(inner, value as readonly JsonValue[], before as readonly JsonValue[]);
    }
  }
  return dropAbsent(filled);
}

/** Entries keep what was filled in for the entry in the same place, if what is given of them is the same. */
function fillList(
  list: z.ZodArray,
  values: readonly JsonValue[],
  before: readonly JsonValue[],
): readonly JsonValue[] {
  const element = unwrapSchema(list.element);
  if (!(element instanceof z.ZodObject)) return values;
  return values.map((value, index) => {
    const prior = before[index];
    if (!isJsonObject(value) || !isJsonObject(prior)) return value;
    const isSame = Object.entries(value).every(([key, entry]) => equalJson(entry, prior[key]));
    return isSame ? fillFrom(element, value, prior, []) : value;
  });
}

/** Values that another resource holds, in the store or in this plan. */
function checkReservations(
  definition: Definition,
  inputs: JsonObject,
  { id, world }: CompletionContext,
  maker: string,
): readonly Issue[] {
  return (definition.reservations?.(inputs, id) ?? []).flatMap((reservation): readonly Issue[] => {
    const holder = world.holder(reservation.kind, reservation.scope, reservation.value);
    if (holder === undefined || holder === id) return [];
    const entry = world.find(definition.type, holder);
    if (entry !== undefined && "maker" in entry && entry.maker === maker) return [];
    const what =
      entry === undefined
        ? "a resource that you may not see"
        : `${entry.type} ${JSON.stringify(entry.name)} (${holder})`;
    return [
      {
        code: "conflict",
        field: reservation.field,
        value: reservation.value,
        message: `is taken by ${what}`,
        remedy: "Choose another value, or remove the resource that holds it.",
      },
    ];
  });
}

function dropAbsent(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
