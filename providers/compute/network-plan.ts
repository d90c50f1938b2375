import { formatAddress, formatNetmask, parseCidr } from "../core/cidr.ts";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { ComputeHost, NetworkSpec, PortSpec } from "../core/ports.ts";
import type { Drift } from "../core/resource.ts";
import { networkFolder } from "./layout.ts";
import { integrationBridge, nameCookie, nameDhcpPort, nameTap, nameTunnel } from "./marks.ts";
import { renderNetworkBoot } from "./network-boot.ts";
import type { NetworkState } from "./network-state.ts";
import { renderText } from "./render.ts";

/** Lease time of an address (neutron: `dhcp_lease_duration` 86400). */
const leaseSeconds = 86_400;
/** Domain that guests are told (neutron: `dns_domain`). */
const dnsDomain = "stackyard.internal";

/** What must be on a host for a network. */
export interface NetworkPlan {
  readonly host: ComputeHost;
  readonly network: NetworkSpec;
  readonly folder: string;
  readonly tunnels: readonly Tunnel[];
  readonly ports: readonly PortSpec[];
  /** One of each port, whether DHCP serves it or not: the files also tell when the last port has gone. */
  readonly entries: readonly Entry[];
  /** Absent when no subnet has DHCP. */
  readonly dhcp: DhcpPlan | undefined;
}

export interface Tunnel {
  readonly name: string;
  readonly peer: ComputeHost;
}

export interface DhcpPlan {
  readonly device: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
  readonly settings: string;
  /** Script that starts it, now and after a boot. */
  readonly boot: string;
}

/** Lines of `templates/ovs/network-flows.hbs`. */
const networkFlowCount = 2;

/** Something that is not as planned, and which part of the repair it needs. */
export interface Difference extends Pick<Drift, "field" | "expected" | "found"> {
  readonly part: "ports" | "flows" | "dhcp" | "device" | "entries";
  /** The guest's port to put back. */
  readonly guest?: PortSpec;
  /** The host at the other end of a missing tunnel. */
  readonly peer?: ComputeHost;
  /** The file to write. */
  readonly entry?: Entry;
}

/** File of a port for the DHCP server. */
export interface Entry {
  readonly portId: ResourceId;
  readonly text: string;
}

export function planNetwork(
  host: ComputeHost,
  network: NetworkSpec,
  peers: readonly ComputeHost[],
  ports: readonly PortSpec[],
): NetworkPlan {
  const folder = networkFolder(host.folder, network.id);
  return {
    host,
    network,
    folder,
    tunnels: peers.map((peer) => ({ name: nameTunnel(network.id, peer.id), peer })),
    ports,
    entries: ports.map((port) => ({ portId: port.id, text: renderEntry(port, network) })),
    dhcp: planDhcp(host, network, folder),
  };
}

function planDhcp(host: ComputeHost, network: NetworkSpec, folder: string): DhcpPlan | undefined {
  const subnets = network.subnets.flatMap(({ dhcpAddress, ...subnet }) =>
    dhcpAddress === undefined ? [] : [{ ...subnet, dhcpAddress, range: parseCidr(subnet.cidr) }],
  );
  if (subnets.length === 0) return undefined;
  const device = nameDhcpPort(network.id);
  const settings = renderText("dnsmasq/network.conf", {
    networkId: network.id,
    interface: device,
    folder,
    domain: dnsDomain,
    leaseSeconds,
    mtuBytes: network.mtuBytes,
    subnets: subnets.map(({ id, range, gateway, dnsServers }) => ({
      id,
      base: formatAddress(range.first),
      netmask: formatNetmask(range),
      gateway,
      dnsServers: dnsServers.join(","),
    })),
  });
  const addresses = subnets.map(({ dhcpAddress, range }) => `${dhcpAddress}/${String(range.prefixLength)}`);
  return { device, addresses, settings, boot: renderNetworkBoot(host, network, addresses) };
}

/** dnsmasq reads commas as the ends of fields: a name is a host name or is refused. */
const hostnamePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

function renderEntry(port: PortSpec, network: NetworkSpec): string {
  if (!hostnamePattern.test(port.hostname)) {
    throw new StackyardError("invalid-input", {
      message: `Port ${port.id} has no host name that DHCP could give`,
      field: "hostname",
      value: port.hostname,
      remedy: "Use letters, digits and hyphens.",
    });
  }
  const served = new Set(
    network.subnets.filter((subnet) => subnet.dhcpAddress !== undefined).map(({ id }) => id),
  );
  return renderText("dnsmasq/port", {
    id: port.id,
    mac: port.mac,
    hostname: port.hostname,
    leaseSeconds,
    addresses: port.addresses.filter(({ subnetId }) => served.has(subnetId)).map(({ address }) => address),
  });
}

/** What the repair does about each part; guests run on. */
const repairs: Readonly<Record<Difference["part"], string>> = {
  ports: "wires it anew",
  flows: "adds them",
  dhcp: "starts the DHCP server anew",
  device: "makes the DHCP server's device anew, and starts the server",
  entries: "writes it anew",
};

