import type { StepContext } from "../core/resource.ts";
import { listComputeHosts } from "./host.ts";
import { listMemberships } from "./server-view.ts";

/** Under this key a network is wired, one at a time: lists of its members must not overtake each other. */
export function networkKey(networkId: string): string {
  return `network/${networkId}`;
}

/** Brings what changed of a network or its subnets to every host that has ports on it. Guests take it at their next lease. */
export async function rewireNetwork<I, O>(context: StepContext<I, O>, networkId: string): Promise<void> {
  const { world, cloudId, ports, signal, exclusive } = context;
  await exclusive(networkKey(networkId), async () => {
    await Promise.all(
      listComputeHosts(world, cloudId).map(async (host) => {
        for (const { network, peers, ports: here } of listMemberships(host, [networkId], world, cloudId)) {
          if (here.length > 0) await ports.switching.ensureNetwork(host, network, peers, here, signal);
        }
      }),
    );
  });
}
