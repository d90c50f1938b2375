import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { StackyardError } from "../providers/core/errors.ts";
import { sh } from "../providers/hosts/command.ts";
import { parseRange } from "./addresses.ts";
import type { UsedRange } from "./addresses.ts";
import { attachConsole } from "./console.ts";
import { requireSameTopology } from "./difference.ts";
import type {
  CableState,
  DrivenLab,
  HostDescription,
  LabNetwork,
  LabOptions,
  LabSnapshots,
  LinkChange,
  NetworkDescriptions,
  PowerAction,
  Reserved,
  SnapshotDescription,
} from "./driver.ts";
import { openLab, planState, requireUsable } from "./drivers.ts";
import { explainFileFault } from "./file-faults.ts";
import { requireEmptyDiskFolder } from "./disk-folder.ts";
import { labFiles, labFolder } from "./folders.ts";
import { withLock } from "./lock.ts";
import { requireRoot } from "./namespace/requirements.ts";
import { listBridged } from "./nested/plan.ts";
import { runProcess, systemPath } from "./process.ts";
import type { ProcessResult } from "./process.ts";
import { sshArguments } from "./ssh.ts";
import { makeFolder, missingFolder, replaceFile } from "./state-files.ts";
import { findState, listStates, readState, writeState } from "./state.ts";
import type { LabState } from "./state.ts";
import type { DriverName, Topology } from "./topology.ts";
import { sweepWorkFolders } from "./work-folders.ts";

/** How long a verb waits for another command on the same lab. */
const lockWaitMs = 120_000;

/** A lab as `status` shows it: `up` when every host is, `down` when none is, `partial` otherwise. */
export interface LabDescription {
  readonly name: string;
  readonly driver: DriverName;
  readonly state: "up" | "partial" | "down";
  readonly folder: string;
  readonly inventoryFile: string;
  readonly networks: NetworkDescriptions;
  readonly hosts: readonly HostDescription[];
}

/** What is read again of a topology on record. */
const givenSchema = z.object({ diskFolder: z.string().optional() });

/**
 * Runs a verb alone on its lab, be it one that begins; an abort comes out as `interrupted`, whatever it interrupted.
 * @throws StackyardError `forbidden` when the lab is one of namespaces, and the user is not root.
 */
export async function withLab<Result>(
  name: string,
  options: LabOptions,
  action: () => Promise<Result>,
): Promise<Result> {
  if (findState(name)?.driver === "namespace") requireRoot("known");
  const folder = labFolder(name);
  try {
    return await withLock(
      folder,
      {
        waitMs: lockWaitMs,
        what: `lab "${name}"`,
        signal: options.signal,
        onWait: () => options.onProgress?.("waiting for another command on this lab"),
      },
      action,
    );
  } catch (error) {
    if (options.signal?.aborted !== true) throw explainFileFault(error, folder);
    throw new StackyardError("interrupted", {
      message: `the work on lab "${name}" was interrupted`,
      remedy: `Finish it (stackyard lab up --name ${name}) or clean up (stackyard lab down --name ${name}).`,
      cause: error,
    });
  }
}

/** Chooses and takes addresses and ports while no other lab of this machine does. */
export function withNetworks<Result>(action: () => Promise<Result>): Promise<Result> {
  return withLock("networks", { waitMs: lockWaitMs, what: "the networks of this machine" }, action);
}

/**
 * What other labs hold: data ranges of namespaces are on no interface, ports of hosts that are off are not in use, and
 * neither are addresses on bridges.
 */
export function findReserved(): Reserved {
  const ranges: UsedRange[] = [];
  const ports: number[] = [];
  for (const { driver, plan } of listStates()) {
    if (driver === "nested") ports.push(...plan.hosts.map(({ sshPort }) => sshPort));
    const cidrs =
      driver === "nested"
        ? listBridged(plan).map(({ cidr }) => cidr)
        : [plan.networks.management.cidr, plan.networks.data.cidr];
    for (const cidr of cidrs) {
      const range = parseRange(cidr);
      if (range !== undefined) ranges.push({ range, holder: `lab ${plan.name}` });
    }
  }
  return { ranges, ports };
}

/**
 * The record of a lab that begins: everything chosen and planned, before anything is made, and the machine's networks
 * taken, by which a lab of another state folder sees what this one holds. Runs under the lock of the networks.
 */
