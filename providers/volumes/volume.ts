import { z } from "zod";
import { bytesPerGib, describeSize } from "../core/bytes.ts";
import { descriptionField, idSchema, nameField, projectField, reserveName } from "../core/common-fields.ts";
import { diffInputs } from "../core/diff.ts";
import { describeForeign, isForeign } from "../core/drift.ts";
import { cephCodes, hasCode, hostCodes, imageCodes, StackyardError } from "../core/errors.ts";
import { field, type ChangeRule } from "../core/fields.ts";
import { brandId, type ResourceId } from "../core/ids.ts";
import { countOne } from "../core/quota.ts";
import {
  defineResource,
  requireEntry,
  type Drift,
  type Observation,
  type StepContext,
  type World,
  type WorldEntry,
} from "../core/resource.ts";
import { maxVolumeGib, type VolumeObservation, type VolumeSource } from "../core/volume-backend.ts";
import { locateVolume } from "../core/volume-location.ts";
import { toImageSpec } from "../images/image.ts";
import { ensureImageInPool } from "../images/rbd-image.ts";
import { requireHost } from "../servers/server-view.ts";
import { placeVolume, rejectKey, type PlacedVolume } from "./volume-place.ts";
import {
  findSourceGib,
  findSourceVolume,
  findTypePool,
  isBootableSource,
  nameSource,
  rejectImage,
  rejectPlace,
} from "./volume-source.ts";
import { listVolumeUsers } from "./volume-use.ts";

/** A source that is left out later is needed no more, and the volume keeps its data; another one would bring other data. */
const sourceChange: ChangeRule = {
  says: "`live` when it is left out: the volume then gets all data of what it lies on; else `data-loss`",
  isIdentity: true,
  label: (_from, to) => (to === undefined ? "live" : "data-loss"),
};

const inputs = z.strictObject({
  name: nameField({ doc: "Name, unique among the project's volumes." }),
  project: projectField("data-loss"),
  description: descriptionField(),
  volumeType: field(idSchema(), {
    doc: "Type: where it lies, how fast it is, whether servers share it.",
    references: "volume-type",
    change: "data-loss",
  }),
  sizeGib: field(z.int().min(1).max(maxVolumeGib).optional(), {
    doc: "Size in GiB, at least 1. It grows while servers have it, and never shrinks. Needed for a blank volume. Default: as large as its source takes.",
    computed: "plan",
  }),
  image: field(idSchema().optional(), {
    doc: "Image whose disk it is made of. At most one of image, snapshot and volume; with none it is blank.",
    references: "image",
    change: sourceChange,
  }),
  snapshot: field(idSchema().optional(), {
    doc: "Snapshot that it is made of, in the same pool or on the same host: a clone in a pool, a copy of a file.",
    references: "snapshot",
    change: sourceChange,
  }),
  volume: field(idSchema().optional(), {
    doc: "Volume that it is a copy of, in the same pool or on the same host. What servers write meanwhile may be in the copy or not; one in a file is copied while no server has it.",
    references: "volume",
    change: sourceChange,
  }),
  host: field(idSchema().optional(), {
    doc: "Host with its file, and with the servers that can have it. For a type without a pool, and needed there; hosts are the administrator's to name.",
    references: "host",
    change: "data-loss",
  }),
});

const outputs = z.strictObject({
  status: field(z.enum(["available", "in-use", "error"]), {
    doc: "Cinder's status: `in-use` while a server has it, `error` when it is missing or not this cloud's.",
  }),
  sizeGib: field(z.int(), { doc: "Size that the last apply left it with, GiB.", follows: ["sizeGib"] }),
  bootable: field(z.boolean(), {
    doc: "Whether it was made of an image, be it by way of snapshots and other volumes.",
    follows: [],
  }),
  backend: field(z.enum(["file", "rbd"]), {
    doc: "How it is kept: a qcow2 `file`, or an image of a pool, `rbd`.",
    follows: [],
  }),
  location: field(z.string(), {
    doc: "Where it lies: a path on its host, or `POOL/IMAGE`.",
    follows: [],
  }),
  baseImage: field(z.string().optional(), {
    doc: "Image whose file in the host's cache its own file lies on.",
    references: "image",
    follows: ["image"],
  }),
});

export type VolumeInputs = z.infer<typeof inputs>;
export type VolumeOutputs = z.infer<typeof outputs>;
type Context = StepContext<VolumeInputs, VolumeOutputs>;

