/** `stackyard/pulumi-provider` as the Pulumi CLI's provider process of a test loads it: the registry over a cloud of fakes, in the folder that the environment names. */
import { join } from "node:path";
import type { Cloud } from "../../providers/core/cloud.ts";
import {
  createDynamicProvider,
  type DynamicProvider,
} from "../../providers/engines/pulumi/dynamic-provider.ts";
import { connectEngineLog } from "../../providers/engines/pulumi/engine-log.ts";
import { definitions, findDefinition } from "../../providers/registry.ts";
import { FakeCompute } from "../fakes/compute.ts";
import { openTestSession } from "./cloud.ts";

/** Variable with the folder of a {@link TestCloud} that no other process has open. */
export const fakeCloudVariable = "STACKYARD_TEST_CLOUD";

let opened: Promise<Cloud> | undefined;
const log = connectEngineLog(process.argv[2]);

export function provider(type: string): DynamicProvider {
  const definition = findDefinition(type);
  if (definition === undefined) throw new Error(`no type ${type}`);
  const openCloud = (): Promise<Cloud> => {
    const folder = process.env[fakeCloudVariable] ?? "";
    return (opened ??= openTestSession(folder, new FakeCompute(join(folder, "hosts.json"))));
  };
  return createDynamicProvider(definition, { openCloud, log, definitions });
}
