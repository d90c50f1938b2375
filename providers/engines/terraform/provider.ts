import { z } from "zod";
import type { Cloud, Issue } from "../../core/cloud.ts";
import { listSecretKeys } from "../../core/fields.ts";
import { StackyardError } from "../../core/errors.ts";
import type { Definition } from "../../core/resource.ts";
import { parseInputs } from "../../core/validate.ts";
import { describeFailure, describeIssue, type Diagnostic } from "./diagnostics.ts";
import { planResource } from "./plan.ts";
import type { ProviderLog } from "./provider-log.ts";
import { nameStack, providerAttributes, readSettings, type ProviderSettings } from "./provider-settings.ts";
import {
  applyResource,
  destroyResource,
  importResource,
  readDataSource,
  readResource,
  type ResourceType,
} from "./resource.ts";
import {
  dataSourceAttributes,
  resourceAttributes,
  toWireSchema,
  typeNameOf,
  writeOnlyKeys,
  type Attribute,
} from "./schema.ts";
import { openSession, type Session } from "./session.ts";
import { decodePrivate, encodePrivate, readInputs } from "./state.ts";
import {
  containsUnknown,
  decodeObject,
  decodeState,
  encodeObject,
  isList,
  isValues,
  toJson,
  unknown,
  type Value,
  type Values,
} from "./values.ts";

/** What a provider works with. */
export interface ProviderSurroundings {
  readonly definitions: readonly Definition[];
  readonly log: ProviderLog;
  /** Opens the cloud of these settings; what they leave open is the environment's. */
  readonly openCloud: (settings: ProviderSettings) => Promise<Cloud>;
  /** Names the stack when the settings do not. */
  readonly defaultStack: () => Promise<string>;
}

/** A call of the protocol: the message as it came, and the answer to send. */
export type Handler = (request: unknown) => Promise<object>;

/** The provider's calls by the protocol's names. */
export interface Provider {
  readonly handlers: Readonly<Record<string, Handler>>;
  /** Closes the cloud; running applies are interrupted. */
  close(): Promise<void>;
}

const bytes = z.instanceof(Uint8Array);
/** Absent messages are null (proto-loader: `defaults`). */
const value = z
  .object({ msgpack: bytes, json: bytes })
  .nullable()
  .transform((message) => message ?? { msgpack: new Uint8Array(), json: new Uint8Array() });
const typed = z.object({ type_name: z.string() });

/** The messages that calls get, as far as they are read (tfplugin6.proto). */
const requests = {
  validate: typed.extend({
    config: value,
    client_capabilities: z.object({ write_only_attributes_allowed: z.boolean() }).nullable().optional(),
  }),
  upgrade: typed.extend({ raw_state: z.object({ json: bytes }).nullable() }),
  configure: z.object({ config: value }),
  read: typed.extend({ current_state: value, private: bytes }),
  plan: typed.extend({ prior_state: value, proposed_new_state: value, config: value, prior_private: bytes }),
  apply: typed.extend({ prior_state: value, planned_state: value, config: value, planned_private: bytes }),
  import: typed.extend({ id: z.string() }),
  readData: typed.extend({ config: value }),
};

type WireValue = z.infer<typeof value>;

/**
 * The provider over the registry: every definition is a resource and a data source, and no line of this knows one. What goes wrong is a
 * diagnostic, never a failed call, which Terraform would show with its stack.
 */
