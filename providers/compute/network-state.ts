import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import { sh } from "../hosts/command.ts";
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
  /** Settings of the DHCP server; empty when there are none. */
  readonly settings: string;
  /** File of each port that the host knows. */
  readonly entries: ReadonlyMap<string, string>;
  /** Devices of guests that run, of the ports asked for. */
  readonly taps: ReadonlySet<string>;
}

/** Stands between the parts of the answer. */
const separator = "<>";

/** Looks at a network: one script of a few processes, half of them beside the others, since every build of a server runs it. */
export function observeScript(networkId: ResourceId, folder: string, portIds: readonly ResourceId[]): Shell {
  const taps = portIds.map(nameTap);
  return sh`folder=${folder} bridge=${integrationBridge} ns=${nameNamespace(networkId)} dev=${nameDhcpPort(networkId)}
{
ovs-ofctl dump-flows --no-stats --names "$bridge" || true
echo '<>'
if [ -e "/run/netns/$ns" ]; then ip -n "$ns" -json address show dev "$dev" 2> /dev/null || true; fi
echo '<>'
pid=
[ ! -e "$folder/pid" ] || read -r pid < "$folder/pid" || true
if [ -n "$pid" ] && grep -qsF "$folder/dnsmasq.conf" "/proc/$pid/cmdline"; then echo serving; fi
echo '<>'
[ ! -e "$folder/dnsmasq.conf" ] || cat -- "$folder/dnsmasq.conf"
echo '<>'
[ ! -d "$folder/ports" ] || (cd "$folder/ports" && grep -H '' -- * || true) 2> /dev/null
echo '<>'
for tap in ${taps}; do [ ! -e "/sys/class/net/$tap" ] || echo "$tap"; done
} | {
${listBridges()}
echo '<>'
cat
}`;
}

/** Reads the answer of {@link observeScript}. Raises `command-failed` when a host answers anything else. */
export function parseNetworkState(output: string): NetworkState {
  const [tables, flows, addresses, serving, settings, entries, taps, ...rest] = output.split(
    `${separator}\n`,
  );
  try {
    if (tables === undefined || taps === undefined || rest.length > 0)
      throw new RangeError("not seven parts");
    const bridge = parseBridges(tables).find(({ name }) => name === integrationBridge);
    return {
      ports: new Map(bridge?.ports.map((port) => [port.name, port])),
      flows: linesOf(flows),
      addresses: readAddresses(addresses),
      isServing: serving === "serving\n",
      settings: settings ?? "",
      entries: readEntries(entries),
      taps: new Set(linesOf(taps)),
    };
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
