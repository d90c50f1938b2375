import { randomInt } from "node:crypto";
import { z } from "zod";
import type { Handler } from "../../providers/engines/terraform/provider.ts";
import { toWireSchema, type Attribute } from "../../providers/engines/terraform/schema.ts";
import {
  decodeObject,
  decodeState,
  encodeObject,
  equalValues,
  unknown,
  type Values,
} from "../../providers/engines/terraform/values.ts";

/** The release whose wire format this has. */
export const nullProviderVersion = "3.2.4";

const notice = "A stand-in for hashicorp/null, made for the tests of Stackyard. It is not HashiCorp's.";

const plain = { required: false, optional: false, computed: false, sensitive: false, writeOnly: false };

/** Attributes of `null_resource` (hashicorp/null 3.2.4: docs/resources/resource.md). */
const attributes: readonly Attribute[] = [
  {
    ...plain,
    name: "id",
    key: "id",
    type: { kind: "string" },
    computed: true,
    description: "Random number.",
  },
  {
    ...plain,
    name: "triggers",
    key: "triggers",
    type: { kind: "map", element: { kind: "string" } },
    optional: true,
    description: "A change of them makes the resource anew, and its provisioners run again.",
  },
];

const bytes = z.instanceof(Uint8Array);
const value = z.object({ msgpack: bytes });

function write(values: Values | undefined): object {
  return { msgpack: encodeObject(values, attributes), json: Buffer.alloc(0) };
}

function read({ msgpack }: z.infer<typeof value>): Values | undefined {
  return decodeObject(msgpack, attributes);
}

/**
 * Serves as much of hashicorp/null as a stack with `@cdktf/provider-null` needs, where the registry of providers is out of reach: a
 * resource without an effect, made anew when its triggers change. It says that it is a stand-in, in its schema and at each run.
 */
export const nullProviderHandlers: Readonly<Record<string, Handler>> = {
  GetProviderSchema: () =>
    Promise.resolve({
      provider: toWireSchema([], notice),
      resource_schemas: { null_resource: toWireSchema(attributes, notice) },
    }),
  ValidateProviderConfig: () => Promise.resolve({}),
  ConfigureProvider: () =>
    Promise.resolve({
      diagnostics: [{ severity: warning, summary: "hashicorp/null is a stand-in", detail: notice }],
    }),
  StopProvider: () => Promise.resolve({}),
  ValidateResourceConfig: () => Promise.resolve({}),
  UpgradeResourceState: (message) => {
    const { raw_state } = z.object({ raw_state: z.object({ json: bytes }) }).parse(message);
    const state = decodeState(Buffer.from(raw_state.json).toString("utf8"), attributes);
    return Promise.resolve({ upgraded_state: write(state) });
  },
  ReadResource: (message) => {
    const { current_state } = z.object({ current_state: value }).parse(message);
    return Promise.resolve({ new_state: write(read(current_state)) });
  },
  PlanResourceChange: (message) => {
    const request = z.object({ prior_state: value, proposed_new_state: value }).parse(message);
    const prior = read(request.prior_state);
    const proposed = read(request.proposed_new_state);
    if (proposed === undefined) return Promise.resolve({ planned_state: write(undefined) });
    const isChanged = prior !== undefined && !equalValues(prior["triggers"], proposed["triggers"]);
    return Promise.resolve({
      planned_state: write({ ...proposed, id: prior?.["id"] ?? unknown }),
      requires_replace: isChanged ? [{ steps: [{ attribute_name: "triggers" }] }] : [],
    });
  },
  ApplyResourceChange: (message) => {
    const { planned_state } = z.object({ planned_state: value }).parse(message);
    const planned = read(planned_state);
    if (planned === undefined) return Promise.resolve({ new_state: write(undefined) });
    const id = planned["id"] === unknown ? String(randomInt(2 ** 47)) : (planned["id"] ?? null);
    return Promise.resolve({ new_state: write({ ...planned, id }) });
  },
};

/** tfplugin6: `Diagnostic.Severity.WARNING`. */
const warning = 2;
