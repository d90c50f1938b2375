import { hasCode } from "../core/errors.ts";
import { brandId } from "../core/ids.ts";
import type { ComputeHost } from "../core/ports.ts";
import type { StepContext, World, WorldEntry } from "../core/resource.ts";
import { networkKey } from "./rewire.ts";
import type { ServerInputs, ServerOutputs } from "./server-fields.ts";
import { listMemberships, type ServerInterface } from "./server-view.ts";

type Context = StepContext<ServerInputs, ServerOutputs>;

/** Servers that are built on one host at the same time are wired together: each network's members are read and ensured as a whole. */
export async function ensureNetwork(context: Context, networkId: string, host: ComputeHost): Promise<void> {
  const { world, cloudId, ports: services, signal } = context;
  for (;;) {
    try {
      await context.together(networkKey(networkId), `wire ${host.id}`, async () => {
        for (const { network, peers, ports: here } of listMemberships(host, [networkId], world, cloudId)) {
          await services.switching.ensureNetwork(host, network, peers, here, signal);
        }
      });
      return;
    } catch (error) {
      // Whoever began the work may have given it up; then it is ours to begin.
      if (!hasCode(error, "interrupted") || signal.aborted) throw error;
    }
  }
}

/**
 * Takes a server's interfaces from a host, as far as nothing else there needs them. `world`: with the server where it is to be, if it stays on another. A
 * network that has been removed meanwhile is left to `gc`: nothing tells any more how it was wired.
 */
export async function releaseInterfaces(
  { record, cloudId, exclusive, ports: { switching }, signal }: Context,
  host: ComputeHost,
  interfaces: readonly ServerInterface[],
  world: World,
  counts: (server: WorldEntry) => boolean = ({ id }) => id !== record.id,
): Promise<void> {
  const release = async (networkId: string, nics: readonly ServerInterface[]): Promise<void> => {
    if (world.find("network", networkId) === undefined) return;
    const leaving = nics.map((nic) => brandId<"resource">(nic.port));
    for (const { network, peers } of listMemberships(host, [networkId], world, cloudId, counts)) {
      await switching.releaseNetwork(host, network, peers, leaving, signal);
    }
  };
  const byNetwork = Map.groupBy(interfaces, (nic) => nic.network);
  await Promise.all([...byNetwork].map(([id, nics]) => exclusive(networkKey(id), () => release(id, nics))));
}
