import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { addressAt } from "../addresses.ts";
import { labFiles } from "../folders.ts";
import { expectProcess } from "../process.ts";
import { describeClock } from "./ceph.ts";
import { machineFiles, segmentsOf } from "./files.ts";
import { managementRange } from "./plan.ts";
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
  const addressOf = (other: NestedHost): string => other.tunnelAddress.replace(/\/.*/, "");
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
    // QEMU's user network answers as this machine does.
    file("etc/resolv.conf", `nameserver ${addressAt(managementRange(plan), 3)}\n`),
    file("etc/ssh/ssh_host_ed25519_key", keys.hostKey, 0o600),
    file("etc/ssh/ssh_host_ed25519_key.pub", keys.hostKeyPublic),
    file("root/.ssh/authorized_keys", keys.authorized, 0o600),
    file(
      "etc/systemd/network/10-management.network",
      networkFile(host.macs.management, ["[Network]", "DHCP=ipv4", "LinkLocalAddressing=no"]),
    ),
    ...segmentsOf(plan).map((segment, index) => segmentFile(segment, 20 + index)),
  ];
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
