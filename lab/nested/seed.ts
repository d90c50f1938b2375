import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { addressAt, withoutPrefix } from "../addresses.ts";
import { labFiles } from "../folders.ts";
import { expectProcess } from "../process.ts";
import { describeClock } from "./ceph.ts";
import { machineFiles, segmentsOf } from "./files.ts";
import { findNextHop, managementRange } from "./plan.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";

/** One file of a host's identity. */
interface SeedFile {
  /** In the host, without the leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly content: string;
}

/** A file of systemd-networkd (systemd.network(5)) for the NIC of a MAC. */
function networkFile(mac: string, lines: readonly string[]): string {
  return ["[Match]", `MACAddress=${mac}`, "", ...lines, ""].join("\n");
}

/**
 * What makes a virtual machine of the common image this host: its name, keys, the names of its neighbours, its networks.
 * @param keys of the host's sshd, and of who may log in.
 */
export function describeIdentity(
  plan: NestedPlan,
  host: NestedHost,
  keys: { readonly hostKey: string; readonly hostKeyPublic: string; readonly authorized: string },
): SeedFile[] {
  const addressOf = (other: NestedHost): string => withoutPrefix(other.tunnelAddress);
  const nextHop = findNextHop(plan, host);
  const names = plan.hosts.map((other) => `${addressOf(other)} ${other.name}\n`).join("");
  const file = (path: string, content: string, mode = 0o644): SeedFile => ({ path, mode, content });
  const segmentFile = (segment: "data" | "storage", order: number): SeedFile => {
    const network = plan.networks[segment];
    const address = segment === "data" ? host.tunnelAddress : (host.storageAddress ?? "");
    return file(
      `etc/systemd/network/${String(order)}-${segment}.network`,
      networkFile(host.macs[segment], [
        "[Link]",
        `MTUBytes=${String(network?.mtuBytes ?? 1500)}`,
        "",
        "[Network]",
        `Address=${address}`,
        ...(segment === "data" && nextHop !== undefined ? [`Gateway=${nextHop}`] : []),
        "LinkLocalAddressing=no",
        // A pulled cable takes no address away, as with a distribution's own tools.
        "IgnoreCarrierLoss=yes",
      ]),
    );
  };
  const clock = describeClock(plan, host);
  return [
    ...(clock === undefined ? [] : [file("etc/chrony/chrony.conf", clock)]),
    file("etc/hostname", `${host.name}\n`),
    file("etc/hosts", `127.0.0.1 localhost\n::1 localhost\n${names}`),
    file("etc/resolv.conf", `nameserver ${nextHop ?? resolverOf(plan)}\n`),
    file("etc/ssh/ssh_host_ed25519_key", keys.hostKey, 0o600),
    file("etc/ssh/ssh_host_ed25519_key.pub", keys.hostKeyPublic),
    file("root/.ssh/authorized_keys", keys.authorized, 0o600),
    file(
      "etc/systemd/network/10-management.network",
      networkFile(host.macs.management, describeManagement(plan, host)),
    ),
    ...segmentsOf(plan).map((segment, index) => segmentFile(segment, 20 + index)),
    ...(host.roles.includes("gateway") ? [file("etc/nftables.conf", describeGateway(plan, host))] : []),
  ];
}

/** The host's settings on its management network: QEMU's user network has DHCP, on a bridge addresses are the plan's. */
function describeManagement(plan: NestedPlan, host: NestedHost): string[] {
  const { bridge, gateway } = plan.networks.management;
  if (bridge !== undefined) {
    const address = `${host.managementAddress}/${String(managementRange(plan).prefix)}`;
    return ["[Network]", `Address=${address}`, `Gateway=${gateway}`, "LinkLocalAddressing=no"];
  }
  const withoutRoutes = ["", "[DHCPv4]", "UseRoutes=no", "UseGateway=no", "UseDNS=no"];
  return [
    ...["[Network]", "DHCP=ipv4", "LinkLocalAddressing=no"],
    ...(findNextHop(plan, host) === undefined ? [] : withoutRoutes),
  ];
}

/** Who answers questions for names: QEMU's user network, as this machine does, or the gateway of a bridged one. */
function resolverOf(plan: NestedPlan): string {
  const { bridge, gateway } = plan.networks.management;
  return bridge === undefined ? addressAt(managementRange(plan), 3) : gateway;
}

/**
 * The rules of a gateway (nft(8)): what comes from the networks between hosts leaves by QEMU's user network under the
 * gateway's own address, and who asks it for names is led to QEMU's resolver. Interfaces of the lab's side are not named:
 * a cloud may move their addresses to a bridge.
 */
function describeGateway(plan: NestedPlan, host: NestedHost): string {
  const { data, storage } = plan.networks;
  const ranges = [data, ...(storage === undefined ? [] : [storage])].map(({ cidr }) => cidr).join(", ");
  const addresses = [host.tunnelAddress, ...(host.storageAddress === undefined ? [] : [host.storageAddress])];
  const own = addresses.map(withoutPrefix).join(", ");
  return `table ip stackyard-gateway
delete table ip stackyard-gateway
table ip stackyard-gateway {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ip saddr { ${ranges} } ip daddr { ${own} } meta l4proto { tcp, udp } th dport 53 dnat to ${resolverOf(plan)}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    ip saddr { ${ranges} } oifname "eth0" masquerade
  }
}
`;
}

/** Writes the tar that the host unpacks at its boot. It holds the host's private key, and is this user's alone. */
export async function writeSeed(plan: NestedPlan, host: NestedHost): Promise<void> {
  const files = machineFiles(plan, host);
  const [hostKey, hostKeyPublic, authorized] = await Promise.all(
    [files.hostKey, `${files.hostKey}.pub`, `${labFiles(plan.folder).identity}.pub`].map((path) =>
      readFile(path, "utf8"),
    ),
  );
  if (hostKey === undefined || hostKeyPublic === undefined || authorized === undefined)
    throw new TypeError("three files were read");
  const tree = `${files.seed}.tree`;
  await rm(tree, { recursive: true, force: true });
  for (const { path, mode, content } of describeIdentity(plan, host, {
    hostKey,
    hostKeyPublic,
    authorized,
  })) {
    await mkdir(dirname(join(tree, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(tree, path), content, { mode });
  }
  const part = `${files.seed}.part`;
  await writeFile(part, "", { mode: 0o600 });
  await expectProcess("packing the host's identity", "tar", [
    ..."--create --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0".split(" "),
    `--directory=${tree}`,
    `--file=${part}`,
    ...["etc", "root"],
  ]);
  await rename(part, files.seed);
  await rm(tree, { recursive: true });
}
