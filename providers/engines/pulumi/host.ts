/**
 * What the serialised provider of each resource loads, in Pulumi's dynamic-provider process, by `require`: so no module it reaches may
 * await at its top level, and none imports Pulumi's SDK, which that process has its own copy of.
 */
import type { Cloud } from "../../core/cloud.ts";
import { StackyardError } from "../../core/errors.ts";
import { definitions, findDefinition } from "../../registry.ts";
import { createDynamicProvider, type DynamicProvider } from "./dynamic-provider.ts";
import { connectEngineLog } from "./engine-log.ts";
import { watchEngine } from "./engine-watch.ts";

export type { CheckFailure, DynamicProvider } from "./dynamic-provider.ts";

/** `HOST:PORT`: the first argument that Pulumi gives the process. */
const engineAddress = process.argv.slice(2, 3).find((argument) => /:\d+$/.test(argument));
const log = connectEngineLog(engineAddress);

let opened: Promise<Cloud> | undefined;

/** The user's cloud, for all resources of this process. It is closed when Pulumi ends the process, or is killed itself. */
function openSharedCloud(): Promise<Cloud> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Cloud> {
  const { openCloud } = await import("../../wiring.ts");
  const cloud = await openCloud({ notify: (line) => log.warn("", line) });
  const end = (): void => void cloud.close({ now: true }).finally(() => process.exit());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end);
  if (engineAddress !== undefined) watchEngine(engineAddress, end);
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
