import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { hasCode, StackyardError } from "../../providers/core/errors.ts";
import { sh } from "../../providers/hosts/command.ts";
import { withoutPrefix } from "../addresses.ts";
import type { LabOptions } from "../driver.ts";
import { isDiskFull } from "../file-faults.ts";
import { runSideBySide } from "../side-by-side.ts";
import { applyLinks, bootLimitMs } from "./boot.ts";
import { sumFile } from "./checksum.ts";
import { diskSlots, makeLayer, nextLayer, pruneLayers, requireLayer } from "./disks.ts";
import { machineFiles, nestedFiles } from "./files.ts";
import type { HostImage } from "./image/image.ts";
import {
  cutMachine,
  findMachine,
  hasBooted,
  markReady,
  readTail,
  startMachine,
  withMonitor,
} from "./machine.ts";
import { cancelMigration, loadMemory, saveMemory } from "./memory.ts";
import { ensureSwitch, findLink } from "./network.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import type { Qmp } from "./qmp.ts";
import { requireSpace } from "./resources.ts";
import {
  damagedSnapshot,
  listSnapshotNames,
  listSnapshots,
  ownSnapshots,
  readSnapshot,
  snapshotFileName,
  snapshotFolder,
  unfinishedSnapshot,
} from "./snapshot-file.ts";
import type { HostSnapshot, Snapshot } from "./snapshot-file.ts";
import { retryOnMachine } from "./ssh.ts";

const bytesPerMib = 1024 ** 2;
/** Below this a host whose disk was full is not let go on: it would stand still again. */
const wakeDiskMib = 256;

/**
 * Keeps memory and disks of all hosts as they are at one moment. The hosts stand still meanwhile, and go on whatever
 * happens; nothing is kept of a snapshot that fails.
 * @throws StackyardError `conflict` when there is one of that name, `wrong-state` while a host starts,
 * `host-disk-full` with the numbers.
 */
export async function takeSnapshot(
  plan: NestedPlan,
  name: string,
  images: ReadonlyMap<string, HostImage>,
  options: LabOptions,
): Promise<Snapshot> {
  if (listSnapshotNames(plan).includes(name)) {
    throw new StackyardError("conflict", {
      message: `lab "${plan.name}" has a snapshot "${name}" already`,
      field: "snapshot",
      value: name,
      remedy: `Choose another name, or remove it: stackyard lab snapshot ${name} --remove --name ${plan.name}`,
    });
  }
  await mendInterrupted(plan, options);
  const running = plan.hosts.filter((host) => findMachine(host) !== undefined);
  for (const host of running) {
    if (await hasBooted(plan, host)) continue;
    throw new StackyardError("wrong-state", {
      message: `host ${host.name} of lab "${plan.name}" is starting`,
      remedy: `Wait until it is up: stackyard lab up --name ${plan.name}`,
    });
  }
  await requireRoom(plan, running);
  const part = snapshotFolder(plan, unfinishedSnapshot);
  await mkdir(part, { recursive: true, mode: 0o700 });
  try {
    const disks = new Map(plan.hosts.map((host) => [host.name, layersOf(host)]));
    // Before QEMU takes them: whoever is killed when, the next start finds a layer over all that was written.
    await Promise.all(plan.hosts.map((host) => addLayers(host)));
    await freeze(plan, running, part, options);
    const hosts = await Promise.all(
      plan.hosts.map(async (host): Promise<HostSnapshot> => {
        const image = images.get(host.name);
        if (image === undefined) throw new TypeError("each host has an image");
        const memory = running.includes(host) ? await sumMemory(host, part, options) : null;
        return { name: host.name, image: image.hash, memory, disks: disks.get(host.name) ?? {} };
      }),
    );
    const snapshot: Snapshot = { version: 1, name, takenAt: new Date().toISOString(), hosts };
    await writeFile(join(part, snapshotFileName), `${JSON.stringify(snapshot, undefined, 2)}\n`, {
      mode: 0o600,
      flush: true,
    });
    await rename(part, snapshotFolder(plan, name));
    return snapshot;
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    if (!isDiskFull(error)) throw error;
    throw new StackyardError("host-disk-full", {
      message: `the disk has become full while snapshot "${name}" was taken: nothing of it is kept, and the hosts go on`,
      field: "snapshot",
      value: name,
      remedy: "Free space, or remove a snapshot: stackyard lab snapshots lists them.",
      cause: error,
    });
  }
}

