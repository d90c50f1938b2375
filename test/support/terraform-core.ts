import { decode } from "@msgpack/msgpack";
import { z } from "zod";
import type { JsonObject } from "../../providers/core/json.ts";
import { createProvider, type Provider } from "../../providers/engines/terraform/provider.ts";
import { resourceAttributes, typeNameOf, type Attribute } from "../../providers/engines/terraform/schema.ts";
import {
  decodeObject,
  encodeObject,
  equalValues,
  fromJson,
  isList,
  isValues,
  unknown,
  type Value,
  type Values,
} from "../../providers/engines/terraform/values.ts";
import { definitions, findDefinition } from "../../providers/registry.ts";
import type { TestCloud } from "./cloud.ts";

const bytes = z.instanceof(Uint8Array).transform((value) => Buffer.from(value));
const noBytes = Buffer.alloc(0);
const wireValue = z.object({ msgpack: bytes });
const diagnostics = z.array(z.object({ severity: z.number(), summary: z.string() })).default([]);

/** The answers of a provider, as far as Terraform core reads them (tfplugin6.proto). */
const answers = {
  plain: z.object({ diagnostics }),
  upgrade: z.object({ upgraded_state: wireValue.optional(), diagnostics }),
  read: z.object({ new_state: wireValue.optional(), private: bytes.default(noBytes), diagnostics }),
  plan: z.object({
    planned_state: wireValue.optional(),
    planned_private: bytes.default(noBytes),
    requires_replace: z
      .array(z.object({ steps: z.array(z.object({ attribute_name: z.string().optional() })) }))
      .default([]),
    diagnostics,
  }),
};

/** A resource in a state file: its attributes under Terraform's names, and what the provider keeps beside them. */
const stored = z.object({ attributes: z.record(z.string(), z.json()), private: z.string() });

/** What core has planned for a resource. */
export interface CorePlan {
  readonly action: "create" | "none" | "update" | "replace";
  /** Keys of the attributes that force a replacement. */
  readonly replacing: readonly string[];
  readonly warnings: readonly string[];
}

interface Planned extends CorePlan {
  readonly prior: Values | undefined;
  readonly priorPrivate: Buffer;
  readonly config: Values;
  readonly planned: Values;
  readonly plannedPrivate: Buffer;
}

interface PlanAnswer {
  readonly planned: Values;
  readonly plannedPrivate: Buffer;
  readonly requiresReplace: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Terraform core, as far as one resource goes: it asks the provider of this process what core asks, in its order, and refuses what core refuses. It follows
 * terraform's `internal/terraform/node_resource_abstract_instance.go` and `internal/plans/objchange`; the CLIs themselves run a part of the same.
 */
export class TerraformCore {
  readonly #provider: Provider;
  /** What the provider's log warns of: that it did not keep a promise, above all. */
  readonly #logged: string[] = [];

