import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { readFile, rm, rmdir } from "node:fs/promises";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { StackyardError } from "../providers/core/errors.ts";
import { sh } from "../providers/hosts/command.ts";
import { parseRange } from "./addresses.ts";
import type { UsedRange } from "./addresses.ts";
import { labFiles, labFolder } from "./folders.ts";
import type { Inventory } from "./inventory.ts";
import { withLock } from "./lock.ts";
import { findCapabilities, saveCapabilities } from "./namespace/capabilities.ts";
import { describeCephStart, ensureCephFiles, monitorOf } from "./namespace/ceph.ts";
import { cutPower, ensureHostKey, ensureKey, observeHost, startHost as start } from "./namespace/host.ts";
import type { HostState } from "./namespace/host.ts";
import { chooseRanges, ensureBridges, listLinks, removeLinks, setLink } from "./namespace/links.ts";
import { planLab } from "./namespace/plan.ts";
import type { LabHost, LabNetwork, LabPlan } from "./namespace/plan.ts";
import { expectProcess, runProcess, systemPath } from "./process.ts";
import type { ProcessResult } from "./process.ts";
import { requirePrograms, requireRoot } from "./namespace/requirements.ts";
import { findState, listStates, makeFolder, readState, replaceFile, writeState } from "./state.ts";
import type { LabState } from "./state.ts";
import type { Topology } from "./topology.ts";

/** How long a verb waits for another command on the same lab. */
const lockWaitMs = 120_000;

const sshPort = 22;
const sshUser = "root";

/** Options of the verbs that take time. */
export interface LabOptions {
  /** Told what has been done, and what is waited for. */
  readonly onProgress?: (message: string) => void;
  /** Ends the waiting. What was made stays for the next `up` or `down`. */
  readonly signal?: AbortSignal;
}

/** A host as `status` shows it. A link is `cut` when it was taken down by hand or by {@link cutLink}. */
export interface HostDescription {
  readonly name: string;
  readonly roles: readonly string[];
  readonly state: HostState;
  /** Its PID 1 as the machine sees it; null while it is down. */
  readonly pid: number | null;
  readonly address: string;
  readonly tunnelAddress: string;
  readonly links: Readonly<Record<LabNetwork, "up" | "cut" | "absent">>;
}

/** A lab as `status` shows it: `up` when every host is, `down` when none is, `partial` otherwise. */
export interface LabDescription {
  readonly name: string;
  readonly driver: string;
  readonly state: "up" | "partial" | "down";
  readonly folder: string;
  readonly inventoryFile: string;
  readonly networks: LabPlan["networks"];
  readonly hosts: readonly HostDescription[];
}

/** Runs a verb alone on its lab; an abort comes out as `interrupted`, whatever it interrupted. */
async function withLab<Result>(
  name: string,
  options: LabOptions,
  action: () => Promise<Result>,
): Promise<Result> {
  requireRoot();
  const folder = labFolder(name);
  try {
    return await withLock(
      folder,
      {
        waitMs: lockWaitMs,
        signal: options.signal,
        onWait: () => options.onProgress?.("waiting for another command on this lab"),
      },
      action,
    );
  } catch (error) {
    if (options.signal?.aborted !== true) throw error;
    throw new StackyardError("interrupted", {
      message: `the work on lab "${name}" was interrupted`,
      remedy: `Finish it (stackyard lab up --name ${name}) or clean up (stackyard lab down --name ${name}).`,
      cause: error,
    });
  }
}

/** Ranges that other labs hold: their data ranges are on no interface of the machine. */
function reservedRanges(): UsedRange[] {
  return listStates().flatMap(({ plan }) =>
    [plan.networks.management.cidr, plan.networks.data.cidr]
      .map((cidr) => parseRange(cidr))
      .filter((range) => range !== undefined)
      .map((range) => ({ range, holder: `lab ${plan.name}` })),
  );
}

/** The record of a lab that begins: ranges chosen and everything planned, before anything is made. */
async function createState(topology: Topology): Promise<LabState> {
  const folder = labFolder(topology.name);
  const plan = planLab(topology, folder, await chooseRanges(topology, reservedRanges()));
  const inherited = listStates().flatMap((other) =>
    other.madeFolders.filter((path) => folder.startsWith(`${path}/`)),
  );
  const madeFolders = [...inherited, ...(await makeFolder(folder, 0o700))];
  if (topology.diskFolder !== undefined)
    madeFolders.push(...(await makeFolder(`${topology.diskFolder}/${topology.name}`, 0o711)));
  const state: LabState = {
    version: 1,
    driver: topology.driver,
    topology: asJson(topology),
    plan,
    madeFolders,
  };
  await writeState(state);
  return state;
}

