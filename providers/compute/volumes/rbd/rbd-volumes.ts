import type { z } from "zod";
import type { Answer } from "../../../core/answer.ts";
import { StackyardError } from "../../../core/errors.ts";
import { brandId, isUuid } from "../../../core/ids.ts";
import type { ComputeHost } from "../../../core/ports.ts";
import type { MarkedVolume, RbdPlace, VolumeObservation, VolumeRef } from "../../../core/volume-backend.ts";
import { cleanJob } from "../../../hosts/job.ts";
import type { HostPool } from "../../../hosts/pool.ts";
import {
  copyUntil,
  hasSnapshots,
  heldOpen,
  nameSnapshot,
  notFound,
  tooSmall,
  volumeJob,
} from "../volume-backend.ts";
import type { VolumeBackend } from "../volume-backend.ts";
import { markOf, partSuffix } from "./rbd-client.ts";
import { imageSize, overheadOf } from "./rbd-luks.ts";
import { copySource, ensureImage } from "./rbd-making.ts";
import {
  answers,
  askAboutVolume,
  jobCommand,
  listMarked,
  nameFault,
  packKeyFor,
  readAnswer,
  readLooks,
  type RbdLook,
  type RbdQuestion,
  type RbdRefusal,
  type RbdWork,
} from "./rbd-program.ts";

/** A volume of a pool, and the size that is asked for where one is. */
export type RbdVolume = VolumeRef & { readonly place: RbdPlace; readonly sizeGib?: number };

/** Volumes as RBD images, by librbd and `qemu-img` on a host that is a client (cinder: `volume/drivers/rbd.py`). */
export function openRbdVolumes(pool: HostPool, place: RbdPlace): VolumeBackend {
  const ask = <T>(
    host: ComputeHost,
    volume: VolumeRef & { readonly sizeGib?: number },
    work: RbdWork,
    question: RbdQuestion<T>,
    signal: AbortSignal,
  ): Promise<T> => {
    const ours = { ...volume, place };
    const onRefusal = (refusal: RbdRefusal): never => refuse(refusal, ours, question.attempting);
    return askAboutVolume(pool, host, ours, work, { ...question, onRefusal }, signal);
  };

  return {
    async ensureVolume(host, spec, progress, signal) {
      const ours = { ...spec, place };
      const question = {
        attempting: `make volume ${spec.id}`,
        answer: answers.ensured,
        assumed: "whole",
      } as const;
      const isDone = async (): Promise<boolean> =>
        (await ask(host, spec, ensureImage(host, place, spec), question, signal)) === "whole";
      const copy = copySource(host, place, spec);
      if (copy === undefined) {
        await isDone();
        return;
      }
      await copyRbd(pool, host, ours, copy, { ...question, isDone }, progress, signal);
    },
    async observeVolume(host, volume, signal) {
      const question = {
        attempting: `look at volume ${volume.id}`,
        answer: answers.image,
        options: { readOnly: true },
        assumed: null,
      };
      return describeImage(volume, await ask(host, volume, { do: "observe" }, question, signal));
    },
    async removeVolume(host, volume, signal) {
      // What is being copied would come after the removal.
      await cleanJob(await pool.get(host.address, signal), volumeJob(host, volume.id));
      await ask(host, volume, { do: "remove" }, doing(`remove volume ${volume.id}`), signal);
    },
    async removeHalfMade(host, volume, signal) {
      await cleanJob(await pool.get(host.address, signal), volumeJob(host, volume.id));
      const question = doing(`remove what is half-made of volume ${volume.id}`);
      await ask(host, volume, { do: "remove_half" }, question, signal);
    },
    async ensureSnapshot(host, volume, snapshotId, signal) {
      const work = { do: "snapshot", snapshot: nameSnapshot(snapshotId) } as const;
      await ask(host, volume, work, doing(`make a snapshot of volume ${volume.id}`), signal);
    },
    async removeSnapshot(host, volume, snapshotId, signal) {
      const work = { do: "remove_snapshot", snapshot: nameSnapshot(snapshotId) } as const;
      await ask(host, volume, work, doing(`remove a snapshot of volume ${volume.id}`), signal);
    },
    listChildren(host, volume, signal) {
      const question = {
        attempting: `list the clones of volume ${volume.id}`,
        answer: answers.children,
        options: { readOnly: true },
        assumed: [],
      };
      return ask(host, volume, { do: "children" }, question, signal);
    },
    async flattenVolume(host, volume, progress, signal) {
      const attempting = `flatten volume ${volume.id}`;
      const isDone = (): Promise<boolean> =>
        ask(host, volume, { do: "is_flat" }, { attempting, answer: answers.flag, assumed: true }, signal);
      const question = { attempting, answer: answers.none, isDone };
      await copyRbd(pool, host, { ...volume, place }, { do: "flatten" }, question, progress, signal);
    },
    async growVolume(host, volume, sizeGib, signal) {
      const work = { do: "grow", want: imageSize({ ...volume, sizeGib }) } as const;
      await ask(host, { ...volume, sizeGib }, work, doing(`grow volume ${volume.id}`), signal);
    },
    async listVolumes(host, signal) {
      const found = await listMarked(pool, host, place, signal);
      return found.flatMap(([name, mark]) => readMarked(host, name, mark ?? ""));
    },
  };
}