/** A disk that outlives servers. */
export const volume = defineResource({
  type: "volume",
  plural: "volumes",
  service: "block-storage",
  summary:
    "A disk that outlives servers: blank, or made of an image, a snapshot or another volume; in a pool of a Ceph cluster, or in a file on a host.",
  scope: "project",
  inputs,
  outputs,
  rules: [
    ...(["image", "snapshot", "volume"] as const).map((key) => ({
      field: key,
      says: `A volume that is made of ${key === "image" ? "an image" : `a ${key}`} is made of nothing else.`,
      reads: ["image", "snapshot", "volume"],
      remedy: "Name one source, or none.",
      violated: (desired: VolumeInputs) => {
        const first = nameSource(desired);
        return desired[key] === undefined || first === key ? undefined : `is set beside ${first ?? ""}`;
      },
    })),
    {
      field: "image",
      says: "The image has a disk.",
      reads: ["image"],
      violated: ({ image }, { world }) => (image === undefined ? undefined : rejectImage(image, world)),
    },
    {
      field: "volume",
      says: "A volume is no copy of itself.",
      reads: ["volume"],
      violated: ({ volume: source }, { id }) => (source === id ? "is the volume itself" : undefined),
    },
    {
      field: "host",
      says: "A volume of a type without a pool is a file on a host, which it names.",
      reads: ["host", "volumeType"],
      remedy: "Name the host, or choose a type with a storagePool.",
      violated: ({ host, volumeType }, { world }) =>
        host === undefined && findTypePool(volumeType, world) === null
          ? "is missing: volumes of the type are files on hosts"
          : undefined,
    },
    {
      field: "host",
      says: "A volume in a pool is on no host.",
      reads: ["host", "volumeType"],
      remedy: "Leave host out, or choose a type without a storagePool.",
      violated: ({ host, volumeType }, { world }) =>
        host !== undefined && typeof findTypePool(volumeType, world) === "string"
          ? "is set, but volumes of the type lie in a pool"
          : undefined,
    },
    {
      field: "snapshot",
      says: "A snapshot or volume that a volume is made of lies in the same pool, or on the same host.",
      reads: ["snapshot", "volume", "volumeType", "host"],
      remedy: "Choose the type, and the host, of the volume that the data is of.",
      violated: (desired, { world }) => {
        const source = findSourceVolume(desired, world);
        const problem = source === undefined ? undefined : rejectPlace(desired, source, world);
        return problem === undefined ? undefined : { field: nameSource(desired) ?? "snapshot", problem };
      },
    },
    {
      field: "snapshot",
      says: "A snapshot or volume that a volume is made of is encrypted with the same key, or not at all as the volume itself.",
      reads: ["snapshot", "volume", "volumeType"],
      remedy:
        "Choose a type with the key of the volume that the data is of. To encrypt what is not, copy it in a server that has both volumes.",
      violated: (desired, { world }) => {
        const source = findSourceVolume(desired, world);
        const problem = source === undefined ? undefined : rejectKey({ inputs: desired }, source, world);
        return problem === undefined ? undefined : { field: nameSource(desired) ?? "snapshot", problem };
      },
    },
    {
      field: "sizeGib",
      says: "A blank volume has a size, and one with a source is no smaller than that.",
      reads: ["sizeGib", "image", "snapshot", "volume"],
      remedy: "Set a larger sizeGib, or leave it out where there is a source.",
      violated: (desired, { world }) => {
        const { sizeGib } = desired;
        const source = nameSource(desired);
        if (sizeGib === undefined)
          return source === undefined ? "is missing: the volume is blank" : undefined;
        const least = findSourceGib(desired, world);
        return source !== undefined && least !== undefined && sizeGib < least
          ? `is ${String(sizeGib)}; the ${source} needs ${String(least)} GiB`
          : undefined;
      },
    },
    {
      field: "sizeGib",
      says: "A volume never shrinks.",
      reads: ["sizeGib", "volumeType", "image", "snapshot", "volume", "host"],
      remedy: "Keep the size. For a smaller one make another volume, and copy what is to stay in a server.",
      violated: (desired, { id, world }) => {
        const before = world.find("volume", id);
        const known = before?.outputs["sizeGib"];
        const { sizeGib } = desired;
        if (before === undefined || typeof known !== "number" || sizeGib === undefined) return undefined;
        return sizeGib >= known || isMadeAnew(desired, before)
          ? undefined
          : `is ${String(sizeGib)}; the volume has ${String(known)} GiB`;
      },
    },
  ],
  complete: (draft, { world }) => {
    const sizeGib = draft.sizeGib ?? findSourceGib(draft, world);
    return { ...draft, ...(sizeGib === undefined ? {} : { sizeGib }) };
  },
  reservations: ({ name, project }) => reserveName("volume", project, name),
  quotas: { volumes: countOne, gigabytes: { amount: ({ sizeGib }) => sizeGib ?? 0 } },
  raises: [
    ...hostCodes,
    ...cephCodes,
    ...imageCodes,
    "not-found",
    "not-ours",
    "in-use",
    "wrong-state",
    "host-disk-full",
  ],
  reconcile: [
    {
      name: "volume",
      run: async (context) => {
        const { record, inputs: desired, outputs: known, world, cloudId, ports, signal } = context;
        const placed = placeVolume(record, world, cloudId);
        const found = await ports.volumes.observeVolume(placed.host, placed.ref, signal);
        if (found === undefined) return makeVolume(context, placed);
        const sizeGib = requireSize(desired);
        // Guests may not have been told yet of a volume that has grown.
        if (found.sizeBytes !== sizeGib * bytesPerGib || known.sizeGib !== sizeGib)
          await growVolume(context, placed, found);
        const isLeftOut = nameSource(desired) === undefined;
        if (isLeftOut && found.parent !== undefined) await flattenVolume(context);
        return describeMade(context, placed, isLeftOut ? undefined : known.baseImage);
      },
      undo: removeVolume,
    },
  ],
  remove: [{ name: "volume", run: (context) => removeVolume(context).then(() => undefined) }],
  observe: observeVolume,
  actions: {
    flatten: {
      doc: "Gives the volume all data of the image or snapshot that it lies on, which it then needs no more. In a pool at any time; in a file while no server that is on has it.",
      input: z.strictObject({}),
      run: async (context) => {
        await flattenVolume(context);
        return {};
      },
    },
  },
});