  constructor(test: TestCloud) {
    this.#provider = createProvider({
      definitions,
      log: (level, message) => {
        if (level === "warn") this.#logged.push(message);
      },
      openCloud: ({ variables }) => test.open({ ...variables }),
      defaultStack: () => Promise.resolve("test"),
    });
  }

  /** As `terraform plan` of a resource that is in the state or, without one, in the configuration only. */
  async plan(type: string, config: JsonObject, state?: JsonObject): Promise<CorePlan> {
    await this.#configure();
    const resource = resourceOf(type);
    const { action, replacing, warnings } = await this.#refreshAndPlan(resource, config, state);
    return { action, replacing, warnings };
  }

  /** As `terraform apply`: plans, then carries the plan out in a provider configured anew. Gives the resource as the state file has it. */
  async apply(type: string, config: JsonObject, state?: JsonObject): Promise<JsonObject> {
    await this.#configure();
    const resource = resourceOf(type);
    const promised = await this.#refreshAndPlan(resource, config, state);
    await this.#configure();
    if (promised.action === "none" && promised.prior !== undefined)
      return store(encodeObject(promised.prior, resource.attributes), promised.priorPrivate);
    if (promised.action === "replace") await this.#destroy(resource, promised);
    const isAnew = promised.action === "replace" || promised.action === "create";
    const prior = isAnew ? undefined : promised.prior;
    // Core plans once more before it applies, and holds the provider to what it said first.
    const replanned = await this.#ask(
      resource,
      prior,
      promised.config,
      isAnew ? noBytes : promised.priorPrivate,
    );
    requireKept(resource.attributes, promised.planned, replanned.planned, `${type}, planned again`);
    const answer = answers.read.parse(
      await this.#call("ApplyResourceChange", {
        type_name: resource.typeName,
        prior_state: wire(prior, resource.attributes),
        planned_state: wire(replanned.planned, resource.attributes),
        config: wire(promised.config, resource.attributes),
        planned_private: replanned.plannedPrivate,
      }),
    );
    const made = decodeObject(answer.new_state?.msgpack ?? noBytes, resource.attributes);
    if (made === undefined || answer.new_state === undefined) throw new Error(`${type}: nothing was made`);
    requireKept(resource.attributes, replanned.planned, made, `${type}, applied`);
    if (this.#logged.length > 0) throw new Error(`${type}: ${this.#logged.join("; ")}`);
    return store(answer.new_state.msgpack, answer.private);
  }

  async #configure(): Promise<void> {
    await this.#call("ConfigureProvider", { config: { msgpack: noBytes, json: noBytes } });
  }

  async #destroy({ typeName, attributes }: Resource, { prior, priorPrivate }: Planned): Promise<void> {
    const answer = answers.read.parse(
      await this.#call("ApplyResourceChange", {
        type_name: typeName,
        prior_state: wire(prior, attributes),
        planned_state: wire(undefined, attributes),
        config: wire(undefined, attributes),
        planned_private: priorPrivate,
      }),
    );
    const left = decodeObject(answer.new_state?.msgpack ?? noBytes, attributes);
    if (left !== undefined) throw new Error(`${typeName}: something is left of it`);
  }

  async #refresh({ typeName, attributes }: Resource, state: JsonObject): Promise<Stored> {
    const { attributes: json, private: kept } = stored.parse(state);
    const upgraded = answers.upgrade.parse(
      await this.#call("UpgradeResourceState", {
        type_name: typeName,
        version: 0,
        raw_state: { json: Buffer.from(JSON.stringify(json)) },
      }),
    );
    const answer = answers.read.parse(
      await this.#call("ReadResource", {
        type_name: typeName,
        current_state: { ...upgraded.upgraded_state, json: noBytes },
        private: Buffer.from(kept, "base64"),
      }),
    );
    return {
      prior: decodeObject(answer.new_state?.msgpack ?? noBytes, attributes),
      priorPrivate: answer.private,
    };
  }

  async #refreshAndPlan(resource: Resource, inputs: JsonObject, state?: JsonObject): Promise<Planned> {
    const { typeName, attributes } = resource;
    const config = configure(attributes, inputs);
    await this.#call("ValidateResourceConfig", {
      type_name: typeName,
      config: wire(config, attributes),
      client_capabilities: { write_only_attributes_allowed: true },
    });
    const { prior, priorPrivate } =
      state === undefined
        ? { prior: undefined, priorPrivate: noBytes }
        : await this.#refresh(resource, state);
    const first = await this.#ask(resource, prior, config, priorPrivate);
    const shared = { prior, priorPrivate, config, warnings: first.warnings };
    if (prior === undefined) return { ...shared, ...first, action: "create", replacing: [] };
    // A path whose value stays as it is forces nothing.
    const replacing = first.requiresReplace.filter((key) => !equalValues(prior[key], first.planned[key]));
    if (equalValues(prior, first.planned)) return { ...shared, ...first, action: "none", replacing };
    if (replacing.length === 0) return { ...shared, ...first, action: "update", replacing };
    // A replacement is planned once more, as a create; what that warns of has been said.
    const second = await this.#ask(resource, undefined, config, first.plannedPrivate);
    return { ...second, ...shared, action: "replace", replacing };
  }

  async #ask(
    { typeName, attributes }: Resource,
    prior: Values | undefined,
    config: Values,
    priorPrivate: Buffer,
  ): Promise<PlanAnswer> {
    const proposed: Values = Object.fromEntries(
      attributes.map(({ key, computed }): [string, Value] => [
        key,
        config[key] ?? (computed ? (prior?.[key] ?? null) : null),
      ]),
    );
    const answer = answers.plan.parse(
      await this.#call("PlanResourceChange", {
        type_name: typeName,
        prior_state: wire(prior, attributes),
        proposed_new_state: wire(proposed, attributes),
        config: wire(config, attributes),
        prior_private: priorPrivate,
      }),
    );
    const planned = decodeObject(answer.planned_state?.msgpack ?? noBytes, attributes);
    if (planned === undefined) throw new Error(`${typeName}: nothing was planned`);
    requireValid(attributes, config, planned, typeName);
    return {
      planned,
      plannedPrivate: answer.planned_private,
      requiresReplace: answer.requires_replace.flatMap(({ steps: [head] }) =>
        attributes.filter(({ name }) => name === head?.attribute_name).map(({ key }) => key),
      ),
      warnings: answer.diagnostics.map(({ summary }) => summary),
    };
  }

  /** Calls the provider; an error in its diagnostics ends the test. */
  async #call(method: string, request: object): Promise<unknown> {
    const handler = this.#provider.handlers[method];
    if (handler === undefined) throw new Error(`the provider has no ${method}`);
    const answer: unknown = await handler(request);
    const errors = answers.plain
      .parse(answer)
      .diagnostics.filter(({ severity }) => severity === errorSeverity)
      .map(({ summary }) => summary);
    if (errors.length > 0) throw new Error(`${method}: ${errors.join("; ")}`);
    return answer;
  }
}

