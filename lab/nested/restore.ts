import { existsSync } from "node:fs";
import { join } from "node:path";
import { hasCode, StackyardError } from "../../providers/core/errors.ts";
import { sh } from "../../providers/hosts/command.ts";
import { withoutPrefix } from "../addresses.ts";
import type { LabOptions } from "../driver.ts";
import { readTail } from "../file-end.ts";
import { runSideBySide } from "../side-by-side.ts";
import { applyLinks, bootLimitMs } from "./boot.ts";
import { sumFile } from "./checksum.ts";
import { addLayers } from "./disks.ts";
import { machineFiles } from "./files.ts";
import { releaseScript } from "./guests.ts";
import type { HostImage } from "./image/image.ts";
import { pruneDisks } from "./removal.ts";
import { cutMachine, markReady, startMachine, withMonitor } from "./machine.ts";
import { loadMemory } from "./memory.ts";
import { ensureSwitch, findLink, writeLinks } from "./network.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import { damagedSnapshot, readSnapshot, snapshotFolder } from "./snapshot-file.ts";
import type { Snapshot } from "./snapshot-file.ts";
import { retryOnMachine } from "./ssh.ts";

/** A cable that loses more is not tried: it may let nothing pass for seconds. */
const mostLossPercent = 50;

/**
 * Brings the lab back to a snapshot: all hosts lose their power, and go on where they were, with their cables as they were.
 * The clock is set, and what
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
  await writeLinks(plan, snapshot.links);
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
  await runSideBySide(
    running.map((host) => async (signal) => {
      await mendMachine(plan, host, running, { ...options, signal });
      await markReady(plan, host);
      options.onProgress?.(`${host.name}: ready`);
    }),
    options.signal,
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
export async function mendMachine(
  plan: NestedPlan,
  host: NestedHost,
  running: readonly NestedHost[],
  options: LabOptions,
): Promise<void> {
  if (findLink(plan, host.name, "management").cut) {
    options.onProgress?.(`${host.name}: its management cable is cut, and its clock as it was`);
    return;
  }
  const isUsable = ({ name }: NestedHost): boolean => {
    const { cut, lossPercent } = findLink(plan, name, "data");
    return !cut && lossPercent <= mostLossPercent;
  };
  const neighbour = running.find((other) => other.name !== host.name && isUsable(host) && isUsable(other));
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

/**
 * `mend SECONDS NEIGHBOUR`: a host goes on with the clock of its snapshot, and its guests as they were held for it; its
 * neighbour shows that the network is there.
 */
const mendScript = sh`${releaseScript}
date -u -s "@$1" > /dev/null
[ -z "$2" ] || ping -n -q -c 1 -i 0.2 -w 5 "$2" > /dev/null || { echo "$2 does not answer"; exit 1; }`.text;
