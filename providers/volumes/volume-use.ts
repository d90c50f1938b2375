import { z } from "zod";
import { brandId, type ResourceId } from "../core/ids.ts";
import type { World, WorldEntry } from "../core/resource.ts";

/** A server that has a volume. */
export interface VolumeUser {
  readonly server: WorldEntry;
  /** Id of its disk that the volume is: the volume's, or the server's own for the root disk. */
  readonly diskId: ResourceId;
}

const attachmentInputs = z.object({ server: z.string(), volume: z.string() });
const serverInputs = z.object({ bootVolume: z.object({ volume: z.string() }).optional() });

/** The servers that have a volume: as a further disk, or as the one they boot. */
export function listVolumeUsers(volumeId: ResourceId, world: World): readonly VolumeUser[] {
  const attached = world.all("volume-attachment").flatMap(({ inputs }) => {
    const { server: serverId, volume } = attachmentInputs.parse(inputs);
    const server = volume === volumeId ? world.find("server", serverId) : undefined;
    return server === undefined ? [] : [{ server, diskId: volumeId }];
  });
  const booted = world
    .all("server")
    .filter(({ inputs }) => serverInputs.parse(inputs).bootVolume?.volume === volumeId)
    .map((server) => ({ server, diskId: brandId<"resource">(server.id) }));
  return [...attached, ...booted];
}