/** tfplugin6: `Diagnostic.Severity.ERROR`. */
const errorSeverity = 1;

interface Resource {
  readonly typeName: string;
  readonly attributes: readonly Attribute[];
}

interface Stored {
  readonly prior: Values | undefined;
  readonly priorPrivate: Buffer;
}

function resourceOf(type: string): Resource {
  const definition = findDefinition(type);
  if (definition === undefined) throw new Error(`no type ${type}`);
  return { typeName: typeNameOf(definition), attributes: resourceAttributes(definition) };
}

/** Inputs as Terraform's JSON configuration has them: under its names, and null where nothing is set. */
export function toConfiguration(type: string, inputs: JsonObject): JsonObject {
  const { attributes } = resourceOf(type);
  return z
    .record(z.string(), z.json())
    .parse(decode(encodeObject(configure(attributes, inputs), attributes)));
}

function configure(attributes: readonly Attribute[], inputs: JsonObject): Values {
  return Object.fromEntries(attributes.map(({ key, type }) => [key, fromJson(inputs[key], type)]));
}

function wire(values: Values | undefined, attributes: readonly Attribute[]): object {
  return { msgpack: encodeObject(values, attributes), json: noBytes };
}

/** Inputs as they are declared to Terraform, which has no names of its own to take. */
export function declare(type: string, name: string, inputs: JsonObject): JsonObject {
  return resourceOf(type).attributes.some(({ key }) => key === "name") ? { name, ...inputs } : inputs;
}

/** The id of a resource in a state file. */
export function idOf(state: JsonObject): string {
  return z.object({ id: z.string() }).parse(stored.parse(state).attributes).id;
}

/** As a state file has it: nothing in it is unknown. */
function store(state: Buffer, kept: Buffer): JsonObject {
  const attributes = z.record(z.string(), z.json()).parse(decode(state));
  return { attributes, private: kept.toString("base64") };
}

/** What is configured is planned as configured; only what is computed may be filled in (objchange: `AssertPlanValid`). */
function requireValid(attributes: readonly Attribute[], config: Values, planned: Values, path: string): void {
  for (const { key, type, computed, writeOnly } of attributes) {
    const given = config[key] ?? null;
    const plan = planned[key] ?? null;
    const at = `${path}.${key}`;
    if (writeOnly && plan !== null) throw new Error(`${at} is write-only, and is planned`);
    if (writeOnly || (given === null && computed)) continue;
    if ("attributes" in type && isValues(given) && isValues(plan))
      requireValid(type.attributes, given, plan, at);
    else if ("attributes" in type && isList(given) && isList(plan) && given.length === plan.length)
      given.forEach((entry, index) => {
        const own = plan[index] ?? null;
        if (isValues(entry) && isValues(own)) requireValid(type.attributes, entry, own, at);
      });
    else if (!equalValues(given, plan)) throw new Error(`${at} is not planned as configured`);
  }
}

/** What was planned and known stays as it was planned (objchange: `AssertObjectCompatible`). */
function requireKept(attributes: readonly Attribute[], planned: Values, found: Values, where: string): void {
  const broken = attributes
    .map(({ key }) => key)
    .filter((key) => !isKept(planned[key] ?? null, found[key] ?? null));
  if (broken.length > 0) throw new Error(`${where}: not as promised: ${broken.join(", ")}`);
}

function isKept(planned: Value, found: Value): boolean {
  if (planned === unknown) return true;
  if (isList(planned) && isList(found))
    return (
      planned.length === found.length && planned.every((entry, index) => isKept(entry, found[index] ?? null))
    );
  if (isValues(planned) && isValues(found))
    return Object.keys({ ...planned, ...found }).every((key) =>
      isKept(planned[key] ?? null, found[key] ?? null),
    );
  return equalValues(planned, found);
}
