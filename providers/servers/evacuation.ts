import { z } from "zod";
import { hasCode, StackyardError } from "../core/errors.ts";
import type { ComputeHost, DomainSpec } from "../core/ports.ts";
import type { StepContext, TaskAction } from "../core/resource.ts";
import {
  chooseTarget,
  claimTarget,
  refuseFiles,
  refuseLeftover,
  requireMigration,
  settleMigration,
  targetInput,
  tellHost,
} from "./migration.ts";
import type { ServerInputs, ServerOutputs } from "./server-fields.ts";
import { reconcileServer } from "./server.flow.ts";
import { requireHost, toDomainSpec } from "./server-view.ts";

type Context = StepContext<ServerInputs, ServerOutputs>;

/** Steps of an apply that build the domain where the server is now. */
const building: ReadonlySet<string> = new Set(["image", "ports", "block-devices", "spawn", "ready"]);

/**
 * Builds a server anew on another host from the disks that it has, since its own host is lost (nova: compute/manager.py, rebuild_instance with `recreate`).
 * The host is shut out of the disks first. What it has of the server when it is back is left over.
 */
export const evacuate: TaskAction<ServerInputs, ServerOutputs> = {
  doc: "Starts a server on another host, since its own does not answer: that one is shut out of the disks first, all of which must lie in pools. Refused while the host answers.",
  role: "admin",
  input: z.strictObject({ ...targetInput }),
  begin: async (context, input) => {
    const { inputs, outputs, record, world, cloudId } = context;
    const source = requireHost(outputs, world, cloudId);
    const spec = toDomainSpec(record, inputs, outputs, world, cloudId);
    refuseFiles(record.name, spec, source);
    await refuseAnswering(context, source, spec);
    const known = outputs.migration?.toHostId;
    const toHostId = await chooseTarget(context, source, known === undefined ? input : { host: known });
    await refuseLeftover(context, toHostId, spec);
    return { migration: { kind: "evacuation", fromHostId: source.id, toHostId } };
  },
  steps: [
    {
      name: "claim",
      run: async (context) => {
        await claimTarget(context);
        return { migration: { ...requireMigration(context), isFencing: true } };
      },
    },
    { name: "fence", run: settleMigration },
    ...reconcileServer.filter(({ name }) => building.has(name)),
  ],
  settle: settleMigration,
  answer: tellHost,
};

/** Raises `wrong-state` while a host answers: its guests may run, and can move. */
async function refuseAnswering(
  { record, ports, signal }: Context,
  source: ComputeHost,
  spec: DomainSpec,
): Promise<void> {
  try {
    await ports.domains.observe(source, spec, signal);
  } catch (error) {
    if (hasCode(error, "host-unreachable")) return;
    throw error;
  }
  throw new StackyardError("wrong-state", {
    message: `server ${JSON.stringify(record.name)} is not lost: host ${source.name} answers`,
    remedy: "Move it while it runs: live-migrate. Or apply it, where it does not run.",
  });
}
