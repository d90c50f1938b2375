import { bytesPerGib } from "../core/bytes.ts";
import { describeForeign, isForeign } from "../core/drift.ts";
import { diffInputs } from "../core/diff.ts";
import { hasCode, StackyardError } from "../core/errors.ts";
import { deriveOwnedId, type ResourceId } from "../core/ids.ts";
import type { ComputeHost } from "../core/ports.ts";
import type { CompletionContext, Drift, Rule, StepContext, World, WorldEntry } from "../core/resource.ts";
import { placeVolume } from "../volumes/volume-place.ts";
import { findSourceGib, findTypePool, rejectImage } from "../volumes/volume-source.ts";
import { describeOwner } from "../volumes/volume-use.ts";
import { removeOnceLetGo } from "./root-disk.ts";
import {
  goesWithServer,
  serverInputs,
  type BootVolume,
  type ServerInputs,
  type ServerOutputs,
} from "./server-fields.ts";
import { findFlavor, requireHost } from "./server-view.ts";

type Context = StepContext<ServerInputs, ServerOutputs>;

/** Most characters of a server's name in that of its volume, so that names stay within 255 code units. */
const maxNamePart = 120;

/** What must hold of the volume that a server boots. */
export const bootVolumeRules: readonly Rule<ServerInputs>[] = [
  {
    field: "image",
    says: "It boots an image, a volume that is there, or a volume that it makes of its image.",
    reads: ["image", "bootVolume"],
    remedy: "Name an image, or a bootVolume.volume; beside a bootVolume.volumeType the image.",
    violated: ({ image, bootVolume }) => {
      if (image !== undefined)
        return bootVolume?.volume === undefined ? undefined : "is named beside a bootVolume";
      if (bootVolume === undefined) return "is missing";
      return bootVolume.volumeType === undefined ? undefined : "is missing: the boot volume is made of it";
    },
  },
  {
    field: "bootVolume",
    says: "A boot volume is a volume that is there, or is made by its type: exactly one of volume and volumeType.",
    reads: ["bootVolume"],
    remedy: "Name a volume, or the volumeType of one that the server makes of its image.",
    violated: ({ bootVolume }) => {
      if (bootVolume === undefined) return undefined;
      const { volume, volumeType } = bootVolume;
      if (volume === undefined)
        return volumeType === undefined ? "names neither a volume nor a volumeType" : undefined;
      return volumeType === undefined
        ? undefined
        : { field: "bootVolume.volumeType", problem: "is set beside a volume" };
    },
  },
  {
    field: "bootVolume",
    says: "Only of a volume that the server makes it says how large it is, and whether it goes with the server.",
    reads: ["bootVolume"],
    remedy: "Leave it out: the volume has a size of its own, and outlives the server.",
    violated: ({ bootVolume }) => {
      const key = (["sizeGib", "deleteOnTermination"] as const).find(
        (name) => bootVolume?.[name] !== undefined,
      );
      return bootVolume?.volume === undefined || key === undefined
        ? undefined
        : { field: `bootVolume.${key}`, problem: "is set beside a volume" };
    },
  },
  {
    field: "image",
    says: "A boot volume is made of an image that has a disk.",
    reads: ["image", "bootVolume"],
    violated: ({ image, bootVolume }, { world }) =>
      image === undefined || bootVolume?.volumeType === undefined ? undefined : rejectImage(image, world),
  },
  {
    field: "bootVolume",
    says: "A boot volume is at least as large as its image needs.",
    reads: ["image", "bootVolume"],
    remedy: "Set a larger sizeGib, or leave it out.",
    violated: ({ image, bootVolume }, { world }) => {
      const least = image === undefined ? undefined : findSourceGib({ image }, world);
      const sizeGib = bootVolume?.sizeGib;
      return least === undefined || sizeGib === undefined || sizeGib >= least
        ? undefined
        : {
            field: "bootVolume.sizeGib",
            problem: `is ${String(sizeGib)}; the image needs ${String(least)} GiB`,
          };
    },
  },
  {
    field: "bootVolume",
    says: "A boot volume never shrinks.",
    reads: ["image", "bootVolume"],
    remedy: "Keep the size.",
    violated: (desired, { id, world }) => {
      const sizeGib = desired.bootVolume?.sizeGib;
      const known = findKeptGib(desired, id, world);
      return sizeGib === undefined || known === undefined || sizeGib >= known
        ? undefined
        : {
            field: "bootVolume.sizeGib",
            problem: `is ${String(sizeGib)}; the volume has ${String(known)} GiB`,
          };
    },
  },
  {
    field: "bootVolume",
    says: "A volume that a server has made for itself is that server's alone.",
    reads: ["bootVolume"],
    remedy: "Name another volume, or make one of a snapshot of it.",
    violated: ({ bootVolume }, { world }) => {
      const owner = bootVolume?.volume === undefined ? undefined : describeOwner(bootVolume.volume, world);
      return owner === undefined
        ? undefined
        : {
            field: "bootVolume.volume",
            problem: `is the boot volume of ${owner}, which has made it for itself`,
          };
    },
  },
];

