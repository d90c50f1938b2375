/** The package as the dynamic-provider process of a test loads it: sample definitions over a fake cloud that the test steers. */
import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import {
  createDynamicProvider,
  type DynamicProvider,
} from "../../providers/engines/pulumi/dynamic-provider.ts";
import { connectEngineLog } from "../../providers/engines/pulumi/engine-log.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { FakeCloud } from "../fakes/cloud.ts";
import { sampleDefinitions } from "./sample-definitions.ts";

const cloud = new FakeCloud({
  definitions: sampleDefinitions,
  outputsOf: (type, inputs) => (type === "deep-box" ? outputsOfBox(inputs) : {}),
});

/** As a cloud does that gives a key once: a box that was painted later has it no more. */
function outputsOfBox({ color, owner }: JsonObject): JsonObject {
  const once = color === undefined ? { privateKey: "PRIVATE" } : {};
  return { address: "10.0.0.5", owner: owner ?? "admin", ...once };
}

const log = connectEngineLog(process.argv[2]);

/** What a test may do to the fake, sent over the process's channel. */
export const steeringSchema = z.discriminatedUnion("what", [
  z.object({
    what: z.literal("drift"),
    id: z.string(),
    field: z.string(),
    expected: z.string(),
    found: z.string(),
  }),
  z.object({ what: z.literal("fail"), id: z.string() }),
  z.object({ what: z.literal("vanish"), id: z.string(), type: z.string() }),
  z.object({ what: z.literal("unreachable"), id: z.string() }),
  z.object({ what: z.literal("foretell"), host: z.string() }),
  z.object({ what: z.literal("recover") }),
]);
export type Steering = z.infer<typeof steeringSchema>;

process.on("message", (message) => {
  const steering = steeringSchema.parse(message);
  switch (steering.what) {
    case "drift":
      cloud.drifts.set(steering.id, [{ ...steering, repair: "starts it", label: "live" }]);
      break;
    case "fail":
      cloud.failures.set(
        steering.id,
        new StackyardError("command-failed", { message: "folding the box failed" }),
      );
      break;
    case "vanish":
      void cloud.remove(steering.type, steering.id);
      break;
    case "unreachable":
      cloud.unreachable.add(steering.id);
      break;
    case "foretell":
      cloud.previewed = { placement: { host: steering.host, isKept: true, hosts: 1, filters: [] } };
      break;
    case "recover":
      cloud.previewed = {};
      cloud.drifts.clear();
      cloud.failures.clear();
      cloud.unreachable.clear();
      break;
  }
  process.send?.("steered");
});

export function provider(type: string): DynamicProvider {
  const definition = sampleDefinitions.find((candidate) => candidate.type === type);
  if (definition === undefined) throw new Error(`no sample of type ${type}`);
  return createDynamicProvider(definition, {
    openCloud: () => Promise.resolve(cloud),
    log,
    definitions: sampleDefinitions,
  });
}
