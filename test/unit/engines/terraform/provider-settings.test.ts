import { expect, test } from "vitest";
import { z } from "zod";
import { createProvider } from "../../../../providers/engines/terraform/provider.ts";
import { providerAttributes } from "../../../../providers/engines/terraform/provider-settings.ts";
import { resourceAttributes, typeNameOf } from "../../../../providers/engines/terraform/schema.ts";
import { decodeObject, encodeObject, type Values } from "../../../../providers/engines/terraform/values.ts";
import { flavor } from "../../../../providers/servers/flavor.ts";
import { definitions, findDefinition } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";

const noBytes = new Uint8Array();
const planAnswer = z.object({ planned_state: z.object({ msgpack: z.instanceof(Uint8Array) }) });

/** The id that a new flavor is planned with under these settings of the provider. */
async function planId(settings: Values): Promise<unknown> {
  const definition = findDefinition(flavor.type);
  if (definition === undefined) throw new Error("there is no flavor");
  const attributes = resourceAttributes(definition);
  const { handlers } = createProvider({
    definitions,
    log: () => undefined,
    openCloud: () => Promise.resolve(new FakeCloud({ definitions })),
    defaultStack: () => Promise.resolve("/stacks/web"),
  });
  await handlers["ConfigureProvider"]?.({
    config: { msgpack: encodeObject(settings, providerAttributes), json: noBytes },
  });
  const config = encodeObject({ name: "small", vcpus: 1, ramMib: 64, diskGib: 1 }, attributes);
  const answer = await handlers["PlanResourceChange"]?.({
    type_name: typeNameOf(definition),
    prior_state: { msgpack: encodeObject(undefined, attributes), json: noBytes },
    proposed_new_state: { msgpack: config, json: noBytes },
    config: { msgpack: config, json: noBytes },
    prior_private: noBytes,
  });
  return decodeObject(planAnswer.parse(answer).planned_state.msgpack, attributes)?.["id"];
}

test("a resource of one name has another id in another cloud of the configuration, and in another stack", async () => {
  const ids = await Promise.all(
    [{}, { cloud: "one" }, { cloud: "two" }, { stack: "other" }, { stack: "other", cloud: "one" }].map(
      planId,
    ),
  );
  expect(ids).not.toContain(undefined);
  expect(new Set(ids).size).toBe(ids.length);
});

test("the same settings give the same id", async () => {
  expect(await planId({ cloud: "one" })).toBe(await planId({ cloud: "one" }));
});