/** The boot volume with its size filled in, where that is known. */
export function completeBootVolume(
  draft: Partial<ServerInputs>,
  { id, world }: CompletionContext,
): BootVolume | undefined {
  const { bootVolume, flavor, image } = draft;
  if (bootVolume?.volumeType === undefined || bootVolume.sizeGib !== undefined) return bootVolume;
  const least = image === undefined ? undefined : findSourceGib({ image }, world);
  const diskGib = flavor === undefined ? undefined : findFlavor(flavor, world)?.diskGib;
  const chosen = least === undefined || diskGib === undefined ? undefined : Math.max(least, diskGib);
  const sizeGib = findKeptGib(draft, id, world) ?? chosen;
  return sizeGib === undefined ? bootVolume : { ...bootVolume, sizeGib };
}

/** Size in GiB of the volume that the server has made, where it keeps that with these inputs. */
function findKeptGib(desired: Partial<ServerInputs>, id: ResourceId, world: World): number | undefined {
  const before = world.find("server", id);
  const known = findOwnVolume(id, world)?.outputs["sizeGib"];
  if (before === undefined || typeof known !== "number") return undefined;
  return diffInputs({ inputs: serverInputs }, before.inputs, desired).action === "replace"
    ? undefined
    : known;
}

/** Whether the volume that a server has made stays when that is removed. One whose server never ran holds nothing, and goes. */
export function keepsBootVolume({
  inputs: { bootVolume },
  outputs: { launchedAt },
}: {
  readonly inputs: Pick<ServerInputs, "bootVolume">;
  readonly outputs: Pick<Partial<ServerOutputs>, "launchedAt">;
}): boolean {
  return bootVolume !== undefined && !goesWithServer(bootVolume) && launchedAt !== undefined;
}

/**
 * The volume that the server makes for itself is there, with the size that it is to have: a resource of the project, whose own flow makes it. Gives
 * its id. Looks at one that is there from the server's host: that is the one that has to reach it. Raises `wrong-state` while the size of the image is not known.
 */
export async function ensureBootVolume(context: Context, volumeType: string): Promise<ResourceId> {
  const { inputs, outputs, record, world, cloudId, ports, owned, signal } = context;
  const host = requireHost(outputs, world, cloudId);
  const known = findOwnVolume(record.id, world);
  const id = known?.id ?? chooseId(record, world);
  const sizeGib = requireSize(inputs);
  const place = findTypePool(volumeType, world) === null ? { host: host.id } : {};
  if (known?.status === "active" && known.inputs["sizeGib"] === sizeGib) {
    const found = await ports.volumes.observeVolume(host, placeVolume(known, world, cloudId).ref, signal);
    if (found?.sizeBytes === sizeGib * bytesPerGib) return id;
  }
  await owned.ensure("volume", id, {
    ...(known === undefined ? { name: chooseName(record, world), project: record.projectId } : {}),
    ...{ volumeType, image: inputs.image, sizeGib, ...place },
  });
  return id;
}