async function beginLab(topology: Topology, options: LabOptions): Promise<LabState> {
  const folder = labFolder(topology.name);
  const { diskFolder } = topology;
  const disks = diskFolder === undefined ? [] : [join(diskFolder, topology.name)];
  for (const path of disks) requireEmptyDiskFolder(path);
  const planned = await planState(topology, folder, findReserved(), options);
  await rm(folder, { recursive: true, force: true }); // of one that was killed before it had a record
  const inherited = listStates().flatMap((other) =>
    other.madeFolders.filter((path) => folder.startsWith(`${path}/`)),
  );
  const madeFolders = [...inherited, ...disks.flatMap(missingFolder), ...(await makeFolder(folder, 0o700))];
  const state: LabState = { version: 1, topology: asJson(topology), madeFolders, ...planned };
  await writeState(state);
  try {
    for (const path of disks) await makeFolder(path, 0o711);
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    throw new StackyardError("invalid-input", {
      message: "the folder for the disks cannot be made",
      field: "diskFolder",
      value: diskFolder,
      remedy: "Name a folder that this user can make or write to.",
      notes: [cause instanceof Error ? cause.message : String(cause)],
      cause,
    });
  }
  await openLab(state).claim();
  return state;
}

/** The topology without absent fields, as it reads back from the record. */
function asJson(topology: Topology): LabState["topology"] {
  return z.json().parse(JSON.parse(JSON.stringify(topology)));
}

/**
 * Makes the lab, or finishes one that was begun, or starts the hosts of it that are down; nothing to do when all are up.
 * @throws StackyardError `in-use` when an address range is taken, `conflict` when the lab exists with another topology,
 * `host-unsuitable` when programs, memory or disk are missing or a host does not start, `forbidden` when a driver that
 * needs root has not got it, `interrupted`.
 */
export async function bringUp(topology: Topology, options: LabOptions = {}): Promise<LabDescription> {
  return withLab(topology.name, options, async () => {
    await requireUsable(topology);
    const known = findState(topology.name);
    const state = known ?? (await withNetworks(() => beginLab(topology, options)));
    requireSameTopology(topology.name, state.topology, asJson(topology));
    const driven = openLab(state);
    // What was taken may be gone: the machine was started anew since.
    if (known !== undefined) await withNetworks(() => driven.claim());
    await driven.bringUp(options);
    if (!existsSync(labFiles(state.plan.folder).inventory)) await writeInventory(state);
    return describe(state, "answering");
  });
}

/** Writes what stacks read of the lab. */
export async function writeInventory(state: LabState): Promise<void> {
  const { inventory } = openLab(state);
  await replaceFile(labFiles(state.plan.folder).inventory, `${JSON.stringify(inventory, null, 2)}\n`);
}

/** The lab of a record, and its hosts as they are now; `known` as in {@link DrivenLab.describeHosts}. */
export async function describe(state: LabState, known?: "answering"): Promise<LabDescription> {
  const { plan, driver } = state;
  const driven = openLab(state);
  const hosts = await driven.describeHosts(known);
  const up = hosts.filter((host) => host.state === "up").length;
  return {
    name: plan.name,
    driver,
    state: up === hosts.length ? "up" : hosts.every((host) => host.state === "down") ? "down" : "partial",
    folder: plan.folder,
    inventoryFile: labFiles(plan.folder).inventory,
    networks: driven.networks,
    hosts,
  };
}

/** @throws StackyardError `not-found` when there is no such lab. */
export async function describeLab(name: string): Promise<LabDescription> {
  return describe(readState(name));
}

/** All labs of this user, in order of their names. */
export async function listLabs(): Promise<LabDescription[]> {
  return Promise.all(listStates().map((state) => describe(state)));
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
    await sweepWorkFolders(); // The lab may be the half of a copy.
    if (state === undefined) {
      // At most the folder of an `up` that was killed before it wrote its record.
      const found = existsSync(folder);
      await rm(folder, { recursive: true, force: true });
      await removeEmptyFolders(dirname(folder), dirname(dirname(folder)));
      return found;
    }
    const { topology, madeFolders } = state;
    await openLab(state).remove(options);
    // The folder goes last: it holds the record, by which a killed `down` is finished.
    await rm(folder, { recursive: true, force: true });
    const { diskFolder } = givenSchema.parse(topology);
    const parents = [dirname(folder), ...(diskFolder === undefined ? [] : [join(diskFolder, name)])];
    for (const parent of parents) for (const made of madeFolders) await removeEmptyFolders(parent, made);
    options.onProgress?.("files removed");
    return true;
  });
}