/** Whether a change makes the volume anew, so that its size is that of another. */
function isMadeAnew(desired: VolumeInputs, before: WorldEntry): boolean {
  return diffInputs({ inputs }, before.inputs, desired).action === "replace";
}

async function makeVolume(context: Context, placed: PlacedVolume): Promise<Partial<VolumeOutputs>> {
  const { inputs: desired, ports, signal, progress } = context;
  const source = await bringSource(context, placed);
  progress(`making the volume, of ${String(requireSize(desired))} GiB`);
  const spec = { ...placed.ref, sizeGib: requireSize(desired), source };
  await ports.volumes.ensureVolume(placed.host, spec, progress, signal);
  return describeMade(context, placed, source.kind === "image" ? desired.image : undefined);
}

/** What the volume is made of, where its backend can take it. */
async function bringSource(context: Context, { host }: PlacedVolume): Promise<VolumeSource> {
  const { inputs: desired, world, ports, signal, progress } = context;
  if (desired.image !== undefined) {
    const spec = toImageSpec(requireEntry("image", desired.image, context.world, "image"));
    const pool = findTypePool(desired.volumeType, world);
    if (typeof pool === "string")
      return { kind: "parent", parent: await ensureImageInPool(context, spec, host, pool) };
    const onlyDisk = { ...spec, kernel: undefined, initrd: undefined };
    const { diskPath: path } = await ports.images.ensureCached(host, onlyDisk, progress, signal);
    if (path === undefined || spec.disk === undefined)
      throw new StackyardError("wrong-state", { message: `image ${JSON.stringify(spec.name)} has no disk` });
    const { format, virtualSizeBytes } = spec.disk.facts;
    return { kind: "image", path, format, virtualSizeBytes };
  }
  const from = findSourceVolume(desired, world);
  if (from === undefined) return { kind: "blank" };
  if (desired.snapshot === undefined) return { kind: "volume", volume: { id: from.id } };
  return { kind: "snapshot", volume: { id: from.id }, snapshotId: brandId(desired.snapshot) };
}

async function flattenVolume({ record, world, cloudId, ports, signal, progress }: Context): Promise<void> {
  const { host, ref } = placeVolume(record, world, cloudId);
  progress("copying what the volume lies on into it");
  await ports.volumes.flattenVolume(host, ref, progress, signal);
}

/**
 * Grows the volume, unless it has the size, and tells the guests of the servers that have it. A file that a server holds is grown by that
 * server.
 */
async function growVolume(
  context: Context,
  { host, ref }: PlacedVolume,
  { sizeBytes, holders }: VolumeObservation,
): Promise<void> {
  const { record, inputs: desired, world, cloudId, ports, signal, progress } = context;
  const sizeGib = requireSize(desired);
  const wantedBytes = sizeGib * bytesPerGib;
  progress(`growing the volume to ${String(sizeGib)} GiB`);
  const users = listVolumeUsers(record.id, world).flatMap(({ id, outputs: { hostId } }) =>
    typeof hostId === "string" ? [{ id, on: requireHost({ hostId }, world, cloudId) }] : [],
  );
  const isHeld = ref.place.backend === "file" && holders.length > 0;
  const isByServer = isHeld && users.length > 0 && sizeBytes <= wantedBytes;
  if (!isByServer && sizeBytes !== wantedBytes) await ports.volumes.growVolume(host, ref, sizeGib, signal);
  for (const { id, on } of users) {
    await ports.domains.resizeVolume(on, id, record.id, wantedBytes, signal).catch((error: unknown) => {
      // One that is about to get the disk, or has let go of it, sees the new size.
      if (isByServer || !hasCode(error, "not-found")) throw error;
    });
  }
}