/**
 * Ranges chosen and taken in one: a lab of another state folder sees what this one holds by its bridge alone. Runs under
 * the lock of the networks.
 */
async function beginLab(topology: Topology): Promise<LabState> {
  const state = await createState(topology);
  await ensureBridges(state.plan);
  return state;
}

/** The topology without absent fields, as it reads back from the record. */
function asJson(topology: Topology): LabState["topology"] {
  return z.json().parse(JSON.parse(JSON.stringify(topology)));
}

async function isMounted(path: string): Promise<boolean> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  return mounts.split("\n").some((line) => line.split(" ")[1] === path);
}

/** Keys, known_hosts, the table of names, and the tmpfs of the roots. */
async function ensureFiles(plan: LabPlan): Promise<void> {
  const files = labFiles(plan.folder);
  await Promise.all([
    ensureKey(files.identity, `stackyard lab ${plan.name}`),
    makeFolder(files.roots, 0o700),
    ...plan.hosts.map((host) => ensureHostKey(plan, host)),
  ]);
  if (plan.ceph !== undefined) await ensureCephFiles(plan, plan.ceph);
  if (!(await isMounted(files.roots))) {
    await expectProcess("mounting the hosts' roots", "mount", [
      "-t",
      "tmpfs",
      "-o",
      "mode=700",
      "stackyard-lab",
      files.roots,
    ]);
  }
  const knownHosts = plan.hosts.map((host) => {
    const key = readFileSync(`${files.host(host.name).hostKey}.pub`, "utf8").split(" ");
    return `${host.address} ${key.slice(0, 2).join(" ")}\n`;
  });
  await replaceFile(files.knownHosts, knownHosts.join(""));
  const names = plan.hosts.map((host) => `${host.address} ${host.name}\n`);
  await replaceFile(files.hostsTable, ["127.0.0.1 localhost\n::1 localhost\n", ...names].join(""));
}

function inventoryOf(plan: LabPlan): Inventory {
  const files = labFiles(plan.folder);
  const { management, data } = plan.networks;
  return {
    name: plan.name,
    hosts: plan.hosts.filter(isCompute).map((host) => ({
      name: host.name,
      address: host.address,
      port: sshPort,
      user: sshUser,
      identityFile: files.identity,
      knownHostsFile: files.knownHosts,
      tunnelInterface: "eth1",
      tunnelAddress: host.tunnelAddress,
    })),
    ...(plan.ceph === undefined
      ? {}
      : {
          ceph: {
            fsid: plan.ceph.fsid,
            monitors: [monitorOf(plan, plan.ceph)],
            user: "admin",
            keyringFile: files.ceph.keyring,
          },
        }),
    networks: {
      management: { cidr: management.cidr, gateway: management.gateway },
      data: { cidr: data.cidr, mtuBytes: data.mtuBytes },
    },
  };
}

function isCompute({ roles }: LabHost): boolean {
  return roles.includes("compute");
}

async function bringHostsUp(plan: LabPlan, hosts: readonly LabHost[], options: LabOptions): Promise<void> {
  const capabilities = findCapabilities();
  const results = await Promise.allSettled(
    hosts.map((host) =>
      start(plan, host, {
        capabilities,
        signal: options.signal,
        onStep: (step) => options.onProgress?.(`${host.name}: ${step}`),
      }),
    ),
  );
  for (const result of results) if (result.status === "rejected") throw result.reason;
  const first = hosts.find(isCompute);
  if (first !== undefined) await saveCapabilities(plan, first);
}

/** Brings the daemons of the lab's Ceph up that are not: all of them, or those that were killed on a host that goes on. */
async function bringCephUp(plan: LabPlan, options: LabOptions): Promise<void> {
  const { ceph } = plan;
  const host = plan.hosts.find(({ name }) => name === ceph?.host);
  if (ceph === undefined || host === undefined) return;
  const words = sh`${describeCephStart(plan, ceph)}`.text;
  const output = await expectProcess("bringing Ceph up", "ssh", [...sshArguments(plan, host), words]);
  for (const step of output.split("\n").filter((line) => line !== ""))
    options.onProgress?.(`${host.name}: ceph ${step}`);
}

/**
 * Makes the lab, or finishes one that was begun, or starts the hosts of it that are down; nothing to do when all are up.
 * @throws StackyardError `in-use` when an address range is taken, `conflict` when the lab exists with another topology,
 * `host-unsuitable` when programs are missing or a host does not start, `forbidden` when not root, `interrupted`.
 */