export function createProvider({
  definitions,
  log,
  openCloud,
  defaultStack,
}: ProviderSurroundings): Provider {
  const resources = byTypeName(definitions, resourceAttributes);
  const dataSources = byTypeName(definitions, dataSourceAttributes);
  let stop = new AbortController();
  let session: Session | undefined;

  function requireSession(): Session {
    if (session !== undefined) return session;
    throw new StackyardError("internal", { message: "the provider was asked before it was configured" });
  }

  async function configure(config: Values): Promise<readonly Diagnostic[]> {
    const settings = readSettings(config);
    // Terraform configures a provider anew for each phase, in one process when it is attached for debugging.
    const before = session;
    if (stop.signal.aborted) stop = new AbortController();
    session = openSession({
      stack: nameStack(settings.stack ?? (await defaultStack()), settings),
      log,
      signal: stop.signal,
      open: () => openCloud(settings),
    });
    await before?.close();
    return [];
  }

  const handlers: Record<string, Handler> = {
    GetMetadata: () =>
      Promise.resolve({
        server_capabilities: capabilities,
        resources: [...resources.keys()].map((type_name) => ({ type_name })),
        data_sources: [...dataSources.keys()].map((type_name) => ({ type_name })),
      }),

    GetProviderSchema: () =>
      Promise.resolve({
        provider: toWireSchema(providerAttributes, "KVM clouds as code."),
        resource_schemas: toSchemas(resources),
        data_source_schemas: toSchemas(dataSources),
        server_capabilities: capabilities,
      }),

    // Here variables are not known yet; what is wrong with them is told by ConfigureProvider.
    ValidateProviderConfig: () => Promise.resolve({}),

    ConfigureProvider: (message) =>
      answer(providerAttributes, async () => ({
        diagnostics: await configure(read(requests.configure.parse(message).config, providerAttributes)),
      })),

    StopProvider: () => {
      stop.abort(new StackyardError("interrupted", { message: "the apply was interrupted" }));
      return Promise.resolve({});
    },

    ValidateResourceConfig: (message) => {
      const { type_name, config, client_capabilities } = requests.validate.parse(message);
      const type = find(resources, type_name);
      return answer(type.attributes, () => ({
        diagnostics: validate(
          type,
          read(config, type.attributes),
          client_capabilities?.write_only_attributes_allowed === true,
        ),
      }));
    },

    ValidateDataResourceConfig: (message) => {
      const { type_name, config } = requests.validate.parse(message);
      const { attributes, definition } = find(dataSources, type_name);
      return answer(attributes, () => ({
        diagnostics: validateKeys(definition, attributes, read(config, attributes)),
      }));
    },

    UpgradeResourceState: (message) => {
      const { type_name, raw_state } = requests.upgrade.parse(message);
      const { attributes } = find(resources, type_name);
      return answer(attributes, () => {
        const text = Buffer.from(raw_state?.json ?? new Uint8Array()).toString("utf8");
        return { upgraded_state: write(decodeState(text, attributes), attributes) };
      });
    },

    ReadResource: (message) => {
      const { type_name, current_state } = requests.read.parse(message);
      const type = find(resources, type_name);
      return answer(type.attributes, async () => {
        const { state, kept } = await readResource(
          requireSession(),
          type,
          read(current_state, type.attributes),
        );
        return { new_state: write(state, type.attributes), private: encodePrivate(kept) };
      });
    },

    PlanResourceChange: (message) => {
      const request = requests.plan.parse(message);
      const type = find(resources, request.type_name);
      const { attributes } = type;
      return answer(attributes, async () => {
        const config = decodeObject(request.config.msgpack, attributes);
        const proposed = decodeObject(request.proposed_new_state.msgpack, attributes);
        if (proposed === undefined || config === undefined)
          return { planned_state: write(undefined, attributes) };
        const prior = decodeObject(request.prior_state.msgpack, attributes);
        const { planned, requiresReplace, diagnostics } = await planResource(requireSession(), {
          ...type,
          config,
          prior,
          priorPrivate: decodePrivate(request.prior_private),
          // What is made without a predecessor has nothing kept.
          isReplacement: prior === undefined && request.prior_private.length > 0,
        });
        return {
          planned_state: write(planned, attributes),
          requires_replace: requiresReplace,
          planned_private: request.prior_private,
          diagnostics,
        };
      });
    },

    ApplyResourceChange: (message) => {
      const request = requests.apply.parse(message);
      const type = find(resources, request.type_name);
      const { attributes } = type;
      const prior = decodeObject(request.prior_state.msgpack, attributes);
      // What is returned with an error is what Terraform keeps: never less than it had.
      return answer(
        attributes,
        async () => {
          const planned = decodeObject(request.planned_state.msgpack, attributes);
          if (planned === undefined) {
            const diagnostics =
              prior === undefined ? [] : await destroyResource(requireSession(), type, prior);
            return { new_state: write(undefined, attributes), diagnostics };
          }
          const { state, kept, diagnostics } = await applyResource(requireSession(), type, {
            prior,
            planned,
            config: read(request.config, attributes),
            kept: decodePrivate(request.planned_private),
          });
          return { new_state: write(state, attributes), private: encodePrivate(kept), diagnostics };
        },
        { new_state: write(prior, attributes), private: request.planned_private },
      );
    },

    ImportResourceState: (message) => {
      const { type_name, id } = requests.import.parse(message);
      const type = find(resources, type_name);
      return answer(type.attributes, async () => {
        const state = await importResource(requireSession(), type, id);
        return {
          imported_resources: [{ type_name, state: write(state, type.attributes), private: Buffer.alloc(0) }],
        };
      });
    },

    ReadDataSource: (message) => {
      const { type_name, config } = requests.readData.parse(message);
      const type = find(dataSources, type_name);
      return answer(type.attributes, async () => ({
        state: write(
          await readDataSource(requireSession(), type, read(config, type.attributes)),
          type.attributes,
        ),
      }));
    },
  };

  return {
    handlers,
    close: async () => {
      stop.abort(new StackyardError("interrupted", { message: "the provider was ended" }));
      await session?.close();
      session = undefined;
    },
  };
}

