import type { Cloud, ResourceView } from "../../core/cloud.ts";
import { describeError, hasCode, StackyardError } from "../../core/errors.ts";
import { textOf, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { Definition } from "../../core/resource.ts";
import { describeFailure, warn, type Diagnostic } from "./diagnostics.ts";
import { takeUpWarning } from "./plan.ts";
import { writeOnlyKeys, type Attribute } from "./schema.ts";
import type { Session } from "./session.ts";
import { conform, makerOf, privateOf, readInputs, toState, type PrivateState } from "./state.ts";
import { equalValues, toJson, type Values } from "./values.ts";

/** A resource type with its attributes. */
export interface ResourceType {
  readonly definition: Definition;
  readonly attributes: readonly Attribute[];
}

/** A resource as Terraform keeps it; `state` is `undefined` where there is none. */
export interface Stored {
  readonly state: Values | undefined;
  readonly kept: PrivateState;
  readonly diagnostics: readonly Diagnostic[];
}

const nothing: PrivateState = { filled: [] };

/** Reads a resource as it is. Only a proved absence is one: an unreachable host raises `host-unreachable`. */
export async function readResource(
  session: Session,
  { definition, attributes }: ResourceType,
  current: Values,
): Promise<Stored> {
  const id = idOf(current);
  if (id === undefined) return { state: undefined, kept: nothing, diagnostics: [] };
  session.claims.noteExisting(id);
  const cloud = await session.openCloud();
  const view = await cloud.read(definition.type, id, { signal: session.signal });
  if (view === undefined) return { state: undefined, kept: nothing, diagnostics: [] };
  return {
    state: toState(definition, attributes, view, current),
    kept: privateOf(view, attributes),
    diagnostics: [],
  };
}

/** What an apply is given. */
export interface ApplyResourceRequest {
  readonly prior: Values | undefined;
  readonly planned: Values;
  readonly config: Values;
  readonly kept: PrivateState;
}

/**
 * Makes, changes or repairs. A failed create gives what it left, so that Terraform knows it (as tainted); a failed change gives the truth, and
 * that it was not carried out is part of its drift.
 */
export async function applyResource(
  session: Session,
  type: ResourceType,
  request: ApplyResourceRequest,
): Promise<Stored> {
  const { definition, attributes } = type;
  const { prior, planned, config } = request;
  session.isApplying = true;
  const cloud = await session.openCloud();
  const inputs = chooseInputs(type, request);
  const name = textOf(inputs, "name") ?? definition.type;
  const maker = makerOf(session.stack, definition, readInputs(definition, config));
  if (maker === undefined)
    throw new StackyardError("internal", {
      message: `${definition.type} ${name} was applied without its name`,
    });
  const ask = { type: definition.type, maker, defaultName: name };
  // What was left open because it depends on an unknown is decided now, the id above all.
  const id = textOf(inputs, "id") ?? textOf((await cloud.plan({ ...ask, inputs })).inputs, "id");
  const diagnostics = prior === undefined ? await takeUp(session, cloud, definition, id) : [];
  const remembered = { ...prior, ...planned };
  try {
    const view = await cloud.apply({
      ...ask,
      inputs: { ...inputs, ...(id === undefined ? {} : { id }) },
      signal: session.signal,
      onProgress: (line) => session.log("info", line, { type: definition.type, name }),
    });
    const found = toState(definition, attributes, view, remembered);
    const state = conform(planned, found);
    if (!equalValues(state, found))
      session.log("warn", "the resource is not as planned", { type: definition.type, name });
    return { state, kept: privateOf(view, attributes), diagnostics };
  } catch (error) {
    const failed = [...diagnostics, describeFailure(error, attributes)];
    const mayBeLeft = id !== undefined && diagnostics.length === 0;
    const left = mayBeLeft ? await readLeft(session, cloud, definition, id, prior === undefined) : undefined;
    if (left === undefined) return { state: prior, kept: request.kept, diagnostics: failed };
    const state = toState(definition, attributes, left, prior ?? remembered);
    return { state, kept: privateOf(left, attributes), diagnostics: failed };
  }
}

/** Removes a resource; absent is fine. One that a create of this process has taken up stays: it is the same. */
export async function destroyResource(
  session: Session,
  { definition }: ResourceType,
  prior: Values,
): Promise<readonly Diagnostic[]> {
  session.isApplying = true;
  const id = idOf(prior);
  if (id === undefined) return [];
  if (session.claims.isTakenUp(id)) {
    return [
      warn(
        `${definition.type} ${JSON.stringify(prior["name"] ?? id)} is kept as it is`,
        "Its replacement has the same identity, so that it is the same resource: nothing in its configuration asks for another one. To make it anew, take create_before_destroy away for one apply.",
      ),
    ];
  }
  const cloud = await session.openCloud();
  await cloud.remove(definition.type, id, {
    signal: session.signal,
    onProgress: (line) => session.log("info", line, { type: definition.type, id }),
  });
  return [];
}

/**
 * The state to import: by id, by name, or by `PROJECT/NAME`. Raises `not-found` for what is not in this cloud.
 */
export async function importResource(
  session: Session,
  { definition, attributes }: ResourceType,
  idOrName: string,
): Promise<Values> {
  const { id } = await findNamed(await session.openCloud(), definition.type, idOrName);
  return Object.fromEntries(attributes.map(({ key }) => [key, key === "id" ? id : null]));
}

/** A data source: what has this id or this name, as it is found. */
export async function readDataSource(
  session: Session,
  { definition, attributes }: ResourceType,
  config: Values,
): Promise<Values> {
  const { type } = definition;
  const wanted = idOf(config) ?? config["name"];
  if (typeof wanted !== "string") throw missingKeyError(type);
  const cloud = await session.openCloud();
  const { id } = await explainMissing(type, () => cloud.find(type, wanted));
  const view = await cloud.read(type, id, { signal: session.signal });
  if (view === undefined) throw goneError(type, wanted);
  return toState(definition, attributes, view, undefined);
}

function missingKeyError(type: string): StackyardError {
  return new StackyardError("invalid-input", {
    message: `which ${type}? Its id or its name is missing`,
    field: "id",
    remedy: "Give id or name.",
  });
}

function goneError(type: string, wanted: string): StackyardError {
  return new StackyardError("not-found", {
    message: `${type} ${JSON.stringify(wanted)} has a record, but is gone from its host`,
    value: wanted,
  });
}

/** Ids are known in the plan, so that Terraform reads a data source before the resource is made that it asks for. */
async function explainMissing<T>(type: string, find: () => Promise<T>): Promise<T> {
  try {
    return await find();
  } catch (error) {
    if (!hasCode(error, "not-found")) throw error;
    throw new StackyardError("not-found", {
      message: `there is no such ${type}`,
      value: error.value,
      remedy: `Check id or name. For one that this configuration makes, use the resource itself, or let the data source depend on it: depends_on.`,
    });
  }
}

async function findNamed(cloud: Cloud, type: string, idOrName: string): Promise<Pick<ResourceView, "id">> {
  try {
    return await cloud.find(type, idOrName);
  } catch (error) {
    const slash = idOrName.indexOf("/");
    if (!hasCode(error, "not-found")) throw error;
    const [project, name] = slash === -1 ? [] : [idOrName.slice(0, slash), idOrName.slice(slash + 1)];
    const found =
      project === undefined || name === undefined ? undefined : await findIn(cloud, type, project, name);
    if (found !== undefined) return found;
    throw new StackyardError("not-found", {
      message: `there is no ${type} to import`,
      value: idOrName,
      remedy: `Import by id, by name, or by PROJECT/NAME, from the cloud that the provider is configured for: stackyard ${type} list`,
    });
  }
}

async function findIn(
  cloud: Cloud,
  type: string,
  project: string,
  name: string,
): Promise<ResourceView | undefined> {
  const owner = await cloud.find("project", project).catch(() => undefined);
  const views = owner === undefined ? [] : await cloud.list(type);
  return views.find(({ record }) => record.projectId === owner?.id && record.name === name);
}

/** The inputs to apply: what was planned and is known, less what the cloud had filled in. Write-only secrets come with the configuration. */
function chooseInputs(
  { definition }: ResourceType,
  { prior, planned, config, kept }: ApplyResourceRequest,
): JsonObject {
  const isFilled = (key: string): boolean =>
    kept.filled.includes(key) &&
    prior !== undefined &&
    (config[key] === null || equalValues(config[key], prior[key]));
  const entries = ["id", ...Object.keys(definition.inputs.shape)].flatMap((key): [string, JsonValue][] => {
    const json = toJson(planned[key] ?? config[writeOnlyKeys(key).value] ?? null);
    return json === undefined || isFilled(key) ? [] : [[key, json]];
  });
  return Object.fromEntries(entries);
}

/** A create of what is there and whole goes on with it: an apply made it, and its state was lost. */
async function takeUp(
  session: Session,
  cloud: Cloud,
  definition: Definition,
  id: string | undefined,
): Promise<readonly Diagnostic[]> {
  const view = id === undefined ? undefined : await cloud.read(definition.type, id, { observe: false });
  if (view?.record.status !== "active") return [];
  session.claims.noteTakenUp(view.id);
  return [takeUpWarning(definition, view.record.name, view.id)];
}

/** What a failed apply left: of a create only what is not whole, of a change whatever is there now. */
async function readLeft(
  session: Session,
  cloud: Cloud,
  { type }: Definition,
  id: string,
  isCreate: boolean,
): Promise<ResourceView | undefined> {
  try {
    const view = await cloud.read(type, id, { observe: !isCreate });
    return isCreate && view?.record.status === "active" ? undefined : view;
  } catch (error) {
    // The failure itself is what the user must hear of.
    session.log("warn", `what is left could not be read: ${describeError(error)}`, { type, id });
    return undefined;
  }
}

function idOf(values: Values): string | undefined {
  return typeof values["id"] === "string" ? values["id"] : undefined;
}
