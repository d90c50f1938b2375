import { sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { nameNamespace } from "./marks.ts";

/**
 * A command for the host of a guest that relays standard input and output to a TCP port of the guest, from within its network: what ssh takes as
 * ProxyCommand. Needs the network's DHCP server on that host. Ends when either side closes. Only bash, which every Debian has, is needed.
 */
export function relayToGuest(networkId: string, address: string, port: number): Shell {
  return sh`exec nsenter ${`--net=/run/netns/${nameNamespace(networkId)}`} bash -c '
exec 3<> "/dev/tcp/$1/$2" 4<&0 || exit 1
cat <&3 & reader=$!
cat <&4 >&3 & writer=$!
wait -n
kill "$reader" "$writer" 2> /dev/null' relay ${address} ${port}`;
}
