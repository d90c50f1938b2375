import { posix } from "node:path";
import type { ResourceId } from "./ids.ts";
import type { VolumeRef } from "./volume-backend.ts";

/** Folder of all volumes that are files, under a host's folder. */
export function volumesFolder(folder: string): string {
  return posix.join(folder, "volumes");
}

/** Folder of a volume that is a file. */
export function volumeFolder(folder: string, volumeId: string): string {
  return posix.join(volumesFolder(folder), volumeId);
}

/** A volume that is a file; its name while it is being made ends in `.part`. */
export function volumeFile(folder: string, volumeId: string): string {
  return posix.join(volumeFolder(folder, volumeId), "disk");
}

/** Name of a volume's RBD image. */
export function nameImage({ id, name }: Omit<VolumeRef, "place">): string {
  return name ?? `volume-${id}`;
}

/** Name of a snapshot within its volume (cinder: `snapshot_name_template`). */
export function nameSnapshot(snapshotId: ResourceId): string {
  return `snapshot-${snapshotId}`;
}

/** Where a volume lies: its file on the host, an absolute path, or `POOL/IMAGE`. */
export function locateVolume({ folder }: { readonly folder: string }, volume: VolumeRef): string {
  return volume.place.backend === "file"
    ? volumeFile(folder, volume.id)
    : `${volume.place.pool}/${nameImage(volume)}`;
}