/** Raises `wrong-state` while the size of the image is not known. */
function requireSize({ bootVolume }: ServerInputs): number {
  if (bootVolume?.sizeGib !== undefined) return bootVolume.sizeGib;
  throw new StackyardError("wrong-state", {
    message: "the size of the image that the boot volume is made of is not known yet",
    field: "bootVolume.sizeGib",
  });
}

/** The volume that a server has made for itself. */
function findOwnVolume(serverId: ResourceId, world: World): WorldEntry | undefined {
  return world.all("volume").find(({ owner }) => owner === serverId);
}

/** An id that follows from the server's: the next one where volumes have stayed of earlier servers of that id. */
function chooseId({ id, projectId }: Context["record"], world: World): ResourceId {
  for (let stayed = 0; ; stayed++) {
    const candidate = deriveOwnedId<"resource">(projectId ?? id, "boot volume", id, String(stayed));
    if (world.find("volume", candidate) === undefined) return candidate;
  }
}

/** `SERVER-boot`, with a number where the project has such a volume: that of the server in whose place this one comes, or one that has stayed. */
function chooseName({ id, name, projectId }: Context["record"], world: World): string {
  const base = `${Array.from(name).slice(0, maxNamePart).join("")}-boot`;
  for (let others = 1; ; others++) {
    const candidate = others === 1 ? base : `${base}-${String(others)}`;
    if (world.holder("volume-name", projectId ?? id, candidate) === undefined) return candidate;
  }
}

/** Takes back the volume that a build has made, whatever is declared of it: nothing has run on it. */
export async function undoBootVolume(context: Context): Promise<void> {
  const known = findOwnVolume(context.record.id, context.world);
  if (known !== undefined) await removeOwnVolume(context, known);
}

/** Removes the volume that the server has made, or leaves it to the project, as declared. */
export async function removeBootVolume(context: Context): Promise<void> {
  const { inputs, outputs, record, world, owned, progress } = context;
  const known = findOwnVolume(record.id, world);
  if (known === undefined) return;
  if (!keepsBootVolume({ inputs, outputs })) {
    await removeOwnVolume(context, known);
    return;
  }
  progress(
    `volume ${JSON.stringify(known.name)} (${known.id}) stays in the project, as deleteOnTermination is false`,
  );
  await owned.release(known.id, { status: "available" });
}

async function removeOwnVolume(context: Context, known: WorldEntry): Promise<void> {
  const { world, cloudId, owned } = context;
  const { host, ref } = placeVolume(known, world, cloudId);
  await removeOnceLetGo(context, host, ref, () => owned.remove(known.id));
}

/** What of the volume that the server has made is not as the last apply left it. */
export async function observeBootVolume(
  { inputs: { bootVolume }, record, world, cloudId, ports, signal }: Context,
  host: ComputeHost,
): Promise<readonly Drift[]> {
  const known = findOwnVolume(record.id, world);
  if (bootVolume?.sizeGib === undefined || known === undefined) return [];
  const absent = { field: "bootVolume", expected: "present", found: "missing" };
  const { ref } = placeVolume(known, world, cloudId);
  try {
    const found = await ports.volumes.observeVolume(host, ref, signal);
    if (found === undefined)
      return [{ ...absent, repair: "makes it anew of the image: what it held is gone", label: "data-loss" }];
    const expected = bootVolume.sizeGib * bytesPerGib;
    if (found.sizeBytes === expected) return [];
    const size = { field: "bootVolume.sizeGib", expected: String(expected), found: String(found.sizeBytes) };
    const least = Math.ceil(found.sizeBytes / bytesPerGib);
    return found.sizeBytes < expected
      ? [{ ...size, repair: "grows it", label: "live" }]
      : [{ ...size, repair: `stops, since volumes never shrink: set sizeGib to ${String(least)}` }];
  } catch (error) {
    if (isForeign(error)) return [describeForeign("volume", error)];
    if (!hasCode(error, "not-found")) throw error;
    return [{ ...absent, repair: "stops: the pool that it was in is not there" }];
  }
}
