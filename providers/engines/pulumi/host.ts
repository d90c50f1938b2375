/**
 * What the serialised provider of each resource loads, in Pulumi's dynamic-provider process, by `require`: so no module it reaches may
 * await at its top level, and none imports Pulumi's SDK, which that process has its own copy of.
 */
import type { Cloud } from "../../core/cloud.ts";
import { StackyardError } from "../../core/errors.ts";
import { definitions, findDefinition } from "../../registry.ts";
import { createDynamicProvider, type DynamicProvider } from "./dynamic-provider.ts";
import { connectEngineLog } from "./engine-log.ts";

export type { CheckFailure, DynamicProvider } from "./dynamic-provider.ts";

const log = connectEngineLog(process.argv[2]);

let opened: Promise<Cloud> | undefined;

/** The user's cloud, for all resources of this process. It is closed when Pulumi ends the process. */
function openSharedCloud(): Promise<Cloud> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Cloud> {
  const { openCloud } = await import("../../wiring.ts");
  const cloud = await openCloud();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void cloud.close().finally(() => process.exit()));
  }
  return cloud;
}

/**
 * The dynamic provider of a resource type.
 * @throws StackyardError `not-found` for a type that this release does not have.
 */
export function provider(type: string): DynamicProvider {
  const definition = findDefinition(type);
  if (definition === undefined) {
    throw new StackyardError("not-found", {
      message: `there is no resource type "${type}" in this release of stackyard`,
      field: "type",
      value: type,
      remedy: "Install the release of stackyard that made the resource, or a newer one.",
    });
  }
  return createDynamicProvider(definition, { openCloud: openSharedCloud, log, definitions });
}
