import { rm, rmdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { describeSize } from "../../providers/core/bytes.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import { findFreeRanges, parseRange } from "../addresses.ts";
import type {
  DrivenLab,
  HostDescription,
  LabNetwork,
  LabOptions,
  LinkState,
  Reserved,
  SnapshotDescription,
} from "../driver.ts";
import { readEnd } from "../file-end.ts";
import { labFiles } from "../folders.ts";
import { requireInstalled } from "../installed-programs.ts";
import type { Inventory } from "../inventory.ts";
import { chooseRanges, listUsedRanges } from "../ranges.ts";
import { sshUser } from "../ssh.ts";
import type { Topology } from "../topology.ts";
import { chooseAcceleration, requireKvm } from "./acceleration.ts";
import { requireBridges, requireUnshared } from "./bridges.ts";
import { bootMachine } from "./boot.ts";
import { bringCephUp, cephInventoryOf } from "./ceph.ts";
import { machineFiles, segmentsOf } from "./files.ts";
import { ensureImages } from "./image/host-images.ts";
import { beginCopy, isHalfCopied } from "./copy.ts";
import { ensureFiles } from "./lab-files.ts";
import { cutMachine, findMachine, hasBooted, isUp, powerOffMachine, withMonitor } from "./machine.ts";
import { endSwitch, ensureSwitch, findLink, findSwitch, saveLink } from "./network.ts";
import type { LinkSetting } from "./network.ts";
import { planNestedLab } from "./plan.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import { findFreePorts } from "./ports.ts";
import { requireResources } from "./resources.ts";
import { runtimeFolder } from "./run-folder.ts";
import { listSnapshots, parseSnapshotName } from "./snapshot-file.ts";
import type { HostSnapshot, Snapshot } from "./snapshot-file.ts";
import { mendInterrupted } from "./interruption.ts";
import { removeSnapshot } from "./removal.ts";
import { restoreSnapshot } from "./restore.ts";
import { takeSnapshot } from "./snapshot.ts";

/** Every program that a lab of virtual machines starts, but for the making of images. */
export const nestedPrograms = ["ip", "qemu-system-x86_64", "qemu-img", "ssh", "ssh-keygen", "tar"];

/** How much of the end of each log is shown. */
const shownLogBytes = 4 * 1024 ** 2;

/** @throws StackyardError `host-unsuitable` where no image of ours boots. */
export function requirePlatform(): void {
  if (process.platform === "linux" && process.arch === "x64") return;
  throw new StackyardError("host-unsuitable", {
    message: "hosts of the driver nested are made on x86-64 Linux",
    value: `${process.platform} ${process.arch}`,
    remedy: "Use another machine, or the driver namespace on Linux.",
  });
}

/** Refuses, before anything is written, a machine of another kind, or without the programs or the topology's bridges. */
export async function requireNested(topology: Topology): Promise<void> {
  requirePlatform();
  requireInstalled(nestedPrograms);
  await requireBridges(topology);
}

/**
 * Chooses ranges, ports and acceleration, and plans the lab. Nothing is made that stays.
 * @param reserved what other labs hold, whether they are on or not.
 * @throws StackyardError `host-unsuitable` on a machine without the KVM that the topology wants, or without memory.
 */
export async function planNested(
  topology: Topology,
  folder: string,
  reserved: Reserved,
  { onProgress, signal }: LabOptions,
): Promise<NestedPlan> {
  requireUnshared(topology, reserved.ranges);
  const { acceleration, reason } = await chooseAcceleration(topology.virtualization, { signal });
  if (topology.virtualization !== "tcg")
    onProgress?.(acceleration === "kvm" ? `hosts run on ${reason}` : `no KVM for the hosts: ${reason}`);
  // Hosts' networks are their own: other labs may have the same. What the machine itself has, hosts could not reach.
  const ranges = await chooseRanges(topology, []);
  const used = await listUsedRanges();
  const others = [ranges.management, ranges.data, ...used.map(({ range }) => range)];
  const storage = parseRange(topology.networks.storage?.cidr ?? "") ?? findFreeRanges(others)?.management;
  if (storage === undefined) {
    throw new StackyardError("in-use", {
      message: "no free address range was found for the lab's storage network",
      field: "networks.storage.cidr",
      remedy: "Fix networks.storage.cidr in the topology.",
    });
  }
  const plan = planNestedLab(topology, folder, {
    ranges,
    storage,
    sshPorts: await findFreePorts(topology.hosts.length, folder, reserved.ports),
    acceleration,
    runtimeFolder: runtimeFolder(),
  });
  await requireResources(plan.hosts);
  return plan;
}

/** A lab of virtual machines of this machine. */
export function openNestedLab(plan: NestedPlan): DrivenLab {
  const find = (name: string): NestedHost => {
    const host = plan.hosts.find((other) => other.name === name);
    if (host === undefined) throw new TypeError(`the plan has no host ${name}`);
    return host;
  };
  const { management, data, storage } = plan.networks;
  return {
    hosts: plan.hosts.map((host) => ({
      name: host.name,
      roles: host.roles,
      address: host.sshAddress,
      port: host.sshPort,
    })),
    networks: {
      management: { ...management, bridge: management.bridge ?? null },
      data: { ...data, bridge: data.bridge ?? null },
      ...(storage === undefined ? {} : { storage: { ...storage, bridge: storage.bridge ?? null } }),
    },
    inventory: inventoryOf(plan),
    cephHost: plan.hosts.find(({ roles }) => roles.includes("ceph"))?.name,
    claim: () => Promise.resolve(), // Nothing of the machine's is taken.
    async bringUp(options) {
      await bringCephUp(plan, await bringHostsUp(plan, plan.hosts, options), options);
    },
    describeHosts: (known) =>
      Promise.all(
        plan.hosts.map((host) => describeHost(plan, host, known === "answering" ? hasBooted : isUp)),
      ),
    async changePower(name, action, options) {
      const host = find(name);
      if (action === "off") return powerOffMachine(plan, host, options);
      if (action !== "on") await cutMachine(host);
      if (action !== "cut") await bringHostsUp(plan, [host], options);
    },
    async setLink(name, network, change) {
      const host = find(name);
      requireNetwork(plan, network);
      const link = { ...findLink(plan, name, network), ...change };
      if (network === "management" && (link.delayMs > 0 || link.lossPercent > 0)) {
        throw new StackyardError("invalid-input", {
          message:
            "the management network leads past the lab's switch: its cables can be cut, and are good otherwise",
          field: "network",
          value: network,
          remedy: "Name data or storage for delay and loss.",
        });
      }
      const bridge = plan.networks[network]?.bridge;
      if (bridge !== undefined && (link.delayMs > 0 || link.lossPercent > 0)) {
        throw new StackyardError("invalid-input", {
          message: `the ${network} network is bridge ${bridge}, past the lab's switch: its cables can be cut, and are good otherwise`,
          field: "network",
          value: network,
          remedy: "Leave the bridge out of the topology for delay and loss, or use tc on the bridge's ports.",
        });
      }
      await saveLink(plan, link);
      // One that is off learns of it when it starts.
      if (findMachine(host) !== undefined)
        await withMonitor(plan, host, (qmp) =>
          qmp.execute("set_link", { name: `nic-${network}`, up: !link.cut }),
        );
      const { cut, delayMs, lossPercent } = link;
      return { cut, delayMs, lossPercent };
    },
    consoleSocket: (name) => machineFiles(plan, find(name)).consoleSocket,
    async readLogs(name) {
      const files = machineFiles(plan, find(name));
      const read = async (path: string): Promise<string> => {
        const { text, leftOutBytes } = await readEnd(path, shownLogBytes);
        if (leftOutBytes === 0) return text;
        return `(${describeSize(leftOutBytes)} before this are in ${path})\n${text}`;
      };
      return [
        { title: "console", text: await read(files.consoleLog) },
        { title: "qemu", text: await read(files.qemuLog) },
      ];
    },
    snapshots: {
      list: () => listSnapshots(plan).map(describeSnapshot),
      async take(name, options) {
        return describeSnapshot(
          await takeSnapshot(
            plan,
            parseSnapshotName(name),
            await ensureImages(plan, plan.hosts, options),
            options,
          ),
        );
      },
      async restore(name, options) {
        await ensureFiles(plan);
        await restoreSnapshot(plan, name, await ensureImages(plan, plan.hosts, options), options);
      },
      remove: (name) => removeSnapshot(plan, name),
    },
    async remove({ onProgress }) {
      await Promise.all(plan.hosts.map(cutMachine));
      onProgress?.("hosts ended");
      await endSwitch(plan);
      onProgress?.("networks removed");
      for (const host of plan.hosts) await rm(host.diskFolder, { recursive: true, force: true });
      await rm(plan.runFolder, { recursive: true, force: true });
      await rmdir(dirname(plan.runFolder)).catch(() => undefined); // Other labs have theirs in it.
    },
  };
}

function describeSnapshot({ name, takenAt, hosts }: Snapshot): SnapshotDescription {
  const describe = (host: HostSnapshot) => ({ name: host.name, memoryBytes: host.memory?.bytes ?? null });
  return { name, takenAt, hosts: hosts.map(describe) };
}

function requireNetwork(plan: NestedPlan, network: LabNetwork): void {
  if (network === "management" || segmentsOf(plan).includes(network)) return;
  throw new StackyardError("not-found", {
    message: `lab "${plan.name}" has no ${network} network`,
    field: "network",
    value: network,
    remedy: "Name management or data, or give the topology networks.storage.",
  });
}

async function describeHost(plan: NestedPlan, host: NestedHost, isReady = isUp): Promise<HostDescription> {
  const process = findMachine(host);
  const state = process === undefined ? "down" : (await isReady(plan, host)) ? "up" : "starting";
  const isSwitched = findSwitch(plan) !== undefined;
  const linkOf = (network: LabNetwork): LinkState =>
    process === undefined || (network !== "management" && !isSwitched)
      ? "absent"
      : nameLink(findLink(plan, host.name, network));
  return {
    name: host.name,
    roles: host.roles,
    state,
    pid: process?.pid ?? null,
    address: host.sshAddress,
    port: host.sshPort,
    tunnelAddress: host.tunnelAddress,
    links: {
      management: linkOf("management"),
      ...Object.fromEntries(segmentsOf(plan).map((segment) => [segment, linkOf(segment)])),
    },
  };
}

function nameLink({ cut, delayMs, lossPercent }: LinkSetting): LinkState {
  if (cut) return "cut";
  return delayMs === 0 && lossPercent === 0 ? "up" : "bad";
}

function inventoryOf(plan: NestedPlan): Inventory {
  const files = labFiles(plan.folder);
  const { management, data } = plan.networks;
  const ceph = cephInventoryOf(plan);
  return {
    name: plan.name,
    hosts: plan.hosts
      .filter(({ roles }) => roles.includes("compute"))
      .map((host) => ({
        name: host.name,
        address: host.sshAddress,
        port: host.sshPort,
        user: sshUser,
        identityFile: files.identity,
        knownHostsFile: files.knownHosts,
        tunnelInterface: "eth1",
        tunnelAddress: host.tunnelAddress,
      })),
    ...(ceph === undefined ? {} : { ceph }),
    networks: { management, data },
  };
}

/** Boots at a time: as many as the processors carry. */
function bootsAtATime(plan: NestedPlan): number {
  const vcpus = Math.max(...plan.hosts.map((host) => host.vcpus));
  return plan.acceleration === "kvm"
    ? availableParallelism()
    : Math.max(1, Math.floor(availableParallelism() / vcpus));
}

/** Brings up the hosts that are not, and gives their names. */
async function bringHostsUp(
  plan: NestedPlan,
  hosts: readonly NestedHost[],
  options: LabOptions,
): Promise<readonly string[]> {
  if (isHalfCopied(plan)) {
    await beginCopy(plan, options);
    return [];
  }
  await mendInterrupted(plan, options);
  const states = await Promise.all(hosts.map((host) => describeHost(plan, host)));
  const missing = hosts.filter((_, index) => states[index]?.state !== "up");
  if (missing.length === 0) {
    await ensureSwitch(plan);
    return [];
  }
  await requireResources(missing.filter((host) => findMachine(host) === undefined));
  if (plan.acceleration === "kvm") await requireKvm(options);
  await ensureFiles(plan);
  const images = await ensureImages(plan, missing, options);
  await ensureSwitch(plan);
  if (plan.acceleration === "tcg")
    options.onProgress?.(
      "processors are emulated: a boot takes about half a minute, servers are some ten times slower",
    );
  const waiting = [...missing];
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let host = waiting.shift(); host !== undefined && failures.length === 0; host = waiting.shift()) {
      const image = images.get(host.name);
      if (image === undefined) throw new TypeError("each host has an image");
      const { name } = host;
      const onStep = (step: string): void => options.onProgress?.(`${name}: ${step}`);
      try {
        await bootMachine(plan, host, image, { onStep, signal: options.signal });
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: bootsAtATime(plan) }, work));
  if (failures.length > 0) throw failures[0];
  return missing.map(({ name }) => name);
}
