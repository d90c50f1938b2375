import { formatAddress, formatNetmask, parseCidr } from "../core/cidr.ts";
import { hasCode, StackyardError } from "../core/errors.ts";
import { deriveMac } from "../core/ids.ts";
import type { ResourceId } from "../core/ids.ts";
import type { ComputeHost, NetworkSpec, PortSpec, SwitchingPort } from "../core/ports.ts";
import type { Drift } from "../core/resource.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostPool } from "../hosts/pool.ts";
import { networkFolder, networksFolder } from "./layout.ts";
import { integrationBridge, nameCookie, nameDhcpPort, nameNamespace, nameTap, nameTunnel } from "./marks.ts";
import { observeScript, parseNetworkState } from "./network-state.ts";
import type { NetworkState } from "./network-state.ts";
import { renderText, renderTransaction } from "./render.ts";

/** Lease time of an address (neutron: `dhcp_lease_duration` 86400). */
const leaseSeconds = 86_400;
/** Domain that guests are told (neutron: `dns_domain`). */
const dnsDomain = "stackyard.internal";

/** Networks on hosts: VXLAN ports and a DHCP server a network, on Open vSwitch and dnsmasq. */
export function openSwitching(pool: HostPool): SwitchingPort {
  async function observe(plan: NetworkPlan, signal: AbortSignal): Promise<readonly Difference[]> {
    const connection = await pool.get(plan.host.address, signal);
    const portIds = plan.ports.map((port) => port.id);
    const { stdout } = await connection.run(script(observeScript(plan.network.id, plan.folder, portIds)), {
      attempting: `look at network ${plan.network.name}`,
      signal,
    });
    return findDifferences(plan, parseNetworkState(stdout));
  }

  async function ensure(plan: NetworkPlan, signal: AbortSignal): Promise<void> {
    const differences = await observe(plan, signal);
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
    await connection.run(script(wire(plan.tunnels.flatMap((tunnel) => addTunnel(plan, tunnel)))), {
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
    ensureNetwork: (host, network, peers, ports, signal) =>
      ensure(planNetwork(host, network, peers, ports), signal),
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
      (await observe(planNetwork(host, network, peers, ports), signal)).map(({ field, expected, found }) => ({
        field,
        expected,
        found,
      })),
  };
}

/** What must be on a host for a network. */
interface NetworkPlan {
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

interface Tunnel {
  readonly name: string;
  readonly peer: ComputeHost;
}

interface DhcpPlan {
  readonly device: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
  readonly settings: string;
}

/** Lines of `templates/ovs/network-flows.hbs`. */
const networkFlowCount = 2;

/** Something that is not as planned, and which part of the repair it needs. */
interface Difference extends Drift {
  readonly part: "ports" | "flows" | "dhcp" | "device" | "entries";
  /** The guest's port to put back. */
  readonly guest?: PortSpec;
  /** The host at the other end of a missing tunnel. */
  readonly peer?: ComputeHost;
  /** The file to write. */
  readonly entry?: Entry;
}

/** File of a port for the DHCP server. */
interface Entry {
  readonly portId: ResourceId;
  readonly text: string;
}

function planNetwork(
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
    dhcp: planDhcp(network, folder),
  };
}

/** The MAC of a network's DHCP servers, the same on every host. */
function deriveDhcpMac(network: NetworkSpec): string {
  return deriveMac("dhcp", network.id);
}

function planDhcp(network: NetworkSpec, folder: string): DhcpPlan | undefined {
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
  return {
    device,
    addresses: subnets.map(({ dhcpAddress, range }) => `${dhcpAddress}/${String(range.prefixLength)}`),
    settings,
  };
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

function findDifferences(plan: NetworkPlan, state: NetworkState): readonly Difference[] {
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
  const expected = describeTunnel(plan.network.localVlan, true, [
    String(plan.network.vni),
    plan.host.tunnelAddress,
    peer.tunnelAddress,
  ]);
  const port = state.ports.get(name);
  const options = ["key", "local_ip", "remote_ip"].map((key) => port?.interfaces[0]?.options[key]);
  const found = port === undefined ? "missing" : describeTunnel(port.tag, port.protected, options);
  return found === expected ? [] : [{ part: "ports", field: `tunnels.${peer.name}`, expected, found, peer }];
}

function describeTunnel(
  tag: number | undefined,
  isProtected: boolean,
  [key, local, remote]: readonly (string | undefined)[],
): string {
  return `vni ${key ?? "none"} from ${local ?? "none"} to ${remote ?? "none"}, tag ${String(tag ?? "none")}, ${isProtected ? "protected" : "open"}`;
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
  if (state.settings !== dhcp.settings) {
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

/** One script that puts right what differs. Changes of a host's networks are made one at a time. */
function repairScript(plan: NetworkPlan, differences: readonly Difference[]): Shell {
  const parts = new Set(differences.map(({ part }) => part));
  const guests = differences.flatMap(({ guest }) => (guest === undefined ? [] : [guest]));
  const entries = differences.flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
  const { dhcp } = plan;
  return script(
    lockNetworks(plan.host),
    ...(parts.has("ports") || parts.has("device") ? [wirePorts(plan, parts.has("device"), guests)] : []),
    ...(parts.has("flows") ? [addFlows(plan)] : []),
    ...(entries.length > 0 ? [writeEntries(plan, entries)] : []),
    ...(dhcp === undefined || !(parts.has("device") || parts.has("dhcp") || parts.has("entries"))
      ? []
      : [serveDhcp(plan, dhcp, parts.has("device") || parts.has("dhcp"))]),
  );
}

/** Descriptor 9 holds the lock until the script ends; what it leaves running must not inherit it. */
function lockNetworks(host: ComputeHost): Shell {
  const folder = networksFolder(host.folder);
  return sh`umask 022
[ -d ${folder} ] || mkdir -p -- ${folder}
exec 9> ${`${folder}/lock`}
flock 9`;
}

function wirePorts(plan: NetworkPlan, isDeviceGone: boolean, guests: readonly PortSpec[]): Shell {
  const { dhcp, network } = plan;
  const transaction = wire([
    ...plan.tunnels.flatMap((tunnel) => addTunnel(plan, tunnel)),
    ...(dhcp === undefined ? [] : addDhcpPort(plan, dhcp)),
    ...guests.flatMap((port) =>
      renderTransaction("ovs/guest-port", {
        bridge: integrationBridge,
        name: nameTap(port.id),
        localVlan: network.localVlan,
        mac: port.mac,
        portId: port.id,
        serverId: port.serverId,
      }),
    ),
  ]);
  // A device that went with its namespace comes back only when Open vSwitch has seen its port go.
  return dhcp !== undefined && isDeviceGone
    ? script(sh`ovs-vsctl --if-exists del-port ${integrationBridge} ${dhcp.device}`, transaction)
    : transaction;
}

function wire(words: readonly string[]): Shell {
  return words.length === 0 ? sh`:` : sh`ovs-vsctl ${words}`;
}

function addTunnel({ host, network }: NetworkPlan, { name, peer }: Tunnel): readonly string[] {
  return renderTransaction("ovs/tunnel", {
    bridge: integrationBridge,
    name,
    localVlan: network.localVlan,
    cloudId: host.cloudId,
    networkId: network.id,
    peerId: peer.id,
    vni: network.vni,
    localAddress: host.tunnelAddress,
    remoteAddress: peer.tunnelAddress,
  });
}

function addDhcpPort({ host, network }: NetworkPlan, dhcp: DhcpPlan): readonly string[] {
  return renderTransaction("ovs/dhcp-port", {
    bridge: integrationBridge,
    name: dhcp.device,
    localVlan: network.localVlan,
    cloudId: host.cloudId,
    networkId: network.id,
    mac: deriveDhcpMac(network),
  });
}

function addFlows({ dhcp, network }: NetworkPlan): Shell {
  const flows = renderText("ovs/integration-flows", {});
  const own =
    dhcp === undefined
      ? ""
      : renderText("ovs/network-flows", {
          cookie: nameCookie(network.id),
          vni: network.vni,
          dhcpMac: deriveDhcpMac(network),
        });
  return sh`printf '%s' ${flows + own} | ovs-ofctl --bundle add-flows ${integrationBridge} -`;
}

/** A changed entry is written whole; files of other ports stay. */
function writeEntries({ folder }: NetworkPlan, entries: readonly Entry[]): Shell {
  const files = entries.map(
    ({ portId, text }) => sh`printf '%s' ${text} > ${`${folder}/${portId}.part`}
mv ${`${folder}/${portId}.part`} ${`${folder}/ports/${portId}`}`,
  );
  return script(sh`[ -d ${`${folder}/ports`} ] || mkdir -p -- ${`${folder}/ports`}`, ...files);
}

/** The namespace, its device and its server. A server that only got new entries reads them anew. */
function serveDhcp(plan: NetworkPlan, dhcp: DhcpPlan, restart: boolean): Shell {
  const { host, network } = plan;
  const offload =
    host.datapath === "netdev"
      ? sh`nsenter "--net=/run/netns/$ns" ethtool -K "$dev" tx off > /dev/null`
      : sh`:`;
  const assign = dhcp.addresses.map((address) => sh`echo address replace ${address} dev "$dev"`);
  const start = sh`mkdir -p -- "$folder/ports"
[ -e "/run/netns/$ns" ] || ip netns add "$ns"
[ ! -e "/sys/class/net/$dev" ] || ip link set "$dev" netns "$ns"
{
  echo link set lo up
  echo address flush dev "$dev"
${script(...assign)}
  echo link set "$dev" mtu ${network.mtuBytes} up
} | ip -n "$ns" -batch -
${offload}
stop_dhcp
printf '%s' ${dhcp.settings} > "$folder/dnsmasq.conf"
start_dhcp`;
  return script(
    dhcpFunctions(plan.folder, network.id),
    restart
      ? start
      : sh`read -r pid < "$folder/pid"
kill -HUP "$pid"`,
  );
}

/** The process of the pid file is the server's only if its command line says so: numbers are used again. */
function dhcpFunctions(folder: string, networkId: string): Shell {
  return sh`folder=${folder} ns=${nameNamespace(networkId)} dev=${nameDhcpPort(networkId)}
is_serving() {
  pid=
  [ ! -e "$folder/pid" ] || read -r pid < "$folder/pid"
  [ -n "$pid" ] && grep -qsF "$folder/dnsmasq.conf" "/proc/$pid/cmdline"
}
stop_dhcp() {
  is_serving || return 0
  kill "$pid"
  while is_serving; do sleep 0.01; done
}
start_dhcp() { nsenter "--net=/run/netns/$ns" dnsmasq "--conf-file=$folder/dnsmasq.conf" 9>&-; }`;
}

/**
 * Takes entries of ports away, and all of the network with the last. The server is started anew without the leases of those that left: it would
 * not give their addresses to others. Prints `kept` or `left`.
 */
export function releasePorts(host: ComputeHost, networkId: string, leaving: readonly string[]): Shell {
  const files = leaving.map((portId) => `ports/${portId}`);
  return script(
    lockNetworks(host),
    dhcpFunctions(networkFolder(host.folder, networkId), networkId),
    sh`if [ -d "$folder" ]; then
  cd "$folder"
  for file in ${files}; do
    [ -e "$file" ] || continue
    macs="$(sed -n 's/^\([0-9a-f:]*\),.*/\1/p' "$file")"
    rm -f "$file"
    stop_dhcp
    for mac in $macs; do [ ! -e leases ] || sed -i "/ $mac /d" leases; done
  done
fi
if [ -n "$(ls -A "$folder/ports" 2> /dev/null)" ]; then
  is_serving || [ ! -e dnsmasq.conf ] || start_dhcp
  echo kept
  exit
fi`,
    unwireNetwork(networkId),
    sh`echo left`,
  );
}

/** Takes all of a network from a host, be there ports on it or not. */
export function removeNetwork(host: ComputeHost, networkId: string): Shell {
  return script(
    lockNetworks(host),
    dhcpFunctions(networkFolder(host.folder, networkId), networkId),
    unwireNetwork(networkId),
  );
}

/** Only ports that carry the network's mark go. Expects {@link dhcpFunctions}. */
function unwireNetwork(networkId: string): Shell {
  return sh`bridge=${integrationBridge} network=${networkId} cookie=${nameCookie(networkId)}
stop_dhcp
ovs-ofctl del-flows "$bridge" "cookie=$cookie/-1"
set --
for port in $(ovs-vsctl --bare --columns=name find Port "external_ids:stackyard-network=$network"); do
  set -- "$@" -- --if-exists del-port "$bridge" "$port"
done
[ $# -eq 0 ] || ovs-vsctl "$@"
[ ! -e "/run/netns/$ns" ] || ip netns delete "$ns"
rm -rf -- "$folder"`;
}

/** Takes the tunnel towards one peer away. */
export function removeTunnel(networkId: string, peerId: string): Shell {
  return sh`ovs-vsctl --if-exists del-port ${integrationBridge} ${nameTunnel(networkId, peerId)}`;
}
