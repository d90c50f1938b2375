import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { listBridges, parseBridges } from "../hosts/ovs.ts";
import type { OvsPort } from "../hosts/ovs.ts";
import { integrationBridge, nameDhcpPort, nameNamespace, nameTap } from "./marks.ts";

/** What a host has of a network, as found. */
export interface NetworkState {
  /** Ports of the integration bridge by name. */
  readonly ports: ReadonlyMap<string, OvsPort>;
  /** Of the integration bridge. */
  readonly flows: readonly string[];
  /** Addresses of the DHCP server's device with prefix length; `undefined` when it is not in its namespace. */
  readonly addresses: readonly string[] | undefined;
  readonly isServing: boolean;
  /** Settings of the DHCP server, and the script that starts it; empty when there are none. */
  readonly settings: string;
  /** File of each port that the host knows. */
  readonly entries: ReadonlyMap<string, string>;
  /** Devices of guests that run, of the ports asked for. */
  readonly taps: ReadonlySet<string>;
}

/** Stands between the parts of the answer. */
const separator = "<>";
/** Parts of one network: addresses, server, settings, entries. */
const partsPerNetwork = 4;

/**
 * Looks at networks: one script of a few processes, half of them beside the others, since every build of a server runs it. `folder` is that of all
 * networks.
 */
export function observeNetworks(
  folder: string,
  networkIds: readonly string[],
  portIds: readonly string[],
): Shell {
  const taps = portIds.map(nameTap);
  const looks = networkIds.map((id) => sh`look ${id} ${nameNamespace(id)} ${nameDhcpPort(id)}`);
  return sh`networks=${folder} bridge=${integrationBridge}
look() {
  folder="$networks/$1"
  if [ -e "/run/netns/$2" ]; then ip -n "$2" -json address show dev "$3" 2> /dev/null || true; fi
  echo '<>'
  pid=
  [ ! -e "$folder/pid" ] || read -r pid < "$folder/pid" || true
  if [ -n "$pid" ] && grep -qsF "$folder/dnsmasq.conf" "/proc/$pid/cmdline"; then echo serving; fi
  echo '<>'
  [ ! -e "$folder/dnsmasq.conf" ] || cat -- "$folder/dnsmasq.conf" "$folder/boot" 2> /dev/null || true
  echo '<>'
  [ ! -d "$folder/ports" ] || (cd "$folder/ports" && grep -H '' -- * || true) 2> /dev/null
  echo '<>'
}
{
ovs-ofctl dump-flows --no-stats --names "$bridge" || true
echo '<>'
${script(...looks)}
for tap in ${taps}; do [ ! -e "/sys/class/net/$tap" ] || echo "$tap"; done
} | {
${listBridges()}
echo '<>'
cat
}`;
}

/** Reads the answer of {@link observeNetworks}, by network. Raises `command-failed` when a host answers anything else. */
export function parseNetworkStates(
  output: string,
  networkIds: readonly string[],
): ReadonlyMap<string, NetworkState> {
  const [tables, flows, ...rest] = output.split(`${separator}\n`);
  const taps = rest.pop();
  try {
    if (tables === undefined || taps === undefined || rest.length !== networkIds.length * partsPerNetwork)
      throw new RangeError(`not ${String(networkIds.length * partsPerNetwork + 3)} parts`);
    const bridge = parseBridges(tables).find(({ name }) => name === integrationBridge);
    const shared = {
      ports: new Map(bridge?.ports.map((port) => [port.name, port])),
      flows: linesOf(flows),
      taps: new Set(linesOf(taps)),
    };
    return new Map(
      networkIds.map((id, index) => {
        const [addresses, serving, settings, entries] = rest.slice(index * partsPerNetwork);
        return [
          id,
          {
            ...shared,
            addresses: readAddresses(addresses),
            isServing: serving === "serving\n",
            settings: settings ?? "",
            entries: readEntries(entries),
          },
        ];
      }),
    );
  } catch (cause) {
    throw new StackyardError("command-failed", {
      message: "A host described a network in words that cannot be read",
      cause,
    });
  }
}

const addressTable = z.array(
  z.looseObject({
    addr_info: z
      .array(z.looseObject({ family: z.string(), local: z.string(), prefixlen: z.int() }))
      .default([]),
  }),
);

function readAddresses(text: string | undefined): readonly string[] | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  return addressTable
    .parse(JSON.parse(text))
    .flatMap((device) => device.addr_info)
    .filter((info) => info.family === "inet")
    .map((info) => `${info.local}/${String(info.prefixlen)}`);
}

/** Lines `FILE:LINE` of grep; the files have uuids for names. */
function readEntries(text: string | undefined): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const line of linesOf(text)) {
    const colon = line.indexOf(":");
    const file = line.slice(0, colon);
    entries.set(file, `${entries.get(file) ?? ""}${line.slice(colon + 1)}\n`);
  }
  return entries;
}

function linesOf(text: string | undefined): readonly string[] {
  return (text ?? "").split("\n").filter((line) => line !== "");
}
