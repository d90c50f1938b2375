import { z } from "zod";
import type { ResourceId } from "../core/ids.ts";
import type { World, WorldEntry } from "../core/resource.ts";

const attachmentInputs = z.object({ server: z.string(), volume: z.string() });
const serverInputs = z.object({ bootVolume: z.object({ volume: z.string().optional() }).optional() });

/** The servers that have a volume: as a further disk, or as the one they boot. */
export function listVolumeUsers(volumeId: ResourceId, world: World): readonly WorldEntry[] {
  const attached = world.all("volume-attachment").flatMap(({ inputs }) => {
    const { server, volume } = attachmentInputs.parse(inputs);
    return volume === volumeId ? (world.find("server", server) ?? []) : [];
  });
  const owner = world.find("volume", volumeId)?.owner;
  const booted = world
    .all("server")
    .filter(({ id, inputs }) => id === owner || serverInputs.parse(inputs).bootVolume?.volume === volumeId);
  return [...attached, ...booted];
}

/** The server that has made the volume for itself, in words; `undefined` for a volume that was declared. */
export function describeOwner(volumeId: string, world: World): string | undefined {
  const owner = world.find("volume", volumeId)?.owner;
  if (owner === undefined) return undefined;
  const server = world.find("server", owner);
  return `server ${server === undefined ? owner : JSON.stringify(server.name)}`;
}