const capabilities = { plan_destroy: false, get_provider_schema_optional: true, move_resource_state: false };

function byTypeName(
  definitions: readonly Definition[],
  attributesOf: (definition: Definition) => readonly Attribute[],
): ReadonlyMap<string, ResourceType> {
  return new Map(
    definitions.map((definition) => [
      typeNameOf(definition),
      { definition, attributes: attributesOf(definition) },
    ]),
  );
}

function toSchemas(types: ReadonlyMap<string, ResourceType>): object {
  return Object.fromEntries(
    [...types].map(([name, { attributes, definition }]) => [
      name,
      toWireSchema(attributes, definition.summary),
    ]),
  );
}

function find(types: ReadonlyMap<string, ResourceType>, typeName: string): ResourceType {
  const type = types.get(typeName);
  if (type !== undefined) return type;
  throw new StackyardError("not-found", {
    message: `there is no resource type ${typeName} in this release of stackyard`,
    value: typeName,
  });
}

function read({ msgpack }: WireValue, attributes: readonly Attribute[]): Values {
  return decodeObject(msgpack, attributes) ?? {};
}

function write(values: Values | undefined, attributes: readonly Attribute[]): { readonly msgpack: Buffer } {
  return { msgpack: encodeObject(values, attributes) };
}

/** Answers a call; what it raises becomes a diagnostic beside `fallback`. */
async function answer(
  attributes: readonly Attribute[],
  work: () => object | Promise<object>,
  fallback: object = {},
): Promise<object> {
  try {
    return await work();
  } catch (error) {
    return { ...fallback, diagnostics: [describeFailure(error, attributes)] };
  }
}

/** What can be said of a configuration without a cloud. */
function validate(
  { definition, attributes }: ResourceType,
  config: Values,
  mayWriteOnly: boolean,
): readonly Diagnostic[] {
  const { inputs, unknown: unknownKeys } = readInputs(definition, config);
  // What is known of a list or an object is checked, though there be something unknown in it.
  const partly = unknownKeys.flatMap((key) => {
    const json = toJson(config[key] ?? null);
    return json === undefined ? [] : [[key, json] as const];
  });
  const open = unknownKeys.filter((key) => !partly.some(([known]) => known === key));
  const { issues } = parseInputs(definition, { ...inputs, ...Object.fromEntries(partly) }, open);
  const known = issues.filter(({ field }) => !containsUnknown(valueAt(config, field.split("."))));
  const twins = listSecretKeys(definition.inputs).flatMap((key) => checkTwin(key, config, mayWriteOnly));
  return [...known, ...twins].map((issue) => describeIssue(issue, attributes));
}

function valueAt(value: Value, [head, ...rest]: readonly string[]): Value {
  if (head === undefined || value === unknown || value === null) return value;
  const inner = isList(value) ? value[Number(head)] : isValues(value) ? value[head] : undefined;
  return valueAt(inner ?? null, rest);
}

/** A secret is given in one of two ways. */
function checkTwin(key: string, config: Values, mayWriteOnly: boolean): readonly Issue[] {
  const keys = writeOnlyKeys(key);
  const isSet = (name: string): boolean => (config[name] ?? null) !== null;
  if (!isSet(keys.value)) return [];
  const wrong = (field: string, message: string, remedy: string): readonly Issue[] => [
    { code: "invalid-input", field, message, remedy },
  ];
  if (!mayWriteOnly)
    return wrong(
      keys.value,
      "is a write-only attribute, which this release of Terraform does not have",
      "Use Terraform or OpenTofu 1.11 or newer, or the attribute that is kept in the state.",
    );
  if (isSet(key)) return wrong(keys.value, "is given twice", "Give one of the two attributes.");
  return isSet(keys.version)
    ? []
    : wrong(keys.version, "is missing: only its change tells that the secret has changed", "Set it to 1.");
}

function validateKeys(
  { type }: Definition,
  attributes: readonly Attribute[],
  config: Values,
): readonly Diagnostic[] {
  const keys = attributes.filter(({ optional }) => optional).map(({ key }) => key);
  const given = keys.filter((key) => (config[key] ?? null) !== null);
  if (given.length === 1 || given.some((key) => config[key] === unknown)) return [];
  return [
    describeFailure(
      new StackyardError("invalid-input", {
        message: `data of a ${type} is found by one of: ${keys.join(", ")}`,
        remedy: "Give one of them.",
      }),
      attributes,
    ),
  ];
}