export async function bringUp(topology: Topology, options: LabOptions = {}): Promise<LabDescription> {
  return withLab(topology.name, options, async () => {
    requirePrograms(
      systemPath,
      topology.hosts.some(({ roles }) => roles.includes("ceph")),
    );
    const known = findState(topology.name);
    const state = known ?? (await withLock("networks", { waitMs: lockWaitMs }, () => beginLab(topology)));
    if (!isDeepStrictEqual(state.topology, asJson(topology))) {
      throw new StackyardError("conflict", {
        message: `lab "${topology.name}" exists with another topology`,
        field: "topology",
        remedy: `Take it down first (stackyard lab down --name ${topology.name}), or choose another name.`,
      });
    }
    const { plan } = state;
    const missing = plan.hosts.filter((host) => observeHost(plan, host).state !== "up");
    if (missing.length > 0) {
      await ensureFiles(plan);
      if (known !== undefined) await withLock("networks", { waitMs: lockWaitMs }, () => ensureBridges(plan));
      options.onProgress?.(
        `networks: management ${plan.networks.management.cidr}, data ${plan.networks.data.cidr}`,
      );
      await bringHostsUp(plan, missing, options);
    }
    await bringCephUp(plan, options);
    const { inventory } = labFiles(plan.folder);
    if (!existsSync(inventory))
      await replaceFile(inventory, `${JSON.stringify(inventoryOf(plan), null, 2)}\n`);
    return describe(state);
  });
}

async function describe(state: LabState): Promise<LabDescription> {
  const { plan } = state;
  const links = await listLinks();
  const linkState = (name: string): "up" | "cut" | "absent" => {
    const flags = links.get(name);
    if (flags === undefined) return "absent";
    return flags.includes("UP") ? "up" : "cut";
  };
  const hosts = plan.hosts.map((host): HostDescription => {
    const observed = observeHost(plan, host);
    return {
      name: host.name,
      roles: host.roles,
      state: observed.state,
      pid: observed.pid ?? null,
      address: host.address,
      tunnelAddress: host.tunnelAddress,
      links: { management: linkState(host.links.management.name), data: linkState(host.links.data.name) },
    };
  });
  const up = hosts.filter((host) => host.state === "up").length;
  return {
    name: plan.name,
    driver: state.driver,
    state: up === hosts.length ? "up" : up === 0 ? "down" : "partial",
    folder: plan.folder,
    inventoryFile: labFiles(plan.folder).inventory,
    networks: plan.networks,
    hosts,
  };
}

/** @throws StackyardError `not-found` when there is no such lab. */
export async function describeLab(name: string): Promise<LabDescription> {
  return describe(readState(name));
}

/** All labs of this user, in order of their names. */
export async function listLabs(): Promise<LabDescription[]> {
  return Promise.all(listStates().map(describe));
}

async function removeEmptyFolders(from: string, outermost: string): Promise<void> {
  for (let folder = from; folder.startsWith(outermost); folder = dirname(folder)) {
    try {
      await rmdir(folder);
    } catch {
      return; // Something else is in it by now, or it is gone.
    }
  }
}

/**
 * Takes the lab away: processes, links, mounts, files. Finishes what a killed `up` or `down` has left.
 * @returns false when there was nothing to remove.
 */
export async function tearDown(name: string, options: LabOptions = {}): Promise<boolean> {
  return withLab(name, options, async () => {
    const folder = labFolder(name);
    const state = findState(name);
    if (state === undefined) {
      // At most the folder of an `up` that was killed before it wrote its record.
      const found = existsSync(folder);
      await rm(folder, { recursive: true, force: true });
      await removeEmptyFolders(dirname(folder), dirname(dirname(folder)));
      return found;
    }
    const { plan, madeFolders } = state;
    await Promise.all(plan.hosts.map((host) => cutPower(plan, host)));
    options.onProgress?.("hosts ended");
    await removeLinks([plan.networks.management.bridge, plan.networks.data.bridge]);
    options.onProgress?.("networks removed");
    const { roots } = labFiles(folder);
    if (await isMounted(roots))
      await expectProcess("unmounting the hosts' roots", "umount", ["--lazy", roots]);
    for (const host of plan.hosts) await rm(host.diskFolder, { recursive: true, force: true });
    // The folder goes last: it holds the record, by which a killed `down` is finished.
    await rm(folder, { recursive: true, force: true });
    const parents = [dirname(folder), ...plan.hosts.slice(0, 1).map((host) => dirname(host.diskFolder))];
    for (const parent of parents) for (const made of madeFolders) await removeEmptyFolders(parent, made);
    options.onProgress?.("files removed");
    return true;
  });
}

