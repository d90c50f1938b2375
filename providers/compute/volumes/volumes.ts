import type { RbdPlace, VolumePlace, VolumesPort } from "../../core/volume-backend.ts";
import type { HostPool } from "../../hosts/pool.ts";
import { openFileVolumes } from "./file/file-volumes.ts";
import { findImage, importImage, removeImage } from "./rbd/rbd-import.ts";
import { openRbdVolumes } from "./rbd/rbd-volumes.ts";
import { openVolumeSecrets } from "./volume-secret.ts";
import type { VolumeBackend } from "./volume-backend.ts";

/** Volumes in whichever place they lie. */
export function openVolumes(pool: HostPool): VolumesPort {
  const at = (place: VolumePlace): VolumeBackend => chooseBackend(pool, place);
  return {
    ensureVolume: (host, spec, ...rest) => at(spec.place).ensureVolume(host, spec, ...rest),
    observeVolume: (host, volume, ...rest) => at(volume.place).observeVolume(host, volume, ...rest),
    removeVolume: (host, volume, ...rest) => at(volume.place).removeVolume(host, volume, ...rest),
    removeHalfMade: (host, volume, ...rest) => at(volume.place).removeHalfMade(host, volume, ...rest),
    ensureSnapshot: (host, volume, ...rest) => at(volume.place).ensureSnapshot(host, volume, ...rest),
    removeSnapshot: (host, volume, ...rest) => at(volume.place).removeSnapshot(host, volume, ...rest),
    listChildren: (host, volume, ...rest) => at(volume.place).listChildren(host, volume, ...rest),
    flattenVolume: (host, volume, ...rest) => at(volume.place).flattenVolume(host, volume, ...rest),
    growVolume: (host, volume, ...rest) => at(volume.place).growVolume(host, volume, ...rest),
    ...openVolumeSecrets(pool),
    listVolumes: (host, place, signal) => at(place).listVolumes(host, signal),
    importImage: (host, place: RbdPlace, ...rest) => importImage(pool, host, place, ...rest),
    findImage: (host, place, ...rest) => findImage(pool, host, place, ...rest),
    removeImage: (host, place, ...rest) => removeImage(pool, host, place, ...rest),
  };
}

function chooseBackend(pool: HostPool, place: VolumePlace): VolumeBackend {
  switch (place.backend) {
    case "file":
      return openFileVolumes(pool);
    case "rbd":
      return openRbdVolumes(pool, place);
  }
}