/** The lab with the host of that name. Raises `not-found` when there is none. */
function findHost(name: string, host: string): DrivenLab {
  const driven = openLab(readState(name));
  if (driven.hosts.some((candidate) => candidate.name === host)) return driven;
  throw new StackyardError("not-found", {
    message: `lab "${name}" has no host "${host}"`,
    field: "host",
    value: host,
    remedy: `Its hosts: ${driven.hosts.map((other) => other.name).join(", ")}.`,
  });
}

/** Arguments of `ssh` to a host. */
function sshTo(name: string, host: string): string[] {
  const found = findHost(name, host).hosts.find((each) => each.name === host);
  if (found === undefined) throw new TypeError("a lab has each of its hosts");
  return sshArguments(labFiles(labFolder(name)), found);
}

/** Runs a command on a host, each word as it is, and returns what it said, whatever its exit code. */
export async function runOnHost(
  name: string,
  host: string,
  words: readonly string[],
  options: { readonly stdin?: string | Uint8Array; readonly timeoutMs?: number } = {},
): Promise<ProcessResult> {
  return runProcess("ssh", [...sshTo(name, host), sh`${words}`.text], options);
}

/**
 * A login shell on a host, or one command with the terminal's own input and output. Resolves to its exit code.
 * @throws StackyardError `host-unreachable` when the host is off.
 */
export async function openShell(name: string, host: string, words: readonly string[] = []): Promise<number> {
  const command = words.length === 0 ? [] : [sh`${words}`.text];
  const child = spawn("ssh", [...sshTo(name, host), ...command], {
    stdio: "inherit",
    env: { ...process.env, PATH: systemPath },
  });
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 128));
  });
  await explainSshFailure(name, host, exitCode);
  return exitCode;
}

/** What ssh ends with when it did not get through; a command on the host may end with it, too. */
const sshFailure = 255;

/**
 * Tells what keeps ssh from a host, where the exit code may be of that and the lab knows.
 * @throws StackyardError `host-unreachable`.
 */
export async function explainSshFailure(name: string, host: string, exitCode: number): Promise<void> {
  if (exitCode !== sshFailure) return;
  const found = (await findHost(name, host).describeHosts()).find((each) => each.name === host);
  if (found === undefined) throw new TypeError("a lab describes each of its hosts");
  const isCut = found.links.management === "cut";
  if (found.state === "up" && !isCut) return;
  const reason = isCut
    ? "its cable to the management network is cut"
    : found.state === "down"
      ? "it is off"
      : "it has not got through its start";
  throw new StackyardError("host-unreachable", {
    message: `host ${host} of lab "${name}" cannot be reached: ${reason}`,
    field: "host",
    value: host,
    remedy: isCut
      ? `Put it back: stackyard lab net ${host} mend --network management --name ${name}`
      : `Switch it on: stackyard lab power ${host} on --name ${name}`,
  });
}

/** The host of the lab's Ceph, where its programs find cluster and key in `/etc/ceph`. Raises `not-found` in a lab without Ceph. */
export function requireCephHost(name: string): string {
  const { cephHost } = openLab(readState(name));
  if (cephHost !== undefined) return cephHost;
  throw new StackyardError("not-found", {
    message: `lab "${name}" has no Ceph`,
    field: "lab",
    value: name,
    remedy: "Give a host of its topology the role ceph: three-hosts-ceph has one.",
  });
}

/** What the host itself has logged: its start or console, and what its driver can read besides. Readable when the host is down, too. */
export async function readLogs(name: string, host: string): Promise<string> {
  const logs = await findHost(name, host).readLogs(host);
  return logs.map(({ title, text }) => `== ${host} ${title}\n${text}`).join("");
}

/**
 * Switches a host: `on` (waits until it is up; nothing to do when it is), `off` by its power button, `reset`, or `cut`,
 * which is power loss. Its files and disks stay.
 * @throws StackyardError `invalid-input` for an action that the lab's driver has not.
 */
