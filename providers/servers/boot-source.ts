import { z } from "zod";
import { brandId, type CloudId } from "../core/ids.ts";
import { requireEntry, type World, type WorldEntry } from "../core/resource.ts";
import { listPoolClients } from "../volumes/pool-place.ts";
import { listReach, placeVolume, type PlacedVolume } from "../volumes/volume-place.ts";
import { findTypePool } from "../volumes/volume-source.ts";

/** What a server's inputs say of what it boots. */
export interface BootInputs {
  readonly image?: string | undefined;
  readonly bootVolume?:
    { readonly volume?: string | undefined; readonly volumeType?: string | undefined } | undefined;
}

/** What a server's outputs say of it. */
export interface BootOutputs {
  readonly hostId?: string | undefined;
  readonly blockDevices?: readonly { readonly volume?: string | undefined }[] | undefined;
}

/** What a volume was made of, and a snapshot. */
const sourceInputs = z.object({
  image: z.string().optional(),
  snapshot: z.string().optional(),
  volume: z.string().optional(),
});

/** Longest line of volumes and snapshots that is followed; a cycle cannot be declared. */
const maxSources = 64;

/**
 * The image that a server boots: its own, or that which its boot volume was made of, be it by way of snapshots and other volumes (nova:
 * `volume_image_metadata`). `undefined` for a volume that was blank.
 */
export function findBootImage({ image, bootVolume }: BootInputs, world: World): WorldEntry | undefined {
  if (image !== undefined) return world.find("image", image);
  let entry = bootVolume?.volume === undefined ? undefined : world.find("volume", bootVolume.volume);
  for (let followed = 0; entry !== undefined && followed < maxSources; followed++) {
    const source = sourceInputs.parse(entry.inputs);
    if (source.image !== undefined) return world.find("image", source.image);
    entry =
      source.snapshot === undefined
        ? source.volume === undefined
          ? undefined
          : world.find("volume", source.volume)
        : world.find("snapshot", source.snapshot);
  }
  return undefined;
}

/**
 * Names of the hosts that reach the root disk of a server, in the pool of its flavor or in a volume, where it takes no disk of its host; `null` when it
 * is a file.
 */
export function listStorageHosts(
  { bootVolume }: BootInputs,
  poolId: string | undefined,
  world: World,
): readonly string[] | null {
  const volume = bootVolume?.volume === undefined ? undefined : world.find("volume", bootVolume.volume);
  if (volume !== undefined) return listReach(volume, world).map(({ name }) => name);
  const pool =
    bootVolume?.volumeType === undefined ? poolId : (findTypePool(bootVolume.volumeType, world) ?? undefined);
  return pool === undefined ? null : listPoolClients(pool, world).map(({ name }) => name);
}

/**
 * The volume that a server boots; `undefined` for one that boots its image, and while the one that it makes for itself is not made. Raises
 * `unknown-reference`.
 */
export function placeBootVolume(
  { bootVolume }: BootInputs,
  { hostId, blockDevices: [root] = [] }: BootOutputs,
  world: World,
  cloudId: CloudId,
): PlacedVolume | undefined {
  if (bootVolume?.volume !== undefined)
    return placeVolume(requireEntry("volume", bootVolume.volume, world, "bootVolume.volume"), world, cloudId);
  if (bootVolume?.volumeType === undefined || root?.volume === undefined) return undefined;
  // As its record says, which a preview does not have.
  const inputs = { volumeType: bootVolume.volumeType, host: hostId };
  return placeVolume({ id: brandId(root.volume), inputs }, world, cloudId);
}