function describeImage(
  volume: VolumeRef,
  found: z.infer<(typeof answers)["image"]>,
): VolumeObservation | undefined {
  if (found === null) return undefined;
  const { size, parent, snapshots, watchers } = found;
  return {
    sizeBytes: size - overheadOf(volume),
    format: "raw",
    parent: parent ?? undefined,
    snapshots: snapshots.map((name) => ({ name })),
    holders: watchers,
  };
}

/** What `observeImages` found, in the order of the looks: what {@link VolumesPort.observeVolume} alone would have answered. */
export function readImages(
  output: string,
  looks: readonly RbdLook[],
): readonly Answer<VolumeObservation | undefined>[] {
  return readLooks(
    output,
    looks,
    (image, { volume }) => describeImage(volume, image),
    (refusal, { volume }) => refuse(refusal, volume, `look at volume ${volume.id}`),
  );
}

/** Has a job do what takes long, unless `isDone`; what it answers is its end. Raises what work on images raises. */
export async function copyRbd<T>(
  pool: HostPool,
  host: ComputeHost,
  volume: RbdVolume,
  work: RbdWork,
  {
    attempting,
    answer,
    isDone,
  }: Pick<RbdQuestion<T>, "attempting" | "answer"> & { readonly isDone: () => Promise<boolean> },
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const onRefusal = (refusal: RbdRefusal): never => refuse(refusal, volume, attempting);
  const check = (log: string): boolean => {
    readAnswer(log, { attempting, answer, onRefusal });
    return true;
  };
  const connection = await pool.get(host.address, signal);
  try {
    const command = jobCommand(host, volume, work);
    const job = { ...volumeJob(host, volume.id), command, stdin: await packKeyFor(volume, work) };
    await copyUntil(connection, job, { isDone, check }, progress, signal);
  } catch (error) {
    throw nameFault(error, host, volume.place, attempting);
  }
}

/** A question that has no answer but that it is done. */
export function doing(attempting: string): RbdQuestion<null> {
  return { attempting, answer: answers.none, assumed: null };
}

function readMarked(host: ComputeHost, name: string, mark: string): readonly MarkedVolume[] {
  const [whole = "", ...rest] = name.split(partSuffix(host));
  if (rest.length > 0) {
    const id = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(whole)?.[0];
    return id === undefined ? [] : [{ id: brandId<"resource">(id), name: whole, isWhole: false }];
  }
  const id = mark.slice(mark.indexOf(":") + 1);
  // Somebody's clone of an image of ours has the mark of that.
  if (mark !== markOf(host, id) || !isUuid(id) || !name.includes(id)) return [];
  return [{ id: brandId<"resource">(id), name, isWhole: true }];
}

/** Raises what a refusal means. */
export function refuse(refusal: RbdRefusal, volume: RbdVolume, attempting: string): never {
  const { pool } = volume.place;
  switch (refusal.why) {
    case "foreign":
      throw new StackyardError("not-ours", {
        message: `Pool ${pool} has an image ${refusal.detail} without the mark of this volume`,
      });
    case "absent":
      throw notFound(refusal.detail === "" ? `volume ${volume.id}` : refusal.detail, `in pool ${pool}`);
    case "busy":
      throw new StackyardError("wrong-state", {
        message: `Could not ${attempting}: another host is making it, or a process that did has died less than 30 s ago`,
      });
    case "shrinks":
    case "source":
      throw tooSmall(
        { ...volume, sizeGib: volume.sizeGib ?? 0 },
        refusal.why,
        refusal.detail - overheadOf(volume),
      );
    case "snapshots":
      throw hasSnapshots(volume, refusal.detail.snapshots, refusal.detail.children);
    case "held":
      throw heldOpen("in-use", volume, attempting, refusal.detail);
    case "children":
      throw new StackyardError("in-use", {
        message: `Could not ${attempting}: on it lie ${refusal.detail.join(", ")}`,
        remedy: "Flatten those volumes, or remove them.",
      });
    case "differs":
      throw new StackyardError("command-failed", {
        message: `Could not ${attempting}: what arrived in pool ${pool} is not what was sent`,
      });
  }
}
