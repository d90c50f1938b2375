import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import { labNetworks } from "../driver.ts";
import type { LabNetwork } from "../driver.ts";
import { addressAt, firstHostOffset, overlaps, parseRange } from "../addresses.ts";
import type { AddressRange, UsedRange } from "../addresses.ts";
import { expectProcess, runProcess } from "../process.ts";
import type { Topology } from "../topology.ts";
import { listBridged } from "./plan.ts";
import type { NestedPlan } from "./plan.ts";

/** Where distributions have QEMU's helper, which makes taps and plugs them into bridges. */
const helperPaths = [
  "/usr/lib/qemu/qemu-bridge-helper",
  "/usr/libexec/qemu-bridge-helper",
  "/usr/local/libexec/qemu-bridge-helper",
];
/** Says which bridges it may use (QEMU: docs/tools/qemu-bridge-helper). */
const aclFile = "/etc/qemu/bridge.conf";

/** What this machine has for hosts on bridges. */
export interface BridgeFacts {
  /** MTU of each Linux bridge by its name, in bytes. */
  readonly bridges: ReadonlyMap<string, number>;
  /** Path of QEMU's helper; undefined where there is none. */
  readonly helper: string | undefined;
  /** Whether the helper may make taps: it is started by root, or is root's with the bit that makes it run so. */
  readonly isPrivileged: boolean;
  /** Rules of the helper in order, `allow br0`; undefined where they cannot be read, which the helper may. */
  readonly acl: readonly string[] | undefined;
  /** This machine's address as a neighbour of an address would see it; undefined without a route there. */
  readonly findSource: (address: string) => Promise<string | undefined>;
}

/** Older `ip` has an empty object for each link of another type. */
const linksSchema = z.array(z.union([z.object({ ifname: z.string(), mtu: z.int() }), z.strictObject({})]));

/** Looks at this machine. */
async function readBridgeFacts(): Promise<BridgeFacts> {
  const links = await expectProcess("listing bridges", "ip", ["-json", "link", "show", "type", "bridge"]);
  const helper = helperPaths.find((path) => existsSync(path));
  return {
    bridges: new Map(
      linksSchema
        .parse(JSON.parse(links))
        .flatMap((link) => ("ifname" in link ? [[link.ifname, link.mtu] as const] : [])),
    ),
    helper,
    isPrivileged: process.getuid?.() === 0 || (helper !== undefined && runsAsRoot(helper)),
    acl: readAcl(aclFile),
    findSource,
  };
}

const routesSchema = z.array(z.object({ prefsrc: z.string().optional() }));

async function findSource(address: string): Promise<string | undefined> {
  const { exitCode, stdout } = await runProcess("ip", ["-json", "-4", "route", "get", address]);
  return exitCode === 0 ? routesSchema.parse(JSON.parse(stdout))[0]?.prefsrc : undefined;
}

function runsAsRoot(path: string): boolean {
  const { uid, mode } = statSync(path);
  return uid === 0 && (mode & 0o4000) !== 0;
}

/** Rules of a file and of those that it includes; none of one that is not there. */
export function readAcl(file: string, depth = 0): readonly string[] | undefined {
  if (depth > 8) return [];
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const isClosed = error instanceof Error && "code" in error && error.code === "EACCES";
    return isClosed ? undefined : [];
  }
  const rules = text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([word = ""]) => word !== "" && !word.startsWith("#"))
    .map(([verb = "", name = ""]) =>
      verb === "include" ? readAcl(resolve(dirname(file), name), depth + 1) : [`${verb} ${name}`],
    );
  return rules.includes(undefined) ? undefined : rules.flatMap((each) => each ?? []);
}

/** Any rule that allows will do, unless one denies. */
function isAllowed(bridge: string, acl: readonly string[]): boolean {
  const says = (verb: string): boolean => acl.includes(`${verb} ${bridge}`) || acl.includes(`${verb} all`);
  return says("allow") && !says("deny");
}

/**
 * Refuses a topology whose bridges are not there, or that QEMU may not use.
 * @returns what was found, for a person; undefined for a topology without bridges.
 * @throws StackyardError `host-unsuitable` with the first that is missing.
 */
