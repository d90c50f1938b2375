import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import type { LabOptions } from "../driver.ts";
import { isDiskFull } from "../file-faults.ts";
import { runSideBySide } from "../side-by-side.ts";
import { sumFile } from "./checksum.ts";
import { addLayers, diskSlots, layersOf, requireLayer } from "./disks.ts";
import { machineFiles, nestedFiles } from "./files.ts";
import { holdGuests } from "./guests.ts";
import type { HostImage } from "./image/image.ts";
import { mendInterrupted } from "./interruption.ts";
import { findMachine, hasBooted, withMonitor } from "./machine.ts";
import { isWithinGuest } from "./memory-file.ts";
import { saveMemory } from "./memory.ts";
import { readLinks } from "./network.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import type { Qmp } from "./qmp.ts";
import { requireSpace } from "./resources.ts";
import { listSnapshotNames, snapshotFileName, snapshotFolder, unfinishedSnapshot } from "./snapshot-file.ts";
import type { HostSnapshot, Snapshot } from "./snapshot-file.ts";

const bytesPerMib = 1024 ** 2;

/**
 * Keeps memory and disks of all hosts as they are at one moment. The hosts stand still meanwhile, and go on whatever
 * happens; nothing is kept of a snapshot that fails.
 * @throws StackyardError `conflict` when there is one of that name, `wrong-state` while a host starts, or is emulated and runs
 * guests that cannot be held,
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
    const disks = await keepAll(plan, running, part, options);
    const takenAt = new Date().toISOString();
    const links = [...readLinks(plan)];
    const hosts = await runSideBySide(
      plan.hosts.map((host) => async (signal): Promise<HostSnapshot> => {
        const image = images.get(host.name);
        if (image === undefined) throw new TypeError("each host has an image");
        const memory = running.includes(host) ? await sumMemory(host, part, { ...options, signal }) : null;
        return { name: host.name, image: image.hash, memory, disks: disks.get(host.name) ?? {} };
      }),
      options.signal,
    );
    const snapshot: Snapshot = { version: 1, name, takenAt, hosts, links };
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

/** The layers of each host's disks, by the host's name. */
type DisksByHost = ReadonlyMap<string, ReturnType<typeof layersOf>>;

/**
 * Keeps the hosts' memory in files of a folder. Emulated hosts within a guest of theirs would not be taken back by QEMU, and
 * are kept anew while their guests are held.
 * @returns the disks as they are at that moment.
 */
async function keepAll(
  plan: NestedPlan,
  hosts: readonly NestedHost[],
  folder: string,
  options: LabOptions,
): Promise<DisksByHost> {
  const disks = await keep(plan, hosts, folder, options);
  if (plan.acceleration !== "tcg" || (await listWithinGuests(hosts, folder)).length === 0) return disks;
  options.onProgress?.("guests were at work: they are held, and all is kept anew");
  await Promise.all(hosts.map((host) => rm(join(folder, memoryFileName(host)))));
  const release = await holdGuests(plan, hosts);
  const anew = await keep(plan, hosts, folder, options).finally(release);
  const [busy] = await listWithinGuests(hosts, folder);
  if (busy === undefined) return anew;
  throw new StackyardError("wrong-state", {
    message: `host ${busy.name} runs a guest that is no domain of its libvirt, and an emulated host does not go on within one`,
    remedy: "Stop that guest, and take the snapshot again.",
  });
}

/** The hosts that were within a guest of theirs when their memory was kept. */
async function listWithinGuests(
  hosts: readonly NestedHost[],
  folder: string,
): Promise<readonly NestedHost[]> {
  const found = await Promise.all(
    hosts.map(async (host) => ((await isWithinGuest(join(folder, memoryFileName(host)))) ? [host] : [])),
  );
  return found.flat();
}

async function keep(
  plan: NestedPlan,
  hosts: readonly NestedHost[],
  folder: string,
  options: LabOptions,
): Promise<DisksByHost> {
  const disks = new Map(plan.hosts.map((host) => [host.name, layersOf(host)]));
  // Before QEMU takes them: whoever is killed when, the next start finds a layer over all that was written.
  await runSideBySide(
    plan.hosts.map((host) => () => addLayers(host)),
    options.signal,
  );
  await freeze(plan, hosts, folder, options);
  return disks;
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
