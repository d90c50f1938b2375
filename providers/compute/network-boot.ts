import type { ComputeHost, NetworkSpec } from "../core/ports.ts";
import { deriveMac } from "../core/ids.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { networkFolder } from "./layout.ts";
import { integrationBridge, nameCookie, nameDhcpPort, nameNamespace } from "./marks.ts";
import { renderText } from "./render.ts";

/** The MAC of a network's DHCP servers, the same on every host. */
export function deriveDhcpMac(network: NetworkSpec): string {
  return deriveMac("dhcp", network.id);
}

/** Adds the flows of the integration bridge, and with DHCP those of the network. */
export function addFlows(network: NetworkSpec, hasDhcp: boolean): Shell {
  const flows = renderText("ovs/integration-flows", {});
  const own = hasDhcp
    ? renderText("ovs/network-flows", {
        cookie: nameCookie(network.id),
        vni: network.vni,
        dhcpMac: deriveDhcpMac(network),
      })
    : "";
  return sh`printf '%s' ${flows + own} | ovs-ofctl --bundle add-flows ${integrationBridge} -`;
}

/**
 * Brings back what a boot takes of a network with DHCP: its flows, its namespace with the device, and the server, which is started anew. The text is kept in
 * the network's folder; whoever changes something of these runs it from there.
 */
export function renderNetworkBoot(
  host: ComputeHost,
  network: NetworkSpec,
  addresses: readonly string[],
): string {
  const offload =
    host.datapath === "netdev"
      ? sh`nsenter "--net=/run/netns/$ns" ethtool -K "$dev" tx off > /dev/null`
      : sh`:`;
  const assign = addresses.map((address) => sh`echo address replace ${address} dev "$dev"`);
  return script(
    addFlows(network, true),
    dhcpFunctions(networkFolder(host.folder, network.id), network.id),
    sh`mkdir -p -- "$folder/ports"
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
start_dhcp
`,
  ).text;
}

/** The process of the pid file is the server's only if its command line says so: numbers are used again. */
export function dhcpFunctions(folder: string, networkId: string): Shell {
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
