import { z } from "zod";
import type { ResourceId } from "../core/ids.ts";
import type { World, WorldEntry } from "../core/resource.ts";

const attachmentInputs = z.object({ server: z.string(), volume: z.string() });
const serverInputs = z.object({ bootVolume: z.object({ volume: z.string() }).optional() });

/** The servers that have a volume: as a further disk, or as the one they boot. */
export function listVolumeUsers(volumeId: ResourceId, world: World): readonly WorldEntry[] {
  const attached = world.all("volume-attachment").flatMap(({ inputs }) => {
    const { server, volume } = attachmentInputs.parse(inputs);
    return volume === volumeId ? (world.find("server", server) ?? []) : [];
  });
  const booted = world
    .all("server")
    .filter(({ inputs }) => serverInputs.parse(inputs).bootVolume?.volume === volumeId);
  return [...attached, ...booted];
}