export async function changePower(
  name: string,
  host: string,
  action: PowerAction,
  options: LabOptions = {},
): Promise<void> {
  const driven = findHost(name, host);
  await withLab(name, options, () => driven.changePower(host, action, options));
}

/** The snapshots of a lab. Raises `invalid-input` for one whose driver keeps none. */
function requireSnapshots(name: string): LabSnapshots {
  const state = readState(name);
  const { snapshots } = openLab(state);
  if (snapshots !== undefined) return snapshots;
  throw new StackyardError("invalid-input", {
    message: `lab "${name}" is of the driver ${state.driver}, which keeps no snapshots`,
    field: "driver",
    value: state.driver,
    remedy: "Take it down and up again, which takes seconds, or make it with --driver nested.",
  });
}

/** Whether snapshots can be taken of the lab. */
export function canSnapshot(name: string): boolean {
  return openLab(readState(name)).snapshots !== undefined;
}

/** The snapshots of a lab, oldest first. */
export function listLabSnapshots(name: string): readonly SnapshotDescription[] {
  return requireSnapshots(name).list();
}

/**
 * Keeps memory and disks of all hosts of the lab as they are at one moment.
 * @throws StackyardError `conflict` when it has a snapshot of that name, `wrong-state` while a host starts,
 * `host-disk-full` with the numbers, `invalid-input` when its driver keeps none.
 */
export async function snapshotLab(
  name: string,
  snapshot: string,
  options: LabOptions = {},
): Promise<SnapshotDescription> {
  const snapshots = requireSnapshots(name);
  return withLab(name, options, () => snapshots.take(snapshot, options));
}

/**
 * Brings the lab back to a snapshot. What its hosts did since is lost.
 * @throws StackyardError `not-found`, `image-checksum` for a damaged one (nothing is changed then), `host-unsuitable`.
 */
export async function restoreLab(
  name: string,
  snapshot: string,
  options: LabOptions = {},
): Promise<LabDescription> {
  const snapshots = requireSnapshots(name);
  return withLab(name, options, async () => {
    await snapshots.restore(snapshot, options);
    return describe(readState(name), "answering");
  });
}

/** Removes a snapshot. Raises `not-found`. */
export async function removeLabSnapshot(name: string, snapshot: string): Promise<void> {
  const snapshots = requireSnapshots(name);
  await withLab(name, {}, () => snapshots.remove(snapshot));
}

/** Pulls a host's cable: nothing passes on that network until {@link mendLink}. */
export async function cutLink(name: string, host: string, network: LabNetwork): Promise<CableState> {
  return findHost(name, host).setLink(host, network, { cut: true });
}

/** Puts back the cable that {@link cutLink} has pulled, and makes a bad one good. */
export async function mendLink(name: string, host: string, network: LabNetwork): Promise<CableState> {
  return findHost(name, host).setLink(host, network, { cut: false, delayMs: 0, lossPercent: 0 });
}

/**
 * Makes a host's cable slow or lossy; of the two, what is left out stays. Raises `invalid-input` and `host-unsuitable`
 * where the driver or the kernel cannot.
 */
export async function spoilLink(
  name: string,
  host: string,
  network: LabNetwork,
  change: Omit<LinkChange, "cut">,
): Promise<CableState> {
  return findHost(name, host).setLink(host, network, change);
}

/**
 * Connects the terminal to a host's serial console until Ctrl-].
 * @throws StackyardError `invalid-input` for a driver whose hosts have none, `wrong-state` when the host is off.
 */
export async function openConsole(name: string, host: string): Promise<void> {
  const { consoleSocket } = findHost(name, host);
  if (consoleSocket === undefined) {
    throw new StackyardError("invalid-input", {
      message: `hosts of lab "${name}" have no serial console: they are namespaces of this machine`,
      field: "host",
      value: host,
      remedy: `Log in: stackyard lab ssh ${host} --name ${name}`,
    });
  }
  try {
    await attachConsole(consoleSocket(host), { input: process.stdin, output: process.stdout });
  } catch (cause) {
    throw new StackyardError("wrong-state", {
      message: `the console of host ${host} is not there: the host is off`,
      field: "host",
      value: host,
      remedy: `Switch it on: stackyard lab power ${host} on --name ${name}. What it said until now: stackyard lab logs ${host} --name ${name}`,
      cause,
    });
  }
}