/** Differences as drift of the resource that they were looked for. */
export function toDrift(differences: readonly Difference[]): readonly Drift[] {
  return differences.map(({ field, expected, found, part }) => ({
    field,
    expected,
    found,
    repair: repairs[part],
    label: "live",
  }));
}

/** What of a network is not as planned, on a host in this state. Raises `internal` where the host was not asked about it. */
export function findDifferences(plan: NetworkPlan, state: NetworkState | undefined): readonly Difference[] {
  if (state === undefined)
    throw new StackyardError("internal", { message: `network ${plan.network.id} was not looked at` });
  return [
    ...plan.tunnels.flatMap((tunnel) => compareTunnel(plan, tunnel, state)),
    ...compareFlows(plan, state),
    ...(plan.dhcp === undefined ? [] : compareDhcp(plan, plan.dhcp, state)),
    ...plan.entries.flatMap((entry) => compareEntry(entry, state)),
    ...plan.ports.flatMap((port) => comparePort(plan, port, state)),
  ];
}

function compareTunnel(
  plan: NetworkPlan,
  { name, peer }: Tunnel,
  state: NetworkState,
): readonly Difference[] {
  const expected = describeTunnel(plan.network.localVlan, true, plan.network.networkType, [
    String(plan.network.vni),
    plan.host.tunnelAddress,
    peer.tunnelAddress,
  ]);
  const port = state.ports.get(name);
  const device = port?.interfaces[0];
  const options = ["key", "local_ip", "remote_ip"].map((key) => device?.options[key]);
  const found =
    port === undefined
      ? "missing"
      : describeTunnel(port.tag, port.protected, device?.type ?? "none", options);
  return found === expected ? [] : [{ part: "ports", field: `tunnels.${peer.name}`, expected, found, peer }];
}

function describeTunnel(
  tag: number | undefined,
  isProtected: boolean,
  type: string,
  [key, local, remote]: readonly (string | undefined)[],
): string {
  return `${type} ${key ?? "none"} from ${local ?? "none"} to ${remote ?? "none"}, tag ${String(tag ?? "none")}, ${isProtected ? "protected" : "open"}`;
}

/** The bridge's lowest, without which one in mode `secure` forwards nothing, and the network's, without which DHCP servers answer for each other. */
function compareFlows(plan: NetworkPlan, state: NetworkState): readonly Difference[] {
  const hasNormal = state.flows.some((flow) => /priority=0 actions=NORMAL$/.test(flow));
  const own = state.flows.filter((flow) => flow.includes(`cookie=${nameCookie(plan.network.id)},`)).length;
  const wanted = plan.dhcp === undefined ? 0 : networkFlowCount;
  return [
    ...(hasNormal
      ? []
      : [{ part: "flows", field: "flows.normal", expected: "present", found: "missing" } as const]),
    ...(own >= wanted
      ? []
      : [{ part: "flows", field: "flows.dhcp", expected: String(wanted), found: String(own) } as const]),
  ];
}

function compareDhcp(plan: NetworkPlan, dhcp: DhcpPlan, state: NetworkState): readonly Difference[] {
  const differences: Difference[] = [];
  const addresses = [...dhcp.addresses].sort().join(" ");
  if (state.addresses === undefined) {
    differences.push({ part: "device", field: "dhcp.device", expected: dhcp.device, found: "missing" });
  } else if ([...state.addresses].sort().join(" ") !== addresses) {
    const found = state.addresses.join(" ");
    differences.push({ part: "dhcp", field: "dhcp.addresses", expected: addresses, found });
  }
  const tag = state.ports.get(dhcp.device)?.tag;
  if (tag !== plan.network.localVlan) {
    const expected = String(plan.network.localVlan);
    differences.push({ part: "ports", field: "dhcp.tag", expected, found: String(tag ?? "missing") });
  }
  if (state.settings !== dhcp.settings + dhcp.boot) {
    differences.push({ part: "dhcp", field: "dhcp.settings", expected: "current", found: "other" });
  }
  if (!state.isServing) {
    differences.push({ part: "dhcp", field: "dhcp.server", expected: "running", found: "stopped" });
  }
  return differences;
}

function compareEntry(entry: Entry, state: NetworkState): readonly Difference[] {
  const known = state.entries.get(entry.portId);
  if (known === entry.text) return [];
  const found = known === undefined ? "missing" : "other";
  return [{ part: "entries", field: `ports.${entry.portId}.entry`, expected: "current", found, entry }];
}

function comparePort(plan: NetworkPlan, port: PortSpec, state: NetworkState): readonly Difference[] {
  const tag = state.ports.get(nameTap(port.id))?.tag;
  // A guest that is off has no device; libvirt makes it at its start.
  if (!state.taps.has(nameTap(port.id)) || tag === plan.network.localVlan) return [];
  const expected = `tag ${String(plan.network.localVlan)} on ${integrationBridge}`;
  const found = state.ports.has(nameTap(port.id)) ? `tag ${String(tag ?? "none")}` : "missing";
  return [{ part: "ports", field: `ports.${port.id}.device`, expected, found, guest: port }];
}
