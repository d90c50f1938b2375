import { z } from "zod";
import { isJsonObject } from "../core/json.ts";
import type { World, WorldEntry } from "../core/resource.ts";
import { readImageNeeds } from "../images/image.ts";

/** What a volume is made of, by the inputs of its record. At most one is set. */
export interface SourceInputs {
  readonly image?: string | undefined;
  readonly snapshot?: string | undefined;
  readonly volume?: string | undefined;
}

const placeInputs = z.object({ volumeType: z.string(), host: z.string().optional() });
const snapshotInputs = z.object({ volume: z.string() });
const sized = z.object({ sizeGib: z.int().optional() });

/** Which of the sources is named; `undefined` for a blank volume. */
export function nameSource({ image, snapshot, volume }: SourceInputs): keyof SourceInputs | undefined {
  if (image !== undefined) return "image";
  if (snapshot !== undefined) return "snapshot";
  return volume === undefined ? undefined : "volume";
}

/** The volume that a snapshot is of. */
export function findSnapshotVolume({ inputs }: WorldEntry, world: World): WorldEntry | undefined {
  return world.find("volume", snapshotInputs.parse(inputs).volume);
}

/** The volume that another is made of, be it by its snapshot. */
export function findSourceVolume({ snapshot, volume }: SourceInputs, world: World): WorldEntry | undefined {
  if (volume !== undefined) return world.find("volume", volume);
  const entry = snapshot === undefined ? undefined : world.find("snapshot", snapshot);
  return entry === undefined ? undefined : findSnapshotVolume(entry, world);
}

/** Least size in GiB of what is made of the source; `undefined` for a blank volume, and while it is not known. */
export function findSourceGib(source: SourceInputs, world: World): number | undefined {
  if (source.image !== undefined) {
    const entry = world.find("image", source.image);
    const needs = entry === undefined ? undefined : readImageNeeds(entry);
    return needs?.virtualSizeBytes === undefined ? undefined : needs.minDiskGib;
  }
  const snapshot = source.snapshot === undefined ? undefined : world.find("snapshot", source.snapshot);
  const volume = findSourceVolume(source, world);
  // A qcow2 file has one size for all of its snapshots.
  const isFile =
    volume !== undefined && findTypePool(placeInputs.parse(volume.inputs).volumeType, world) === null;
  return (isFile ? undefined : readGib(snapshot?.outputs)) ?? readGib(volume?.inputs);
}

function readGib(values: unknown): number | undefined {
  return sized.safeParse(values).data?.sizeGib;
}

/** Whether the source is one that servers can boot (cinder: `bootable`). */
export function isBootableSource(source: SourceInputs, world: World): boolean {
  return source.image !== undefined || findSourceVolume(source, world)?.outputs["bootable"] === true;
}

/** Why there is no disk to be had of an image; `undefined` when there is. */
export function rejectImage(imageId: string, world: World): string | undefined {
  const entry = world.find("image", imageId);
  return entry === undefined || isJsonObject(entry.inputs["disk"])
    ? undefined
    : "has a kernel, and no disk that a volume could be made of";
}

/** Why a volume with these inputs cannot be made of another: snapshots and copies stay in their pool, or on their host. */
export function rejectPlace(
  inputs: z.infer<typeof placeInputs>,
  source: WorldEntry,
  world: World,
): string | undefined {
  const [own, other] = [readPlace(inputs, world), readPlace(placeInputs.parse(source.inputs), world)];
  if (own === undefined || other === undefined) return undefined;
  if (own.kind === other.kind && own.id === other.id) return undefined;
  const name = JSON.stringify(source.name);
  return `lies elsewhere: volume ${name} is ${describePlace(other, world)}, and this one ${describePlace(own, world)}`;
}

interface Place {
  readonly kind: "storage-pool" | "host";
  readonly id: string | undefined;
}

function readPlace({ volumeType, host }: z.infer<typeof placeInputs>, world: World): Place | undefined {
  const pool = findTypePool(volumeType, world);
  if (pool === undefined) return undefined;
  return pool === null ? { kind: "host", id: host } : { kind: "storage-pool", id: pool };
}

/** Pool of a volume type; `null` for one that keeps files, `undefined` for none that can be seen. */
export function findTypePool(volumeType: string, world: World): string | null | undefined {
  const entry = world.find("volume-type", volumeType);
  if (entry === undefined) return undefined;
  return z.object({ storagePool: z.string().optional() }).parse(entry.inputs).storagePool ?? null;
}

function describePlace({ kind, id }: Place, world: World): string {
  const name = id === undefined ? undefined : (world.find(kind, id)?.name ?? id);
  return kind === "host" ? `a file on host ${name ?? "(none)"}` : `in pool ${name ?? ""}`;
}
