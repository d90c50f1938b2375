import { z } from "zod";
import { descriptionField, idSchema, nameField, projectField, reserveName } from "../core/common-fields.ts";
import { describeForeign, isForeign } from "../core/drift.ts";
import { cephCodes, hasCode, hostCodes, StackyardError } from "../core/errors.ts";
import { field } from "../core/fields.ts";
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
import { nameImage, nameSnapshot } from "../core/volume-location.ts";
import { placeVolume, type PlacedVolume } from "./volume-place.ts";

const inputs = z.strictObject({
  name: nameField({ doc: "Name, unique among the project's snapshots." }),
  project: projectField("data-loss"),
  description: descriptionField(),
  volume: field(idSchema(), {
    doc: "Volume whose content it keeps, as that is when the snapshot is made. In a pool servers may write meanwhile; a file takes one only while no server that is on has it.",
    references: "volume",
    change: "data-loss",
  }),
});

const outputs = z.strictObject({
  status: field(z.enum(["available", "error"]), {
    doc: "Cinder's status: `error` when it is missing, or its volume is.",
  }),
  sizeGib: field(z.int(), {
    doc: "Size of the volume when the snapshot was made, GiB: the least that a volume of it takes.",
    follows: [],
  }),
});

type SnapshotInputs = z.infer<typeof inputs>;
type SnapshotOutputs = z.infer<typeof outputs>;
type Context = StepContext<SnapshotInputs, SnapshotOutputs>;

const sized = z.object({ sizeGib: z.int() });

/** What a volume held at a time. */
export const snapshot = defineResource({
  type: "snapshot",
  plural: "snapshots",
  service: "block-storage",
  summary: "What a volume held when the snapshot was made: volumes are made of it. The volume stays as long.",
  scope: "project",
  inputs,
  outputs,
  rules: [],
  reservations: ({ name, project }) => reserveName("snapshot", project, name),
  quotas: {
    snapshots: countOne,
    gigabytes: { amount: ({ volume }, world) => readVolumeGib(world.find("volume", volume)) ?? 0 },
  },
  raises: [...hostCodes, ...cephCodes, "not-found", "not-ours", "in-use", "wrong-state"],
  reconcile: [
    {
      name: "snapshot",
      run: async (context) => {
        const { record, inputs: desired, outputs: known, world, ports, signal, progress } = context;
        const { host, ref } = requirePlace(context);
        progress("making the snapshot");
        await explainHeld(desired, ports.volumes.ensureSnapshot(host, ref, record.id, signal));
        const sizeGib = known.sizeGib ?? readVolumeGib(world.find("volume", desired.volume)) ?? 0;
        return { status: "available" as const, sizeGib };
      },
      undo: removeSnapshot,
    },
  ],
  remove: [{ name: "snapshot", run: (context) => removeSnapshot(context).then(() => undefined) }],
  observe: async (context) => {
    const { record, ports, signal } = context;
    const { host, ref } = requirePlace(context);
    try {
      const found = await ports.volumes.observeVolume(host, ref, signal);
      const isThere = found?.snapshots.some(({ name }) => name === nameSnapshot(record.id)) === true;
      if (!isThere) return broken(absent(found !== undefined));
      return { outputs: { status: "available" as const }, drift: [] };
    } catch (error) {
      if (isForeign(error)) return broken(describeForeign("volume", error));
      // The pool answered that it is not there.
      if (hasCode(error, "not-found")) return broken(absent(false));
      throw error;
    }
  },
});

function broken(drift: Drift): Observation<SnapshotInputs, SnapshotOutputs> {
  return { outputs: { status: "error" }, drift: [drift] };
}

function absent(hasVolume: boolean): Drift {
  return {
    field: "snapshot",
    expected: "present",
    found: hasVolume ? "missing" : "missing with its volume",
    repair: `makes it anew${hasVolume ? "" : ", once its volume is there"}, of what the volume holds then: what it held is gone`,
    label: "data-loss",
  };
}

/** Size that the volume has, or will have, in GiB. */
function readVolumeGib(volume: WorldEntry | undefined): number | undefined {
  return sized.safeParse(volume?.inputs).data?.sizeGib;
}

function requirePlace({ inputs: { volume }, world, cloudId }: Context): PlacedVolume {
  return placeVolume(requireEntry("volume", volume, world, "volume"), world, cloudId);
}

/** What lies on it is named, as the volumes that they are. */
async function removeSnapshot(context: Context): Promise<void> {
  const { record, inputs: desired, world, ports, signal, progress } = context;
  const { host, ref } = requirePlace(context);
  progress("removing the snapshot");
  try {
    await explainHeld(desired, ports.volumes.removeSnapshot(host, ref, record.id, signal));
  } catch (error) {
    // A pool that answered that it is not there has no snapshot either.
    if (hasCode(error, "not-found")) return;
    if (!hasCode(error, "in-use")) throw error;
    const children = await ports.volumes.listChildren(host, ref, signal);
    const names = listClones(children, world);
    throw new StackyardError("in-use", {
      message: error.message,
      value: record.id,
      remedy: `Flatten what lies on it, and run again: ${(names.length === 0 ? ["NAME"] : names).map((name) => `stackyard volume flatten ${name}`).join("; ")}`,
      cause: error.cause,
    });
  }
}

/** Names of the volumes among RBD images, as the command line takes them. */
function listClones(images: readonly string[], world: World): readonly string[] {
  return world
    .all("volume")
    .filter(({ id }) => images.some((image) => image.endsWith(`/${nameImage({ id, name: undefined })}`)))
    .map(({ name }) => (/^[\w.-]+$/.test(name) ? name : JSON.stringify(name)));
}

/** A file's snapshots are made and removed only while nobody holds it. */
async function explainHeld({ volume }: SnapshotInputs, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!hasCode(error, "wrong-state")) throw error;
    throw new StackyardError("wrong-state", {
      message: error.message,
      field: "volume",
      value: volume,
      remedy:
        "Stop the server that has the volume, and run again; a volume in a pool takes snapshots at any time.",
      cause: error.cause,
    });
  }
}
