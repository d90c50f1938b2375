import { isReplacing } from "../../core/change.ts";
import type { Cloud, FieldChange, Issue, ResourceView } from "../../core/cloud.ts";
import { diffInputs } from "../../core/diff.ts";
import { describeError, StackyardError } from "../../core/errors.ts";
import { equalJson, type JsonObject } from "../../core/json.ts";
import { describeHostPreview } from "../preview/host-preview.ts";
import type { Definition } from "../../core/resource.ts";
import { warningFor } from "../../core/change-text.ts";
import { hasLastingUsers, pick, topKey } from "./definition-keys.ts";
import type { EngineLog } from "./engine-log.ts";
import {
  containsUnknown,
  driftKey,
  filledKeys,
  fromCloudInputs,
  internalsOf,
  previewKey,
  stateVersion,
  textProperty,
  toCloudInputs,
} from "./properties.ts";
import { layOutState } from "./resource-state.ts";

/** What is wrong with an input, by path. */
export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

/** Pulumi's calls on a dynamic resource (pulumi: sdk/nodejs/dynamic/index.ts, `ResourceProvider`). */
export interface DynamicProvider {
  check(olds: JsonObject, news: JsonObject): Promise<{ inputs: JsonObject; failures: CheckFailure[] }>;
  diff(
    id: string,
    olds: JsonObject,
    news: JsonObject,
  ): Promise<{ changes?: boolean; replaces?: string[]; deleteBeforeReplace?: boolean }>;
  create(news: JsonObject): Promise<{ id: string; outs: JsonObject }>;
  read(id: string, props: JsonObject): Promise<{ id?: string; props?: JsonObject; inputs?: JsonObject }>;
  update(id: string, olds: JsonObject, news: JsonObject): Promise<{ outs: JsonObject }>;
  delete(id: string, props: JsonObject): Promise<void>;
}

/** What a dynamic provider needs of its process. */
export interface ProviderSurroundings {
  /** The user's cloud, opened once a process. */
  readonly openCloud: () => Promise<Cloud>;
  readonly log: EngineLog;
  /** All definitions: who refers to whom decides what is replaced first. */
  readonly definitions: readonly Definition[];
}

/**
 * Carries one definition's resources out for Pulumi.
 *
 * - `check` fills in defaults and identity, so that a preview knows them; unknown values stay unknown. Of an import it says whether it is there.
 * - `diff` compares inputs only and asks no host. It leaves `changes` open where something differs: the engine then shows each field.
 * - `create` and `update` apply; a failure after the record exists is reported with it, so that Pulumi's state knows the resource.
 * - `read` gives back inputs and outputs as found. Only a proved absence is one: an unreachable host is an error.
 */
