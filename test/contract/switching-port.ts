import { beforeAll, describe, expect, test } from "vitest";
import type { ComputeHost, NetworkSpec, PortSpec, SwitchingPort } from "../../providers/core/ports.ts";
import { network, portOf } from "../support/compute-specimens.ts";
import type { ComputeStage } from "./compute-ports.ts";

const { signal } = new AbortController();

/** The network with a DNS server that it did not have. */
const changed: NetworkSpec = {
  ...network,
  subnets: network.subnets.map((subnet) => ({ ...subnet, dnsServers: ["10.50.0.3"] })),
};

/** Begins and ends with hosts that are enrolled and have no network. */
export function describeSwitchingPort(onStage: () => ComputeStage): void {
  describe("switching", () => {
    let stage: ComputeStage;
    let switching: SwitchingPort;
    let here: ComputeHost;
    let there: ComputeHost;

    beforeAll(() => {
      stage = onStage();
      switching = stage.compute.switching;
      [here, there] = stage.hosts;
    });

    const ensure = (ports: readonly PortSpec[], spec = network): Promise<void> =>
      switching.ensureNetwork(here, spec, [there], ports, signal);

    /** What is wrong on the first host, by field. */
    async function findDrift(
      ports: readonly PortSpec[],
      { spec = network, peers = [there] }: { spec?: NetworkSpec; peers?: readonly ComputeHost[] } = {},
    ): Promise<readonly string[]> {
      const drift = await switching.observeNetwork(here, spec, peers, ports, signal);
      return drift.map(({ field }) => field);
    }

    async function listKinds(host: ComputeHost): Promise<readonly string[]> {
      return (await stage.compute.leftovers.list(host, signal)).map(({ kind }) => kind).toSorted();
    }

    test("a network that was never wired lacks its tunnels, its DHCP server and its ports", async () => {
      const port = portOf(1);
      const drift = await switching.observeNetwork(here, network, [there], [port], signal);
      const fields = [`tunnels.${there.name}`, "dhcp.settings", "dhcp.server", `ports.${port.id}.entry`];
      expect(drift).toEqual(
        expect.arrayContaining(
          fields.map((field) => expect.objectContaining({ field, label: "live" }) as unknown),
        ),
      );
    });

    test("a network is wired for its ports, and again without a change", async () => {
      await ensure([portOf(1)]);
      await ensure([portOf(1)]);
      expect(await findDrift([portOf(1)])).toEqual([]);
    });

    test("a network that is wired has the tunnel back, too", async () => {
      expect(await listKinds(there)).toEqual(["tunnel"]);
      await switching.ensureNetwork(there, network, [here], [portOf(2)], signal);
      expect(await switching.observeNetwork(there, network, [here], [portOf(2)], signal)).toEqual([]);
    });

    test("a port that comes leaves the others as they are", async () => {
      await ensure([portOf(3)]);
      expect(await findDrift([portOf(1), portOf(3)])).toEqual([]);
    });

    test("a port that goes leaves the others as they are, and may go again", async () => {
      const release = () => switching.releaseNetwork(here, network, [there], [portOf(3).id], signal);
      await release();
      await release();
      expect(await findDrift([portOf(1), portOf(3)])).toEqual([`ports.${portOf(3).id}.entry`]);
    });

    test("a tunnel that was removed is seen, and put back", async () => {
      await stage.meddle(`${network.id}/${there.id}`, "remove the tunnel");
      expect(await findDrift([portOf(1)])).toEqual([`tunnels.${there.name}`]);
      await ensure([portOf(1)]);
      expect(await findDrift([portOf(1)])).toEqual([]);
    });

    test("a DHCP entry that was removed is seen, and put back", async () => {
      await stage.meddle(`${network.id}/${portOf(1).id}`, "remove its DHCP entry");
      expect(await findDrift([portOf(1)])).toEqual([`ports.${portOf(1).id}.entry`]);
      await ensure([portOf(1)]);
      expect(await findDrift([portOf(1)])).toEqual([]);
    });

    test("a DHCP server that was killed is seen, and started anew", async () => {
      await stage.meddle(network.id, "kill its DHCP server");
      expect(await findDrift([portOf(1)])).toEqual(["dhcp.server"]);
      await ensure([portOf(1)]);
      expect(await findDrift([portOf(1)])).toEqual([]);
    });

    test("a subnet that changes is seen, and brought to the host", async () => {
      expect(await findDrift([portOf(1)], { spec: changed })).toEqual(["dhcp.settings"]);
      await ensure([portOf(1)], changed);
      expect(await findDrift([portOf(1)], { spec: changed })).toEqual([]);
    });

    test("a port that changes its name is seen, and brought to the host", async () => {
      const renamed = { ...portOf(1), hostname: "renamed" };
      expect(await findDrift([renamed], { spec: changed })).toEqual([`ports.${renamed.id}.entry`]);
      await ensure([renamed], changed);
      expect(await findDrift([renamed], { spec: changed })).toEqual([]);
    });

    test("a peer that does not answer is left out, and stays to be done", async () => {
      const peers = [there, stage.gone];
      await switching.ensureNetwork(here, network, peers, [portOf(1)], signal);
      expect(await findDrift([portOf(1)], { peers })).toEqual([`tunnels.${stage.gone.name}`]);
    });

    test("a host that does not answer is an error", async () => {
      const { gone } = stage;
      const code = "host-unreachable";
      const args = [gone, network, [here], [portOf(1)], signal] as const;
      await expect(switching.ensureNetwork(...args)).rejects.toMatchObject({ code });
      await expect(switching.observeNetwork(...args)).rejects.toMatchObject({ code });
      const leaving = [portOf(1).id];
      await expect(switching.releaseNetwork(gone, network, [here], leaving, signal)).rejects.toMatchObject({
        code,
      });
    });

    test("a network goes with its last port, and with it the tunnels to the host", async () => {
      const peers = [there, stage.gone];
      const release = () => switching.releaseNetwork(here, network, peers, [portOf(1).id], signal);
      await release();
      await release();
      expect(await listKinds(here)).toEqual([]);
      expect(await listKinds(there)).toEqual(["network", "port"]);
      await switching.releaseNetwork(there, network, [], [portOf(2).id], signal);
      expect(await listKinds(there)).toEqual([]);
    });
  });
}
