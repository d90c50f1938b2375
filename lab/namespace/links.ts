import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import { findFreeRanges, overlaps, parseRange, parseUsedRanges } from "../addresses.ts";
import type { AddressRange, LabRanges, UsedRange } from "../addresses.ts";
import type { Topology } from "../topology.ts";
import { rangeOf } from "./plan.ts";
import type { LabHost, LabNetwork, LabPlan } from "./plan.ts";
import { expectProcess, runProcess } from "../process.ts";

/** Lines for `ip -batch`: every word is one of ours (a link name, a MAC, a number), never free text. */
async function changeLinks(attempting: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  await expectProcess(attempting, "ip", ["-batch", "-"], { stdin: `${lines.join("\n")}\n` });
}

const linkListSchema = z.array(
  z.object({ ifname: z.string().optional(), flags: z.array(z.string()).default([]) }),
);

/** Links of the machine by name, with their flags (`UP`, …). */
export async function listLinks(): Promise<ReadonlyMap<string, readonly string[]>> {
  const links = linkListSchema.parse(
    JSON.parse(await expectProcess("listing links", "ip", ["-json", "link", "show"])),
  );
  return new Map(links.map((link) => [link.ifname ?? "", link.flags]));
}

/** What the machine's interfaces and routes hold now. */
async function listUsedRanges(): Promise<UsedRange[]> {
  const [addresses, routes] = await Promise.all([
    expectProcess("listing addresses", "ip", ["-json", "address", "show"]),
    expectProcess("listing routes", "ip", ["-json", "-4", "route", "show", "table", "all"]),
  ]);
  return parseUsedRanges(addresses, routes);
}

function refuseUsed(
  network: LabNetwork,
  range: AddressRange,
  used: readonly UsedRange[],
  taken: readonly AddressRange[],
): void {
  const clash = used.find((other) => overlaps(other.range, range));
  if (clash === undefined) return;
  const free = findFreeRanges(taken);
  throw new StackyardError("in-use", {
    message: `the ${network} range is in use on this machine: ${clash.range.cidr} belongs to ${clash.holder}`,
    field: `networks.${network}.cidr`,
    value: range.cidr,
    remedy:
      free === undefined
        ? "Choose a range that is free."
        : `Use a free one: ${free[network].cidr}, or leave the field out.`,
  });
}

/**
 * The ranges of a new lab: those that the topology fixes, the first free ones otherwise.
 * @param reserved ranges of other labs, whether they are up or not.
 * @throws StackyardError `in-use` when a fixed range overlaps an address, a route or another lab.
 */
export async function chooseRanges(topology: Topology, reserved: readonly UsedRange[]): Promise<LabRanges> {
  const used = [...(await listUsedRanges()), ...reserved];
  const fixed = {
    management: parseRange(topology.networks.management.cidr ?? ""),
    data: parseRange(topology.networks.data.cidr ?? ""),
  };
  const taken = [
    ...used.map((other) => other.range),
    ...Object.values(fixed).filter((range) => range !== undefined),
  ];
  if (fixed.management !== undefined) refuseUsed("management", fixed.management, used, taken);
  if (fixed.data !== undefined) refuseUsed("data", fixed.data, used, taken);
  const free = findFreeRanges(taken);
  const management = fixed.management ?? free?.management;
  const data = fixed.data ?? free?.data;
  if (management === undefined || data === undefined) {
    throw new StackyardError("in-use", {
      message: "no free address range was found for the lab",
      field: "networks.management.cidr",
      remedy: "Fix networks.management.cidr and networks.data.cidr in the topology.",
    });
  }
  return { management, data };
}

/** A bridge without a MAC of its own takes one of its ports', and another when that host goes: hosts would lose the machine. */
function bridgeMac(plan: LabPlan, network: LabNetwork): string {
  const [first] = plan.hosts;
  if (first === undefined) throw new TypeError("a plan has hosts");
  return `${first.links[network].mac.slice(0, -2)}00`;
}

/** Makes what is missing of the two bridges. A range that something took since it was chosen is refused. */
export async function ensureBridges(plan: LabPlan): Promise<void> {
  const links = await listLinks();
  const { management, data } = plan.networks;
  const lines: string[] = [];
  if (!links.has(management.bridge)) {
    const used = await listUsedRanges();
    const taken = used.map((other) => other.range);
    refuseUsed("management", rangeOf(plan, "management"), used, taken);
    lines.push(`link add ${management.bridge} address ${bridgeMac(plan, "management")} type bridge`);
  }
  if (!links.has(data.bridge)) {
    lines.push(`link add ${data.bridge} address ${bridgeMac(plan, "data")} type bridge`);
  }
  lines.push(
    `link set ${management.bridge} up`,
    `address replace ${management.gateway}/${String(rangeOf(plan, "management").prefix)} dev ${management.bridge}`,
    `link set ${data.bridge} mtu ${String(data.mtuBytes)} up`,
  );
  await changeLinks("making the lab's bridges", lines);
}

/** Gives a host that has just begun its two links: eth0 on the management bridge, eth1 on the data bridge. */
export async function connectHost(plan: LabPlan, host: LabHost, pid: number): Promise<void> {
  const { management, data } = host.links;
  const mtu = String(plan.networks.data.mtuBytes);
  await changeLinks(`connecting host ${host.name}`, [
    `link add ${management.name} type veth peer name eth0 address ${management.mac} netns ${String(pid)}`,
    `link set ${management.name} master ${plan.networks.management.bridge} up`,
    `link add ${data.name} mtu ${mtu} type veth peer name eth1 address ${data.mac} mtu ${mtu} netns ${String(pid)}`,
    `link set ${data.name} master ${plan.networks.data.bridge} up`,
  ]);
}

/** Removes links that may be gone already: the kernel drops a dead host's by itself, some time later. */
export async function removeLinks(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const result = await runProcess("ip", ["link", "delete", name]);
    if (result.exitCode === 0 || !(await listLinks()).has(name)) continue;
    throw new StackyardError("command-failed", {
      message: `link ${name} cannot be removed`,
      notes: [result.stderr],
    });
  }
}

/** Takes one of a host's links down, as a pulled cable does, or up again. */
export async function setLink(link: string, state: "up" | "down"): Promise<void> {
  await expectProcess(`setting link ${link} ${state}`, "ip", ["link", "set", link, state]);
}
