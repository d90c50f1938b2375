import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import type { CableState } from "../driver.ts";
import { listUsedRanges, refuseUsed } from "../ranges.ts";
import { expectProcess, runProcess } from "../process.ts";
import { rangeOf } from "./plan.ts";
import type { LabHost, LabPlan, LinkNetwork } from "./plan.ts";

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

/** A bridge without a MAC of its own takes one of its ports', and another when that host goes: hosts would lose the machine. */
function bridgeMac(plan: LabPlan, network: LinkNetwork): string {
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

/** How a host's cable is. */
export async function readCable(link: string): Promise<CableState> {
  const { stdout } = await runProcess("tc", ["-json", "qdisc", "show", "dev", link]);
  const flags = (await listLinks()).get(link);
  return { cut: flags?.includes("UP") === false, ...parseQuality(stdout === "" ? "[]" : stdout) };
}

/** What `tc -json qdisc show` says of netem (iproute2: `tc/q_netem.c`): seconds, and a share of 1. */
const qualitySchema = z.array(
  z.object({
    kind: z.string(),
    options: z
      .object({
        delay: z.object({ delay: z.number() }).optional(),
        "loss-random": z.object({ loss: z.number() }).optional(),
      })
      .optional(),
  }),
);

/** How slow and lossy a link is, of what `tc` says of it. */
export function parseQuality(text: string): Pick<CableState, "delayMs" | "lossPercent"> {
  const netem = qualitySchema.parse(JSON.parse(text)).find(({ kind }) => kind === "netem");
  const { delay, "loss-random": loss } = netem?.options ?? {};
  const round = (value: number): number => Number(value.toFixed(3));
  return { delayMs: round((delay?.delay ?? 0) * 1000), lossPercent: round((loss?.loss ?? 0) * 100) };
}

/**
 * Makes a host's cable slow or lossy, by the kernel's netem, on what goes to the host; good again by zeros.
 * @throws StackyardError `host-unsuitable` where the kernel has no netem.
 */
export async function setLinkQuality(link: string, delayMs: number, lossPercent: number): Promise<void> {
  if (delayMs === 0 && lossPercent === 0) {
    const { stdout } = await runProcess("tc", ["qdisc", "show", "dev", link]);
    if (stdout.includes("qdisc netem"))
      await expectProcess(`making link ${link} good`, "tc", ["qdisc", "delete", "dev", link, "root"]);
    return;
  }
  const words = ["delay", `${String(delayMs)}ms`, "loss", `${String(lossPercent)}%`];
  const { exitCode, stderr } = await runProcess("tc", [
    ...["qdisc", "replace", "dev", link, "root", "netem", ...words],
  ]);
  if (exitCode === 0) return;
  throw new StackyardError("host-unsuitable", {
    message: `link ${link} cannot be made slow or lossy: this machine's kernel has no netem`,
    remedy: "Load the module sch_netem, or use the driver nested, whose switch does it on any kernel.",
    notes: [stderr.trim()],
  });
}
