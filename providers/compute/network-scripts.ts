import type { ComputeHost, PortSpec } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { networkFolder, networksFolder } from "./layout.ts";
import { integrationBridge, nameCookie, nameTap, nameTunnel } from "./marks.ts";
import { addFlows, deriveDhcpMac, dhcpFunctions } from "./network-boot.ts";
import type { DhcpPlan, Difference, Entry, NetworkPlan, Tunnel } from "./network-plan.ts";
import { renderTransaction } from "./render.ts";

/** One script that puts right what differs. Changes of a host's networks are made one at a time. */
export function repairScript(plan: NetworkPlan, differences: readonly Difference[]): Shell {
  const parts = new Set(differences.map(({ part }) => part));
  const guests = differences.flatMap(({ guest }) => (guest === undefined ? [] : [guest]));
  const entries = differences.flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
  const { dhcp } = plan;
  return script(
    lockNetworks(plan.host),
    ...(parts.has("ports") || parts.has("device") ? [wirePorts(plan, parts.has("device"), guests)] : []),
    ...(parts.has("flows") ? [addFlows(plan.network, plan.dhcp !== undefined)] : []),
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

/** The other host's end of a network's tunnels. */
export function wireTunnels(plan: NetworkPlan): Shell {
  return wire(plan.tunnels.flatMap((tunnel) => addTunnel(plan, tunnel)));
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
    type: network.networkType,
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

/** A changed entry is written whole; files of other ports stay. */
function writeEntries({ folder }: NetworkPlan, entries: readonly Entry[]): Shell {
  const files = entries.map(
    ({ portId, text }) => sh`printf '%s' ${text} > ${`${folder}/${portId}.part`}
mv ${`${folder}/${portId}.part`} ${`${folder}/ports/${portId}`}`,
  );
  return script(sh`[ -d ${`${folder}/ports`} ] || mkdir -p -- ${`${folder}/ports`}`, ...files);
}

/** The namespace, its device and its server. A server that only got new entries reads them anew. */
function serveDhcp({ folder }: NetworkPlan, { settings, boot }: DhcpPlan, restart: boolean): Shell {
  const [settingsFile, bootFile] = [`${folder}/dnsmasq.conf`, `${folder}/boot`];
  return restart
    ? sh`[ -d ${folder} ] || mkdir -p -- ${folder}
printf '%s' ${settings} > ${settingsFile}
printf '%s' ${boot} > ${bootFile}
sh ${bootFile}`
    : sh`read -r pid < ${`${folder}/pid`}
kill -HUP "$pid"`;
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
