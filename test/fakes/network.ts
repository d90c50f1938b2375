import { parseAddress, parseCidr } from "../../providers/core/cidr.ts";
import type { ComputeHost, NetworkSpec, PortSpec } from "../../providers/core/ports.ts";
import type { Drift } from "../../providers/core/resource.ts";
import type { FakeHost } from "./host.ts";

/** Makes the network present, with its ports. Two networks with one VLAN on a host would be one. */
export function wireNetwork(machine: FakeHost, network: NetworkSpec, ports: readonly PortSpec[]): void {
  const { id, vni, localVlan } = network;
  const twin = Object.entries(machine.networks).find(
    ([other, { localVlan: vlan, vni: key }]) => other !== id && (vlan === localVlan || key === vni),
  );
  if (twin !== undefined) throw new Error(`network ${twin[0]} has the VLAN or VNI of ${id}`);
  const entries = machine.networks[id]?.entries ?? {};
  machine.networks[id] = { vni, localVlan, settings: describeSettings(network), isServing: true, entries };
  for (const port of ports) {
    entries[port.id] = describeEntry(port, network);
    if (isInUse(machine, port)) machine.tags[port.id] = localVlan;
  }
}

function describeSettings({ subnets, mtuBytes }: NetworkSpec): string {
  return JSON.stringify([subnets, mtuBytes]);
}

function describeEntry(port: PortSpec, network: NetworkSpec): string {
  const addresses = port.addresses.map(({ subnetId, address }) => {
    const subnet = network.subnets.find((candidate) => candidate.id === subnetId);
    if (subnet === undefined) throw new Error(`the network has no subnet ${subnetId}`);
    const { first, last } = parseCidr(subnet.cidr);
    if (parseAddress(address) < first || parseAddress(address) > last)
      throw new Error(`${address} is not in ${subnet.cidr}`);
    return address;
  });
  return `${port.mac} ${addresses.join(" ")} ${port.hostname}`;
}

/** Whether a running guest has it. */
function isInUse(machine: FakeHost, { id }: PortSpec): boolean {
  return Object.values(machine.domains).some(
    ({ live }) => live?.interfaces.some(({ portId }) => portId === id) === true,
  );
}

/** Takes entries away, and the whole network with the last. Says whether it is gone. */
export function releasePorts(machine: FakeHost, networkId: string, leaving: readonly string[]): boolean {
  const entries = machine.networks[networkId]?.entries ?? {};
  for (const id of leaving) Reflect.deleteProperty(entries, id);
  const isGone = Object.keys(entries).length === 0;
  if (isGone) removeNetwork(machine, networkId);
  return isGone;
}

export function removeNetwork(machine: FakeHost, networkId: string): void {
  Reflect.deleteProperty(machine.networks, networkId);
  for (const tunnel of Object.keys(machine.tunnels)) {
    if (tunnel.startsWith(`${networkId}/`)) Reflect.deleteProperty(machine.tunnels, tunnel);
  }
}

export function compareNetwork(
  machine: FakeHost,
  network: NetworkSpec,
  peers: readonly ComputeHost[],
  ports: readonly PortSpec[],
): readonly Drift[] {
  const here = machine.networks[network.id];
  const tag = String(network.localVlan);
  const pairs: readonly (readonly [field: string, expected: string, found: string | undefined])[] = [
    ...peers.map(
      (peer) =>
        [`tunnels.${peer.name}`, peer.tunnelAddress, machine.tunnels[`${network.id}/${peer.id}`]] as const,
    ),
    ["dhcp.settings", describeSettings(network), here?.settings],
    ["dhcp.server", "running", here?.isServing === true ? "running" : "stopped"],
    ...ports.map(
      (port) => [`ports.${port.id}.entry`, describeEntry(port, network), here?.entries[port.id]] as const,
    ),
    // A guest that is off has no device.
    ...ports
      .filter((port) => isInUse(machine, port))
      .map(({ id }) => [`ports.${id}.device`, tag, machine.tags[id]?.toString()] as const),
  ];
  return pairs
    .filter(([, expected, found]) => expected !== found)
    .map(([field, expected, found]) => ({
      field,
      expected,
      found: found ?? "missing",
      repair: "wires it anew",
      label: "live",
    }));
}