/** States of a host that stands still though it was not switched off (QEMU: qapi/run-state.json), and can go on. */
const stillStates = ["paused", "postmigrate", "finish-migrate", "io-error"];
const statusSchema = z.looseObject({ status: z.string() });

/** Lets a host that stands still go on. @returns whether it did. */
async function wake(plan: NestedPlan, host: NestedHost): Promise<boolean> {
  try {
    return await withMonitor(plan, host, async (qmp) => {
      const { status } = statusSchema.parse(await qmp.execute("query-status"));
      if (status === "inmigrate") await cutMachine(host); // Of a restore that was killed.
      if (!stillStates.includes(status)) return false;
      if (status === "io-error") {
        await requireSpace(host.diskFolder, wakeDiskMib, {
          subject: `the disks of host ${host.name}, which stands still since there was no room for them,`,
          field: "diskFolder",
          remedy: `Free space, and run again. What the host has not written yet is lost when its power is cut: stackyard lab power ${host.name} cut --name ${plan.name}`,
        });
      }
      await cancelMigration(qmp);
      await qmp.execute("cont");
      return true;
    });
  } catch (error) {
    if (hasCode(error, "command-failed") || hasCode(error, "command-timeout")) return false; // It hangs.
    throw error;
  }
}

/**
 * Takes back what commands that were killed have left: hosts that stand still for a snapshot go on, and what is no snapshot
 * yet goes away.
 */
export async function mendInterrupted(plan: NestedPlan, options: LabOptions): Promise<void> {
  await Promise.all(
    plan.hosts.map(async (host) => {
      if (findMachine(host) === undefined || !(await wake(plan, host))) return;
      options.onProgress?.(`${host.name}: stood still, goes on`);
      await mendMachine(plan, host, [], options).catch((error: unknown) => {
        if (!hasCode(error, "host-unsuitable")) throw error; // The caller sees that it is not up.
      });
    }),
  );
  const { snapshots } = nestedFiles(plan);
  if (!existsSync(snapshots)) return;
  if (listSnapshotNames(plan).includes(ownSnapshots.passing))
    await removeSnapshot(plan, ownSnapshots.passing);
  for (const name of await readdir(snapshots)) {
    const folder = join(snapshots, name);
    if (name === unfinishedSnapshot || !existsSync(join(folder, snapshotFileName)))
      await rm(folder, { recursive: true });
  }
}

async function requireRoom(plan: NestedPlan, running: readonly NestedHost[]): Promise<void> {
  const wantedMib = running.reduce((sum, { ramMib }) => sum + ramMib, 0);
  await requireSpace(nestedFiles(plan).snapshots, wantedMib, {
    subject: "the files of a snapshot, as large as its hosts' memory,",
    field: "snapshot",
    remedy: "Free space, or remove a snapshot: stackyard lab snapshots lists them.",
  });
}

/** What the record of a snapshot says of a host's memory. */
async function sumMemory(
  host: NestedHost,
  folder: string,
  { onProgress, signal }: LabOptions,
): Promise<HostSnapshot["memory"]> {
  const file = memoryFileName(host);
  const sum = await sumFile(join(folder, file), signal);
  onProgress?.(`${host.name}: ${String(Math.ceil(sum.bytes / bytesPerMib))} MiB of memory saved`);
  return { file, ...sum };
}

function layersOf(host: NestedHost): Record<string, string> {
  return Object.fromEntries(diskSlots(host).map(({ slot }) => [slot, requireLayer(host, slot)]));
}

/** Makes new layers of the highest numbers, which the host writes to from its next start on, or when its QEMU takes them. */
async function addLayers(
  host: NestedHost,
  base: Readonly<Record<string, string>> = layersOf(host),
): Promise<void> {
  for (const { slot, sizeGib } of diskSlots(host)) {
    const path = base[slot];
    if (path === undefined) throw new TypeError(`no layer of disk ${slot}`);
    await makeLayer(nextLayer(host, slot), sizeGib, { path, format: "qcow2" });
  }
}

const memoryFileName = ({ name }: NestedHost): string => `${name}.memory`;

