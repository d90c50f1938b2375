import { listSecretKeys } from "../../core/fields.ts";
import { isReplacing } from "../../core/change.ts";
import { warningFor } from "../../core/change-text.ts";
import type { Cloud, Planned, PlanRequest } from "../../core/cloud.ts";
import { hasCode } from "../../core/errors.ts";
import { describeHostPreview } from "../preview/host-preview.ts";
import { isJsonObject, textOf, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { Definition } from "../../core/resource.ts";
import {
  describeIssue,
  toAttributePath,
  warn,
  writePath,
  type AttributePath,
  type Diagnostic,
} from "./diagnostics.ts";
import { typeNameOf, writeOnlyKeys, type Attribute } from "./schema.ts";
import type { Session } from "./session.ts";
import { makerOf, readInputs, type GivenInputs, type PrivateState } from "./state.ts";
import {
  equalValues,
  fromJson,
  isList,
  isValues,
  toJson,
  unknown,
  type Value,
  type Values,
} from "./values.ts";

/** A resource to plan: its state, if it has one, and what the configuration says. */
export interface ResourcePlanRequest {
  readonly definition: Definition;
  readonly attributes: readonly Attribute[];
  readonly prior: Values | undefined;
  readonly config: Values;
  readonly priorPrivate: PrivateState;
  /**
   * Whether it is the second half of a replacement. Terraform plans a replacement twice: as a change, and then as a create, whose warnings it drops
   * (terraform: `node_resource_abstract_instance.go`, `plan`).
   */
  readonly isReplacement: boolean;
}

/** What Terraform is to show and to expect. */
export interface ResourcePlan {
  readonly planned: Values;
  readonly requiresReplace: readonly AttributePath[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Plans one resource. Planned values are known wherever the apply will surely give the same ones; the rest is unknown. What is `chosen` among
 * what is free is left to the apply: Terraform plans once more there, in another order, and holds us to what we said first.
 */
export async function planResource(session: Session, request: ResourcePlanRequest): Promise<ResourcePlan> {
  const { definition, attributes, prior, config, isReplacement } = request;
  const cloud = await session.openCloud();
  const given = readInputs(definition, config);
  const kept = dropFilled(request, given);
  const priorInputs = prior === undefined ? undefined : readPrior(request, prior, given);
  const maker = makerOf(session.stack, definition, given);
  let asked: PlanRequest = {
    type: definition.type,
    inputs: kept,
    unknown: given.unknown,
    ...(priorInputs === undefined ? {} : { prior: priorInputs }),
    maker,
    defaultName: textOf(kept, "name") ?? definition.type,
  };
  let planned = await cloud.plan(asked);
  if (planned.issues.length > 0) {
    const diagnostics = await Promise.all(
      planned.issues.map(async (issue) => {
        const remedy = await suggestImport(cloud, definition, issue.code, issue.field, issue.value);
        return describeIssue(remedy === undefined ? issue : { ...issue, remedy }, attributes);
      }),
    );
    return { planned: prior ?? config, requiresReplace: [], diagnostics };
  }
  const name = textOf(kept, "name") ?? "";
  const warnings: Diagnostic[] = [];
  let mayForetell = !session.isApplying && !isReplacement;
  if (prior === undefined) {
    const id = textOf(planned.inputs, "id");
    if (maker !== undefined) {
      const kind = session.claims.noteCreate(maker, id, name, isReplacement);
      // What is there goes first, and a preview that sees it would take it for what stays.
      if (kind === "forced") mayForetell = false;
      if (kind === "succeeding") {
        asked = { ...asked, maker: undefined };
        planned = await cloud.plan(asked);
      }
      if (kind === "first" && id !== undefined) warnings.push(...(await warnOfTakeUp(cloud, definition, id)));
    }
  } else if (typeof prior["id"] === "string") {
    if (session.claims.noteExisting(prior["id"], name))
      warnings.push(warnOfTwin(definition, name, prior["id"]));
  }
  const { action, fields } = planned.change;
  warnings.push(
    ...fields.flatMap((change) => {
      const path = toAttributePath(change.field, attributes);
      const field = path === undefined ? change.field : writePath(path);
      return warningFor({ ...change, field }, action).map((text) =>
        // One summary for all resources: of many, Terraform shows the first and counts the others.
        warn(
          text.replace(/^./, (first) => first.toUpperCase()),
          `${definition.type} ${JSON.stringify(name === "" ? prior?.["name"] : name)}: ${restartDetail}`,
          change.field,
          attributes,
        ),
      );
    }),
  );
  if (mayForetell)
    warnings.push(...(await foretell(session, cloud, definition, asked, planned, isDriftedState(prior))));
  return {
    planned: planState(request, given, planned),
    requiresReplace: fields
      .filter(({ label }) => isReplacing(label))
      .flatMap(({ field }) => toAttributePath(field, attributes) ?? []),
    diagnostics: warnings,
  };
}

/** Summary of the warning that tells what the apply would do on the hosts. */
export const foretoldSummary = "What the apply would do on the hosts";

/** The same where the apply would be refused there: it is not to be lost among a hundred of the others. */
const refusedSummary = "The apply would be refused on the hosts";

/**
 * What the apply would do on the hosts. Terraform has no messages but warnings; of those with one summary it shows the first and counts the others
 * where there are many.
 */
async function foretell(
  { signal }: Session,
  cloud: Cloud,
  definition: Definition,
  request: PlanRequest,
  planned: Planned,
  isDrifted: boolean,
): Promise<readonly Diagnostic[]> {
  const message = await describeHostPreview(cloud, { definition, request, planned, isDrifted, signal });
  if (message === undefined) return [];
  const name = textOf(planned.inputs, "name") ?? "";
  const summary = message.isRefused ? refusedSummary : foretoldSummary;
  return [warn(summary, `${definition.type} ${JSON.stringify(name)}: ${message.text}`)];
}

function isDriftedState(prior: Values | undefined): boolean {
  return isList(prior?.["drift"]) && prior["drift"].length > 0;
}

const restartDetail = "the actions that the plan shows do not say so.";

/** Inputs without those that only repeat what the cloud had filled in: to the cloud they are not given. */
function dropFilled(
  { prior, priorPrivate, config }: Pick<ResourcePlanRequest, "prior" | "priorPrivate" | "config">,
  { inputs }: GivenInputs,
): JsonObject {
  const repeated = priorPrivate.filled.filter(
    (key) => prior !== undefined && equalValues(prior[key], config[key] ?? null),
  );
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => !repeated.includes(key)));
}

/** The inputs of the last apply, as the cloud compares them. A write-only secret is the same as long as its version is. */
function readPrior(
  { definition, priorPrivate, config }: ResourcePlanRequest,
  prior: Values,
  given: GivenInputs,
): JsonObject {
  const { inputs } = readInputs(definition, prior);
  const known = Object.fromEntries(
    Object.entries(inputs).filter(
      ([key]) =>
        !(priorPrivate.filled.includes(key) && isOpenOrSame(config[key] ?? null, prior[key] ?? null)),
    ),
  );
  const secrets = listSecretKeys(definition.inputs).flatMap((key): [string, JsonValue][] => {
    const keys = writeOnlyKeys(key);
    const secret = given.inputs[key];
    const isSame =
      isSet(config[keys.value]) &&
      equalValues(prior[keys.version], config[keys.version]) &&
      secret !== undefined;
    return isSame ? [[key, secret]] : [];
  });
  return { ...known, ...Object.fromEntries(secrets), id: toJson(prior["id"] ?? null) };
}

function isOpenOrSame(config: Value, prior: Value): boolean {
  return config === null || equalValues(config, prior);
}

function isSet(value: Value | undefined): boolean {
  return value !== undefined && value !== null;
}

/** What a resource will look like after the apply. */
function planState(
  { attributes, prior, config, definition }: ResourcePlanRequest,
  { unknown: unknownKeys }: GivenInputs,
  { inputs, change }: Planned,
): Values {
  const inputKeys = Object.keys(definition.inputs.shape);
  const isDrifted = isDriftedState(prior);
  const changed = change.fields.map(({ field }) => field);
  const isChanged = changed.length > 0 || isDrifted;
  const plan = (attribute: Attribute): Value => {
    const { key, writeOnly } = attribute;
    const given = config[key] ?? null;
    const before = prior?.[key] ?? null;
    if (writeOnly) return null;
    if (key === "id") return prior === undefined ? (textOf(inputs, "id") ?? unknown) : before;
    if (key === "drift") return [];
    // What is given may leave open what is filled in within it.
    if (!attribute.computed && (given === null || attribute.type.kind !== "object")) return given;
    if (inputKeys.includes(key)) {
      const completed = unknownKeys.includes(key) ? undefined : inputs[key];
      const last = prior === undefined || unknownKeys.includes(key) ? undefined : before;
      return planInput(attribute, given, completed, last);
    }
    if (prior === undefined) return unknown;
    if (!isChanged) return before;
    return planOutput(attribute, before, isDrifted, changed);
  };
  return Object.fromEntries(attributes.map((attribute) => [attribute.key, plan(attribute)]));
}

/**
 * An output after a change of these inputs. Of a list whose entries have what stays, such as the volume of a root disk that grows, that is known:
 * what refers to it would be made anew else.
 */
function planOutput(
  attribute: Attribute,
  before: Value,
  isDrifted: boolean,
  changed: readonly string[],
): Value {
  if (staysAs(attribute, before, isDrifted, changed)) return before;
  const { type } = attribute;
  if (type.kind !== "objects" || !isList(before)) return unknown;
  if (type.attributes.every(({ output }) => output?.follows === undefined)) return unknown;
  return before.map((entry) =>
    isValues(entry)
      ? Object.fromEntries(
          type.attributes.map((own) => [
            own.key,
            planOutput(own, entry[own.key] ?? null, isDrifted, changed),
          ]),
        )
      : unknown,
  );
}

/** Whether an output surely is the same after a change of these inputs. One that is not there may come, unless it is fixed when the resource is made. */
function staysAs(
  { output }: Attribute,
  before: Value,
  isDrifted: boolean,
  changed: readonly string[],
): boolean {
  const { follows } = output ?? {};
  if (follows === undefined) return false;
  if (before === null) return follows.length === 0 && !isDrifted;
  return follows.length === 0 || (!isDrifted && !follows.some((key) => changed.includes(key)));
}

/**
 * An input after the apply: as given; where it is left open, as the plan completed it; else what it was. `last` is absent for a resource that
 * is made, and where something beside it is unknown or has changed.
 */
function planInput(
  attribute: Attribute,
  given: Value,
  completed: JsonValue | undefined,
  last: Value | undefined,
): Value {
  const { type, computed, input } = attribute;
  if (given === unknown) return unknown;
  if (given === null) {
    if (!computed) return null;
    if (completed === undefined) return last === undefined ? unknown : last;
    const value = fromJson(completed, type);
    return input?.chosen === true && !equalValues(value, last) ? unknown : value;
  }
  if (type.kind === "object" && isValues(given))
    return planObject(
      type.attributes,
      given,
      isJsonObject(completed) ? completed : undefined,
      isValues(last) ? last : undefined,
    );
  if (type.kind === "objects" && isList(given)) {
    const completedEntries: readonly JsonValue[] = Array.isArray(completed) ? completed : [];
    return given.map((entry, index) => {
      const own = completedEntries[index];
      const before = isList(last) ? last[index] : undefined;
      if (!isValues(entry)) return entry;
      return planObject(
        type.attributes,
        entry,
        isJsonObject(own) ? own : undefined,
        isValues(before) ? before : undefined,
      );
    });
  }
  return given;
}

function planObject(
  attributes: readonly Attribute[],
  given: Values,
  completed: JsonObject | undefined,
  last: Values | undefined,
): Values {
  return Object.fromEntries(
    attributes.map((attribute) => {
      const { key } = attribute;
      return [key, planInput(attribute, given[key] ?? null, completed?.[key], last?.[key])];
    }),
  );
}

/** A create of what is there and whole: an apply of this stack made it, and its state was lost. */
async function warnOfTakeUp(
  cloud: Cloud,
  definition: Definition,
  id: string,
): Promise<readonly Diagnostic[]> {
  const view = await cloud.read(definition.type, id, { observe: false });
  return view?.record.status === "active" ? [takeUpWarning(definition, view.record.name, id)] : [];
}

/** Says that two blocks have one resource: it was imported twice. */
function warnOfTwin({ type }: Definition, name: string, id: string): Diagnostic {
  return warn(
    `${type} ${JSON.stringify(name)} is in the state under two addresses`,
    `Both have the id ${id}: what changes or destroys one of them does so to the other. Take one of them out of the state and of the configuration: terraform state rm ADDRESS.`,
    "name",
    [],
  );
}

/** Says that a create takes up what is there. */
export function takeUpWarning({ type }: Definition, name: string, id: string): Diagnostic {
  return warn(
    `${type} ${JSON.stringify(name)} is there already and is taken up`,
    `This stack made it (${id}): an earlier apply did not end, or its state was lost. The apply brings it to what is declared. Where the plan destroys it under another address, it is made anew, or kept: a "moved" block keeps it surely.`,
    "name",
    [],
  );
}

/** The way out of a name that is taken: bring its holder under management. */
async function suggestImport(
  cloud: Cloud,
  definition: Definition,
  code: string,
  field: string,
  name: JsonValue | undefined,
): Promise<string | undefined> {
  if (code !== "conflict" || field !== "name" || typeof name !== "string") return undefined;
  try {
    const { id } = await cloud.find(definition.type, name);
    return `Choose another name, or bring it under management: terraform import ${typeNameOf(definition)}.NAME ${id}`;
  } catch (error) {
    if (hasCode(error, "not-found") || hasCode(error, "conflict")) return undefined;
    throw error;
  }
}
