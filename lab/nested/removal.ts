import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pruneLayers } from "./disks.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import {
  listSnapshotNames,
  listSnapshots,
  readSnapshot,
  snapshotFileName,
  snapshotFolder,
} from "./snapshot-file.ts";

/** Removes layers that nothing stands on, unless there is a snapshot of which nobody knows what it stands on. */
export async function pruneDisks(plan: NestedPlan): Promise<void> {
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