/** Holds all hosts, saves them side by side into files of a folder, and lets them go on. They have new layers already. */
async function freeze(
  plan: NestedPlan,
  hosts: readonly NestedHost[],
  folder: string,
  options: LabOptions,
): Promise<void> {
  const held = new Map<string, () => Promise<unknown>>();
  const withAll = async (
    [host, ...others]: readonly NestedHost[],
    monitors: readonly (readonly [NestedHost, Qmp])[],
  ): Promise<void> => {
    if (host !== undefined)
      return withMonitor(plan, host, (qmp) => withAll(others, [...monitors, [host, qmp]]));
    try {
      await Promise.all(
        monitors.map(async ([each, qmp]) => {
          held.set(each.name, () => qmp.execute("cont"));
          await qmp.execute("stop");
        }),
      );
      options.onProgress?.("hosts stand still");
      await runSideBySide(
        monitors.map(([each, qmp]) => async (signal) => {
          await switchLayers(each, qmp);
          const file = join(folder, memoryFileName(each));
          await saveMemory(qmp, machineFiles(plan, each).migration, file, signal);
        }),
        options.signal,
      );
      await goOn(held);
    } catch (error) {
      await goOn(held).catch(() => undefined); // A QEMU that has ended is what the error is about.
      throw error;
    } finally {
      options.onProgress?.("hosts go on");
    }
  };
  return withAll(hosts, []);
}