function describeMade(
  { record, inputs: desired, outputs: known, world }: Context,
  { host, ref }: PlacedVolume,
  baseImage: string | undefined,
): Partial<VolumeOutputs> {
  return {
    status: statusOf(record.id, world),
    sizeGib: requireSize(desired),
    bootable: known.bootable ?? isBootableSource(desired, world),
    backend: ref.place.backend,
    location: locateVolume(host, ref),
    baseImage,
  };
}

function statusOf(id: ResourceId, world: World): VolumeOutputs["status"] {
  return listVolumeUsers(id, world).length > 0 ? "in-use" : "available";
}

/** Raises `wrong-state` while the size of the source is not known. */
function requireSize({ sizeGib }: VolumeInputs): number {
  if (sizeGib !== undefined) return sizeGib;
  throw new StackyardError("wrong-state", {
    message: "the size of what the volume is made of is not known yet",
    field: "sizeGib",
  });
}

/** A pool that answered that it is not there has no volume either. */
async function removeVolume({ record, world, cloudId, ports, signal, progress }: Context): Promise<void> {
  const { host, ref } = placeVolume(record, world, cloudId);
  progress("removing the volume");
  await ports.volumes.removeVolume(host, ref, signal).catch((error: unknown) => {
    if (!hasCode(error, "not-found")) throw error;
  });
}

async function observeVolume(context: Context): Promise<Observation<VolumeInputs, VolumeOutputs>> {
  const { record, world, cloudId, ports, signal } = context;
  const { host, ref } = placeVolume(record, world, cloudId);
  const isFile = ref.place.backend === "file";
  const here = (drift: Drift): Drift => (isFile ? { ...drift, host: host.name } : drift);
  const broken = (drift: Drift): Observation<VolumeInputs, VolumeOutputs> => ({
    outputs: { status: "error" },
    drift: [here(drift)],
  });
  try {
    const found = await ports.volumes.observeVolume(host, ref, signal);
    if (found === undefined) return broken(absent(context));
    return {
      outputs: { status: statusOf(record.id, world) },
      drift: [...compareSize(context, found), ...compareUse(context, found)].map(here),
    };
  } catch (error) {
    if (isForeign(error)) return broken(describeForeign("volume", error));
    if (!hasCode(error, "not-found")) throw error;
    return broken({ ...absent(context), repair: "stops: the pool that it was in is not there" });
  }
}

function absent({ inputs: desired, outputs: known }: Context): Drift {
  const source = nameSource(desired);
  return {
    field: "volume",
    expected: known.location ?? "present",
    found: "missing",
    repair: `makes it anew, ${source === undefined ? "blank" : `of its ${source}`}: what was written to it is gone`,
    label: "data-loss",
  };
}

function compareSize({ inputs: desired }: Context, { sizeBytes }: VolumeObservation): readonly Drift[] {
  const sizeGib = requireSize(desired);
  if (sizeBytes === sizeGib * bytesPerGib) return [];
  const isSmaller = sizeBytes < sizeGib * bytesPerGib;
  return [
    {
      field: "sizeGib",
      expected: `${String(sizeGib)} GiB`,
      found: describeSize(sizeBytes),
      ...(isSmaller
        ? { repair: "grows it", label: "live" as const }
        : {
            repair: `stops, since volumes never shrink: set sizeGib to ${String(Math.ceil(sizeBytes / bytesPerGib))}`,
          }),
    },
  ];
}

/** What it lies on though its declaration names no source, and who has it open though no server has it. */
function compareUse({ record, inputs: desired, world }: Context, found: VolumeObservation): readonly Drift[] {
  const { parent, holders } = found;
  return [
    ...(parent === undefined || nameSource(desired) !== undefined
      ? []
      : [
          {
            field: "parent",
            expected: "none",
            found: parent,
            repair: "copies its data into the volume",
            label: "live" as const,
          },
        ]),
    ...(holders.length === 0 || listVolumeUsers(record.id, world).length > 0
      ? []
      : [
          {
            field: "holders",
            expected: "none, as no server has it",
            found: holders.join(", "),
            repair: "leaves it: a client of Ceph that died lets go within 30 s; end any other by hand",
          },
        ]),
  ];
}