export function createDynamicProvider(
  definition: Definition,
  { openCloud, log, definitions }: ProviderSurroundings,
): DynamicProvider {
  const { type } = definition;
  const state = layOutState(definition);
  const deleteBeforeReplace = !hasLastingUsers(type, definitions);
  /** Ids that a create found to be there and active: the engine may still ask to delete what it takes for another resource. */
  const takenOver = new Set<string>();

  /** Applies, and gives what the state is to hold. */
  async function apply(news: JsonObject, olds: JsonObject): Promise<JsonObject> {
    const cloud = await openCloud();
    const inputs = toCloudInputs(news);
    const describe = (view: ResourceView): JsonObject => {
      const known = { ...pick(olds, (key) => state.keptOutputs.includes(key)), ...news };
      return state.describe(view, known, state.listFilled(news)).props;
    };
    try {
      const view = await log.follow(textProperty(news, "__urn"), (onProgress) =>
        cloud.apply({
          type,
          inputs,
          maker: textProperty(news, "__maker"),
          defaultName: textProperty(news, "__defaultName"),
          onProgress,
        }),
      );
      return describe(view);
    } catch (error) {
      const left = await readLeftover(cloud, inputs);
      throw left === undefined ? error : new PartialFailure(error, left.id, describe(left));
    }
  }

  /** The record that a failed apply left, if it left one that is not whole. */
  async function readLeftover(cloud: Cloud, { id }: JsonObject): Promise<ResourceView | undefined> {
    if (typeof id !== "string") return undefined;
    const view = await cloud.read(type, id, { observe: false }).catch(() => undefined);
    return view === undefined || view.record.status === "active" ? undefined : view;
  }

  /** Whether a create would take over what is there and whole, rather than make it or go on with it. */
  async function isWhole(id: string): Promise<boolean> {
    const cloud = await openCloud();
    const view = await cloud.read(type, id, { observe: false }).catch(() => undefined);
    return view?.record.status === "active";
  }

  async function check(olds: JsonObject, news: JsonObject): ReturnType<DynamicProvider["check"]> {
    const cloud = await openCloud();
    const wanted = toCloudInputs(news);
    const unknown = pick(wanted, (key) => containsUnknown(wanted[key]));
    const maker = textProperty(olds, "__maker") || textProperty(news, "__urn");
    const request = {
      type,
      inputs: pick(wanted, (key) => !(key in unknown)),
      unknown: Object.keys(unknown),
      ...(Object.keys(olds).length === 0 ? {} : { prior: toCloudInputs(olds) }),
      maker,
      defaultName: textProperty(news, "__defaultName"),
    };
    const planned = await cloud.plan(request);
    // The engine checks what takes the place of a replaced resource as well, and that tells it.
    if (news[previewKey] === true && planned.change.action !== "replace") {
      const isDrifted = !equalJson(olds[driftKey] ?? [], []);
      const message = await describeHostPreview(cloud, { definition, request, planned, isDrifted });
      if (message?.isRefused === true) log.warn(textProperty(news, "__urn"), message.text);
      else if (message !== undefined) log.inform(textProperty(news, "__urn"), message.text);
    }
    return {
      inputs: {
        ...fromCloudInputs({ ...planned.inputs, ...unknown }, []),
        ...internalsOf({ ...news, __maker: maker, __v: stateVersion }),
      },
      failures: planned.issues.map(describeIssue),
    };
  }

  /** What `pulumi import` takes from a file of ours is as it was written: only whether it is there is left to say. */
  async function checkImport(news: JsonObject): ReturnType<DynamicProvider["check"]> {
    const cloud = await openCloud();
    const id = textProperty(news, "uuid");
    if ((await cloud.read(type, id, { observe: false })) !== undefined) return { inputs: news, failures: [] };
    throw new StackyardError("not-found", {
      message: `there is no ${type} of this id in the cloud`,
      field: "id",
      value: id,
      remedy:
        "Check STACKYARD_HOME and STACKYARD_CLOUD, or write the file anew: stackyard pulumi import-file.",
    });
  }

  return {
    async check(olds, news) {
      // A program never gives the maker.
      if (textProperty(news, "__maker") !== "") return forUser(() => checkImport(news));
      try {
        return await check(olds, news);
      } catch (error) {
        // A failure is shown once, beside the resource; the SDK would print an error a second time.
        return { inputs: news, failures: [{ property: "", reason: describeError(error) }] };
      }
    },

    diff: (_id, olds, news) =>
      forUser(() => {
        const filled = filledKeys(olds);
        const prior = pick(
          olds,
          (key) => key in definition.inputs.shape && !(filled.includes(key) && news[key] === undefined),
        );
        const { action, fields } = diffInputs(definition, prior, toCloudInputs(news));
        if (fields.length === 0 && equalJson(olds[driftKey] ?? [], news[driftKey] ?? [])) {
          return { changes: false };
        }
        for (const warning of fields.flatMap((field) => warningFor(field, action))) {
          log.warn(textProperty(news, "__urn"), warning);
        }
        return { replaces: replacingKeys(fields), deleteBeforeReplace };
      }),

    create: (news) =>
      forUser(async () => {
        const isThere = await isWhole(textProperty(news, "uuid"));
        const outs = await apply(news, {});
        const id = textProperty(outs, "uuid");
        if (isThere) takenOver.add(id);
        return { id, outs };
      }),

    update: (_id, olds, news) => forUser(async () => ({ outs: await apply(news, olds) })),

    read: (id, props) =>
      forUser(async () => {
        const cloud = await openCloud();
        const view = await cloud.read(type, id);
        return view === undefined ? {} : { id, ...state.describe(view, props, filledKeys(props)) };
      }),

    delete: (id, props) =>
      forUser(async () => {
        if (takenOver.delete(id)) {
          log.warn(textProperty(props, "__urn"), keptWarning);
          return;
        }
        const cloud = await openCloud();
        await log.follow(textProperty(props, "__urn"), (onProgress) =>
          cloud.remove(type, id, { onProgress }),
        );
      }),
  };
}

/** A replacement that nothing in the inputs asks for (`pulumi up --replace`) has its predecessor's identity. */
const keptWarning =
  "kept as it is: its replacement has the same identity, so that it is the same resource. " +
  "To make it anew, set deleteBeforeReplace, or remove it from the program for one update";

/** Top-level properties with a field that makes the resource anew. */
function replacingKeys(fields: readonly FieldChange[]): string[] {
  return [...new Set(fields.filter(({ label }) => isReplacing(label)).map(({ field }) => topKey(field)))];
}

/** Pulumi's message begins with the top-level property and its value: field and value are told only where they are more exact. */
function describeIssue({ code, field, value, ...detail }: Issue): CheckFailure {
  const property = topKey(field);
  const place = property === field ? {} : { field, ...(value === undefined ? {} : { value }) };
  return { property, reason: describeError(new StackyardError(code, { ...detail, ...place })) };
}

/** A failed apply whose resource exists: Pulumi records it, and the next update takes it up. */
class PartialFailure extends Error {
  readonly id: string;
  readonly properties: JsonObject;
  readonly reasons: readonly string[];

  constructor(cause: unknown, id: string, properties: JsonObject) {
    const reason = describeError(cause);
    super(reason, { cause });
    this.id = id;
    this.properties = properties;
    this.reasons = [reason];
  }
}

/** Runs a call of Pulumi's; what it throws is the text that a user reads, without a stack. */
async function forUser<T>(call: () => Promise<T> | T): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const shown = error instanceof PartialFailure ? error : new Error(describeError(error), { cause: error });
    shown.stack = "";
    throw shown;
  }
}
