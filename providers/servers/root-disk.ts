import { setTimeout as sleep } from "node:timers/promises";
import { bytesPerGib } from "../core/bytes.ts";
import { hasCode } from "../core/errors.ts";
import type { ComputeHost } from "../core/ports.ts";
import type { Drift, StepContext } from "../core/resource.ts";
import type { VolumeRef } from "../core/volume-backend.ts";
import { findHostPool } from "../volumes/pool-place.ts";
import { isBeingAdopted } from "./adoption.ts";
import type { ServerInputs, ServerOutputs } from "./server-fields.ts";
import { declaredBytes, findFlavor, nameRootDisk, requireHost } from "./server-view.ts";

type Context = StepContext<ServerInputs, ServerOutputs>;

/** A client of Ceph that was killed counts as there for 30 s. */
const releaseSeconds = 45;
const retryMs = 1_000;

/**
 * Id of the pool that the server's root disk is in, or will be: the flavor's, else its host's; `undefined` for a file on the host. One that is there
 * stays where it is.
 */
export function chooseRootPool({ inputs, outputs, record, world }: Context): string | undefined {
  if (record.applied !== undefined) return outputs.blockDevices?.[0]?.storagePool;
  if (inputs.bootVolume !== undefined || isBeingAdopted(record, outputs)) return undefined;
  const ofHost = outputs.hostId === undefined ? undefined : findHostPool(outputs.hostId, world)?.id;
  return findFlavor(inputs.flavor, world)?.storagePool ?? ofHost;
}

/**
 * The root disk in its pool is there: cloned from the image or blank, with the size that it is to have. One that is larger stays so, and one that grows
 * is shown to its guest at once. Gives its size in bytes.
 */
export async function ensureRootDisk(context: Context, poolId: string, imageBytes: number): Promise<number> {
  const { inputs, outputs, record, world, cloudId, ports, signal, progress } = context;
  const host = requireHost(outputs, world, cloudId);
  const disk = nameRootDisk(record.id, poolId, world, cloudId);
  const found =
    record.applied === undefined ? undefined : await ports.volumes.observeVolume(host, disk, signal);
  const declared = declaredBytes(findFlavor(inputs.flavor, world)?.diskGib ?? 0, imageBytes) ?? 0;
  const sizeBytes = Math.max(declared, found?.sizeBytes ?? 0, outputs.blockDevices?.[0]?.sizeBytes ?? 0);
  if (found !== undefined && found.sizeBytes === sizeBytes) return sizeBytes;
  const parent = outputs.cachedImage?.parent;
  progress(found === undefined ? "making the root disk" : "growing the root disk");
  await ports.volumes.ensureVolume(
    host,
    {
      ...disk,
      // The image's own size need not be whole.
      sizeGib: sizeBytes === imageBytes ? 0 : Math.ceil(sizeBytes / bytesPerGib),
      source: parent === undefined ? { kind: "blank" } : { kind: "parent", parent },
    },
    progress,
    signal,
  );
  if (found !== undefined) await ports.domains.resizeVolume(host, record.id, record.id, sizeBytes, signal);
  return sizeBytes;
}

/** Removes the root disk from its pool, where there is one. A client that was killed is waited for. */
export async function removeRootDisk(context: Context): Promise<void> {
  const { outputs, record, world, cloudId, ports, signal } = context;
  const poolId = outputs.blockDevices?.[0]?.storagePool ?? chooseRootPool(context);
  if (poolId === undefined || outputs.hostId === undefined) return;
  const host = requireHost(outputs, world, cloudId);
  const disk = nameRootDisk(record.id, poolId, world, cloudId);
  await removeOnceLetGo(context, host, disk, () => ports.volumes.removeVolume(host, disk, signal));
}

/** Carries out the removal of a disk that `host` reaches, again while its last client has not let go. Raises what the removal raises. */
export async function removeOnceLetGo(
  { ports, signal, progress }: Context,
  host: ComputeHost,
  disk: VolumeRef,
  remove: () => Promise<void>,
): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += retryMs) {
    try {
      await remove();
      return;
    } catch (error) {
      if (!hasCode(error, "in-use") || waitedMs >= releaseSeconds * 1000) throw error;
      const found = await ports.volumes.observeVolume(host, disk, signal);
      if (found === undefined || found.holders.length === 0) throw error;
    }
    if (waitedMs === 0) progress("waiting for the disk's last client to let go");
    await sleep(retryMs, undefined, { signal });
  }
}

/** What of a root disk in a pool is not as the last apply left it. */
export async function observeRootDisk(context: Context, host: ComputeHost): Promise<readonly Drift[]> {
  const { outputs, record, world, cloudId, ports, signal } = context;
  const [root] = outputs.blockDevices ?? [];
  if (root?.storagePool === undefined) return [];
  const disk = nameRootDisk(record.id, root.storagePool, world, cloudId);
  const found = await ports.volumes.observeVolume(host, disk, signal);
  if (found === undefined) {
    const repair = `makes it anew, ${root.source === "blank" ? "blank" : "of the image"}: what it held is gone`;
    return [{ field: "disk", expected: "present", found: "missing", repair, label: "data-loss" }];
  }
  const expected = root.sizeBytes ?? found.sizeBytes;
  if (found.sizeBytes === expected) return [];
  return [
    {
      field: "diskBytes",
      expected: String(expected),
      found: String(found.sizeBytes),
      repair:
        found.sizeBytes < expected
          ? "grows the disk"
          : "keeps it, since disks never shrink, and takes note of its size",
      label: "live",
    },
  ];
}
