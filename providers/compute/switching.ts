import { hasCode } from "../core/errors.ts";
import type { ComputeHost, NetworkQuestion, SwitchingPort } from "../core/ports.ts";
import { script } from "../hosts/command.ts";
import type { HostPool } from "../hosts/pool.ts";
import { planNetwork, toDrift } from "./network-plan.ts";
import type { NetworkPlan } from "./network-plan.ts";
import { releasePorts, removeTunnel, repairScript, wireTunnels } from "./network-scripts.ts";
import { scanNetwork } from "./scan.ts";

/** Networks on hosts: VXLAN ports and a DHCP server a network, on Open vSwitch and dnsmasq. */
export function openSwitching(pool: HostPool): SwitchingPort {
  async function ensure(wanted: NetworkQuestion, signal: AbortSignal): Promise<void> {
    const { host, network, peers, ports } = wanted;
    const plan = planNetwork(host, network, peers, ports);
    const differences = await scanNetwork(pool, wanted, signal);
    if (differences.length === 0) return;
    // The far ends first: a tunnel that is here tells the next call that both ends are.
    const far = differences.flatMap(({ peer }) => (peer === undefined ? [] : [peer]));
    const unreached = await onReachable(far, (peer) => wireFarEnd(plan, peer, signal));
    const reached = { ...plan, tunnels: plan.tunnels.filter(({ peer }) => !unreached.includes(peer)) };
    const connection = await pool.get(plan.host.address, signal);
    await connection.run(repairScript(reached, differences), {
      attempting: `wire network ${plan.network.name}`,
      signal,
    });
  }

  async function wireFarEnd(
    { host, network }: NetworkPlan,
    peer: ComputeHost,
    signal: AbortSignal,
  ): Promise<void> {
    const connection = await pool.get(peer.address, signal);
    const plan = planNetwork(peer, network, [host], []);
    await connection.run(script(wireTunnels(plan)), {
      attempting: `wire network ${network.name} to host ${host.name}`,
      signal,
    });
  }

  /** Gives those that cannot be reached: a dead host does not hold up the others. */
  async function onReachable(
    peers: readonly ComputeHost[],
    work: (peer: ComputeHost) => Promise<void>,
  ): Promise<readonly ComputeHost[]> {
    const outcomes = await Promise.all(
      peers.map((peer) =>
        work(peer).then(
          () => [],
          (error: unknown) => {
            if (!hasCode(error, "host-unreachable")) throw error;
            return [peer];
          },
        ),
      ),
    );
    return outcomes.flat();
  }

  return {
    ensureNetwork: (host, network, peers, ports, signal) => ensure({ host, network, peers, ports }, signal),
    async releaseNetwork(host, network, peers, leaving, signal) {
      const connection = await pool.get(host.address, signal);
      const { stdout } = await connection.run(releasePorts(host, network.id, leaving), {
        attempting: `release network ${network.name}`,
        signal,
      });
      if (stdout.trim() === "kept") return;
      await onReachable(peers, async (peer) => {
        const there = await pool.get(peer.address, signal);
        await there.run(removeTunnel(network.id, host.id), {
          attempting: `release network ${network.name} towards host ${host.name}`,
          signal,
        });
      });
    },
    observeNetwork: async (host, network, peers, ports, signal) =>
      toDrift(await scanNetwork(pool, { host, network, peers, ports }, signal)),
  };
}