function findHost(name: string, host: string): { readonly plan: LabPlan; readonly host: LabHost } {
  const { plan } = readState(name);
  const found = plan.hosts.find((candidate) => candidate.name === host);
  if (found !== undefined) return { plan, host: found };
  throw new StackyardError("not-found", {
    message: `lab "${name}" has no host "${host}"`,
    field: "host",
    value: host,
    remedy: `Its hosts: ${plan.hosts.map((other) => other.name).join(", ")}.`,
  });
}

/** Arguments of `ssh` to a host: its own key and known_hosts only, none of the user's settings. */
function sshArguments(plan: LabPlan, host: LabHost): string[] {
  const files = labFiles(plan.folder);
  const settings = {
    UserKnownHostsFile: files.knownHosts,
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    IdentitiesOnly: "yes",
    BatchMode: "yes",
    ConnectTimeout: "5",
    LogLevel: "ERROR",
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return [
    "-F",
    "none",
    "-i",
    files.identity,
    ...options,
    "-p",
    String(sshPort),
    `${sshUser}@${host.address}`,
  ];
}

/** Runs a command on a host, each word as it is, and returns what it said, whatever its exit code. */
export async function runOnHost(
  name: string,
  host: string,
  words: readonly string[],
  options: { readonly stdin?: string | Uint8Array; readonly timeoutMs?: number } = {},
): Promise<ProcessResult> {
  const found = findHost(name, host);
  return runProcess("ssh", [...sshArguments(found.plan, found.host), sh`${words}`.text], options);
}

/** A login shell on a host, or one command with the terminal's own input and output. Resolves to its exit code. */
export async function openShell(name: string, host: string, words: readonly string[] = []): Promise<number> {
  const found = findHost(name, host);
  const command = words.length === 0 ? [] : [sh`${words}`.text];
  const child = spawn("ssh", [...sshArguments(found.plan, found.host), ...command], {
    stdio: "inherit",
    env: { ...process.env, PATH: systemPath },
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 128));
  });
}

/** The host of the lab's Ceph, where its programs find cluster and key in `/etc/ceph`. Raises `not-found` in a lab without Ceph. */
export function requireCephHost(name: string): string {
  const { ceph } = readState(name).plan;
  if (ceph !== undefined) return ceph.host;
  throw new StackyardError("not-found", {
    message: `lab "${name}" has no Ceph`,
    field: "lab",
    value: name,
    remedy: "Give a host of its topology the role ceph: lab/topologies/three-hosts-ceph.yaml has one.",
  });
}

/** What the host itself has logged: its start, libvirtd, Open vSwitch. Readable when the host is down, too. */
export async function readLogs(name: string, host: string): Promise<string> {
  const found = findHost(name, host);
  const files = labFiles(found.plan.folder);
  const logs = `${files.roots}/${host}/upper/var/log`;
  const parts = await Promise.all(
    [
      ["start", files.host(host).log],
      ["libvirtd", `${logs}/libvirt/libvirtd.log`],
      ["ovs-vswitchd", `${logs}/openvswitch/ovs-vswitchd.log`],
      ["ovsdb-server", `${logs}/openvswitch/ovsdb-server.log`],
      ["ceph", `${logs}/ceph/cluster.log`],
    ].map(
      async ([title = "", path = ""]) =>
        `== ${host} ${title}\n${existsSync(path) ? await readFile(path, "utf8") : ""}`,
    ),
  );
  return parts.join("");
}

/** Ends a host at once, as a power cut does. Its files and disks stay; {@link startHost} brings it back. */
export async function stopHost(name: string, host: string): Promise<void> {
  const found = findHost(name, host);
  await withLab(name, {}, () => cutPower(found.plan, found.host));
}

/** Starts a host that is down, with its files, disks, address and host key as they were. Nothing to do when it is up. */
export async function startHost(name: string, host: string): Promise<void> {
  const found = findHost(name, host);
  await withLab(name, {}, async () => {
    if (observeHost(found.plan, found.host).state === "up") return;
    await start(found.plan, found.host, { capabilities: findCapabilities(), onStep: () => undefined });
    if (found.host.name === found.plan.ceph?.host) await bringCephUp(found.plan, {});
  });
}

/** Pulls a host's cable: nothing passes on that network until {@link mendLink}. */
export async function cutLink(name: string, host: string, network: LabNetwork): Promise<void> {
  await setLink(findHost(name, host).host.links[network].name, "down");
}

/** Puts back the cable that {@link cutLink} has pulled. */
export async function mendLink(name: string, host: string, network: LabNetwork): Promise<void> {
  await setLink(findHost(name, host).host.links[network].name, "up");
}