/** Lets all hosts go on that can. Raises the first failure when all were tried. */
async function goOn(held: ReadonlyMap<string, () => Promise<unknown>>): Promise<void> {
  const ends = await Promise.allSettled([...held.values()].map((go) => go()));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

const blockListSchema = z.array(
  z.looseObject({
    qdev: z.string().optional(),
    inserted: z.looseObject({ "node-name": z.string().optional() }).optional(),
  }),
);

/** Lets a host that stands still write to the layers of the highest numbers. */
async function switchLayers(host: NestedHost, qmp: Qmp): Promise<void> {
  const blocks = blockListSchema.parse(await qmp.execute("query-block"));
  for (const { slot } of diskSlots(host)) {
    const device = blocks.find(({ qdev }) => qdev?.split("/").includes(`disk-${slot}`) === true);
    const node = device?.inserted?.["node-name"];
    if (node === undefined) throw new TypeError(`QEMU has no disk ${slot}`);
    const path = requireLayer(host, slot);
    await qmp.execute("blockdev-snapshot-sync", {
      "node-name": node,
      "snapshot-file": path,
      "snapshot-node-name": `${slot}-${String(/\.(\d+)\.qcow2$/.exec(path)?.[1])}`,
      format: "qcow2",
      mode: "existing",
    });
  }
}

/**
 * Brings the lab back to a snapshot: all hosts lose their power, and go on where they were. The clock is set, and what
 * the hosts need of each other is tried before the lab counts as ready.
 * @throws StackyardError `not-found`, `image-checksum` for a snapshot that is not as it was written (the lab is left as
 * it is), `host-unsuitable` when a host does not come back.
 */
export async function restoreSnapshot(
  plan: NestedPlan,
  name: string,
  images: ReadonlyMap<string, HostImage>,
  options: LabOptions,
): Promise<void> {
  const snapshot = readSnapshot(plan, name);
  await requireWhole(plan, snapshot, images);
  options.onProgress?.("the snapshot is whole");
  await Promise.all(plan.hosts.map(cutMachine));
  await ensureSwitch(plan);
  await runSideBySide(
    snapshot.hosts.map((saved) => async (signal) => {
      const host = plan.hosts.find((each) => each.name === saved.name);
      const image = images.get(saved.name);
      if (host === undefined || image === undefined) throw new TypeError("a snapshot has the lab's hosts");
      await addLayers(host, saved.disks);
      if (saved.memory === null) return;
      const memoryFile = join(snapshotFolder(plan, name), saved.memory.file);
      await startMachine(plan, host, image, { incoming: true });
      await withMonitor(plan, host, async (qmp) => {
        await loadMemory(qmp, machineFiles(plan, host).migration, memoryFile, signal);
        await qmp.execute("cont");
      }).catch(async (error: unknown) => {
        throw hasCode(error, "command-failed") ? await refusedMemory(plan, host, error) : error;
      });
      await applyLinks(plan, host);
      options.onProgress?.(`${host.name}: goes on`);
    }),
    options.signal,
  );
  const running = plan.hosts.filter((host) =>
    snapshot.hosts.some((saved) => saved.name === host.name && saved.memory !== null),
  );
  await Promise.all(
    running.map(async (host) => {
      await mendMachine(plan, host, running, options);
      await markReady(plan, host);
      options.onProgress?.(`${host.name}: ready`);
    }),
  );
  await pruneDisks(plan);
}

/** The error of a QEMU that does not take a host's memory. It ends by it, and only its log says why. */
async function refusedMemory(plan: NestedPlan, host: NestedHost, cause: unknown): Promise<StackyardError> {
  const said = await readTail(machineFiles(plan, host).qemuLog);
  return new StackyardError("host-unsuitable", {
    message: `host ${host.name} does not go on where it was: QEMU has refused its memory`,
    remedy: `Restore it with QEMU of the version, and on a processor of the kind, that it was kept with; or begin anew: stackyard lab down --name ${plan.name}`,
    notes: said === "" ? [] : [said],
    cause,
  });
}

/** Removes layers that nothing stands on, unless there is a snapshot of which nobody knows what it stands on. */
async function pruneDisks(plan: NestedPlan): Promise<void> {
  if (listSnapshots(plan).length < listSnapshotNames(plan).length) return;
  await Promise.all(plan.hosts.map((host) => pruneLayers(host, keptLayers(plan, host))));
}

function keptLayers(plan: NestedPlan, host: NestedHost): string[] {
  return listSnapshots(plan).flatMap(({ hosts }) =>
    hosts.filter(({ name }) => name === host.name).flatMap(({ disks }) => Object.values(disks)),
  );
}

/** Removes a snapshot, a damaged one too, with the layers that only it stood on. Raises `not-found`. */
export async function removeSnapshot(plan: NestedPlan, name: string): Promise<void> {
  if (!listSnapshotNames(plan).includes(name)) readSnapshot(plan, name);
  const folder = snapshotFolder(plan, name);
  await rm(join(folder, snapshotFileName)); // from here on it is none
  await rm(folder, { recursive: true });
  await pruneDisks(plan);
}

/** Refuses a snapshot whose memory, disks or images are not as they were. */
async function requireWhole(
  plan: NestedPlan,
  snapshot: Snapshot,
  images: ReadonlyMap<string, HostImage>,
): Promise<void> {
  const folder = snapshotFolder(plan, snapshot.name);
  const damage = await Promise.all(
    snapshot.hosts.map(async ({ name, memory, disks, image }): Promise<string[]> => {
      const lost = Object.values(disks).filter((path) => !existsSync(path));
      if (lost.length > 0) return lost.map((path) => `${path} is missing`);
      if (images.get(name)?.hash !== image) return [`the image of host ${name} is another one now`];
      if (memory === null) return [];
      const file = join(folder, memory.file);
      if (!existsSync(file)) return [`${file} is missing`];
      const { bytes, crc } = await sumFile(file);
      return bytes === memory.bytes && crc === memory.crc ? [] : [`${file} has another checksum`];
    }),
  );
  const all = damage.flat();
  if (all.length === 0) return;
  throw damagedSnapshot(plan, snapshot.name, all.join("; "));
}

/** Sets the clock of a host that was brought back, and tries its networks. */
async function mendMachine(
  plan: NestedPlan,
  host: NestedHost,
  running: readonly NestedHost[],
  options: LabOptions,
): Promise<void> {
  const neighbour = running.find(
    (other) =>
      other.name !== host.name && ![host, other].some(({ name }) => findLink(plan, name, "data").cut),
  );
  const limitMs = bootLimitMs[plan.acceleration]; // It may have been in a boot of its own.
  const target = withoutPrefix(neighbour?.tunnelAddress ?? "");
  const said = await retryOnMachine(
    plan,
    host,
    () => ["sh", "-c", mendScript, "mend", String(Math.round(Date.now() / 1000)), target],
    { limitMs, signal: options.signal },
  );
  if (said === undefined) return;
  throw new StackyardError("host-unsuitable", {
    message: `host ${host.name} has not come back within ${String(limitMs / 1000)} s: ${said}`,
    remedy: `Restore again, or begin anew: stackyard lab down --name ${plan.name}`,
  });
}

/** `mend SECONDS NEIGHBOUR`: a guest goes on with the clock of its snapshot; its neighbour shows that the network is there. */
const mendScript = sh`date -u -s "@$1" > /dev/null
[ -z "$2" ] || ping -n -q -c 1 -i 0.2 -w 5 "$2" > /dev/null || { echo "$2 does not answer"; exit 1; }`.text;