export async function requireBridges(
  { networks }: Topology,
  readFacts: () => Promise<BridgeFacts> = readBridgeFacts,
): Promise<string | undefined> {
  const wanted = labNetworks.flatMap((network) => {
    const given = networks[network];
    return given?.bridge === undefined ? [] : [{ network, mtuBytes: 1500, ...given, bridge: given.bridge }];
  });
  if (wanted.length === 0) return undefined;
  const facts = await readFacts();
  for (const each of wanted) requireBridge(each, facts);
  const { bridge, cidr = "" } = networks.management;
  const range = parseRange(cidr);
  if (bridge !== undefined && range !== undefined) await requireNeighbour(bridge, range, facts);
  return wanted.map(({ network, bridge }) => `${network} on ${bridge}`).join(", ");
}

/** This machine logs in to hosts at their addresses. */
async function requireNeighbour(
  bridge: string,
  range: AddressRange,
  { findSource }: BridgeFacts,
): Promise<void> {
  const source = parseRange((await findSource(addressAt(range, firstHostOffset))) ?? "");
  if (source !== undefined && overlaps(source, range)) return;
  const example = `${addressAt(range, 1)}/${String(range.prefix)}`;
  throw new StackyardError("host-unsuitable", {
    message: `this machine has no address in ${range.cidr}, in which it is to reach the hosts on bridge ${bridge}`,
    field: "networks.management.cidr",
    value: range.cidr,
    remedy: `Give it one below the hosts' (ip address add ${example} dev ${bridge}), or name the range that the bridge has.`,
  });
}

/**
 * Refuses addresses on a bridge that another lab has: both number their hosts alike.
 * @param reserved what other labs hold.
 * @throws StackyardError `in-use`.
 */
export function requireUnshared({ networks }: Topology, reserved: readonly UsedRange[]): void {
  for (const network of labNetworks) {
    const range = parseRange(networks[network]?.cidr ?? "");
    if (networks[network]?.bridge === undefined || range === undefined) continue;
    const clash = reserved.find((other) => overlaps(other.range, range));
    if (clash === undefined) continue;
    throw new StackyardError("in-use", {
      message: `the ${network} range is another lab's: ${clash.range.cidr} belongs to ${clash.holder}`,
      field: `networks.${network}.cidr`,
      value: range.cidr,
      remedy: "Give this lab another range, or take the other lab down.",
    });
  }
}

function requireBridge(
  {
    network,
    bridge,
    mtuBytes,
  }: { readonly network: LabNetwork; readonly bridge: string; readonly mtuBytes: number },
  { bridges, helper, isPrivileged, acl }: BridgeFacts,
): void {
  const refuse = (message: string, remedy: string): never => {
    throw new StackyardError("host-unsuitable", {
      message,
      field: `networks.${network}.bridge`,
      value: bridge,
      remedy,
    });
  };
  const mtu = bridges.get(bridge);
  if (mtu === undefined)
    refuse(
      `this machine has no Linux bridge ${bridge}`,
      `Make it (ip link add name ${bridge} type bridge; ip link set dev ${bridge} up), or name one that is there.`,
    );
  else if (mtu < mtuBytes)
    refuse(
      `bridge ${bridge} drops what hosts send: its MTU is ${String(mtu)} bytes, that of the ${network} network ${String(mtuBytes)}`,
      `Set networks.${network}.mtuBytes to ${String(mtu)}, or raise the bridge's: ip link set dev ${bridge} mtu ${String(mtuBytes)}.`,
    );
  if (helper === undefined)
    refuse(
      "QEMU's bridge helper is not installed",
      "Install it: apt-get install qemu-system-common, or your distribution's package of qemu-bridge-helper.",
    );
  else if (!isPrivileged)
    refuse(
      `QEMU's bridge helper may not make the hosts' ends of bridge ${bridge}: this user is not root, and the helper does not run as root`,
      `Run the command as root, or let the helper run as root: chmod u+s ${helper}.`,
    );
  if (acl !== undefined && !isAllowed(bridge, acl))
    refuse(
      `${aclFile} does not allow QEMU to use bridge ${bridge}`,
      `Add the line "allow ${bridge}" to ${aclFile}, and no line that denies it.`,
    );
}

/**
 * Refuses to copy a lab on bridges: hosts of a copy keep their addresses, which others on the bridge would see twice.
 * @throws StackyardError `conflict`.
 */
export function requireNoBridges(plan: NestedPlan): void {
  const [first] = listBridged(plan);
  if (first === undefined) return;
  throw new StackyardError("conflict", {
    message: `lab "${plan.name}" cannot be copied: its ${first.network} network is bridge ${first.bridge}, on which hosts of a copy would have the same addresses`,
    field: `networks.${first.network}.bridge`,
    value: first.bridge,
    remedy:
      "Bring another lab up from its topology with a range of its own, or leave the bridge out of the topology of labs that are to be copied.",
  });
}
