import { StackyardError } from "../../../core/errors.ts";
import { brandId, isUuid } from "../../../core/ids.ts";
import type { ComputeHost } from "../../../core/ports.ts";
import type { MarkedVolume, RbdPlace, VolumeRef } from "../../../core/volume-backend.ts";
import { script, sh } from "../../../hosts/command.ts";
import type { Shell } from "../../../hosts/command.ts";
import { cleanJob } from "../../../hosts/job.ts";
import type { RunOptions } from "../../../hosts/connection.ts";
import type { HostPool } from "../../../hosts/pool.ts";
import {
  copyUntil,
  hasSnapshots,
  heldOpen,
  lockVolume,
  nameSnapshot,
  notFound,
  readRefusal,
  readSize,
  tooSmall,
  volumeJob,
} from "../volume-backend.ts";
import type { VolumeBackend } from "../volume-backend.ts";
import {
  defineRbd,
  listClientOptions,
  markOf,
  metaKey,
  nameFault,
  nameImage,
  partSuffix,
  rbdCommand,
  runRbd,
} from "./rbd-client.ts";
import { copySource, ensureImage } from "./rbd-making.ts";
import { part, readChildren, readImage, readMeta, readSnapshots, readWatchers } from "./rbd-output.ts";

/** A volume, and the size that is asked for where one is. */
type SizedVolume = VolumeRef & { readonly sizeGib?: number };

/** Volumes as RBD images, by `rbd` and `qemu-img` on a host that is a client (cinder: `volume/drivers/rbd.py`). */
export function openRbdVolumes(pool: HostPool, place: RbdPlace): VolumeBackend {
  /** Runs commands about one image, under the host's lock of the volume. */
  async function run(
    host: ComputeHost,
    volume: SizedVolume,
    attempting: string,
    commands: Shell,
    signal: AbortSignal,
    options: Pick<RunOptions, "readOnly" | "assumed"> = {},
  ): Promise<string> {
    const sentence = `${attempting} ${volume.id}`;
    const how = options.readOnly === true ? "-s" : "-x";
    const all = [lockVolume(host, volume.id, how), defineRbd(host, place, volume), commands];
    const output = await runRbd(pool, host, place, sentence, all, signal, options);
    throwIfRefused(output, place, volume, sentence);
    return output;
  }

  const checkFor =
    (volume: VolumeRef, attempting: string) =>
    (log: string): void =>
      throwIfRefused(log, place, volume, `${attempting} ${volume.id}`);

  return {
    async ensureVolume(host, spec, progress, signal) {
      const isDone = async (): Promise<boolean> => {
        const output = await run(host, spec, "make volume", ensureImage(host, place, spec), signal);
        return output.trim() !== "copy";
      };
      const command = script(defineRbd(host, place, spec), copySource(host, place, spec));
      const connection = await pool.get(host.address, signal);
      try {
        const job = { ...volumeJob(host, spec.id), command };
        await copyUntil(connection, job, { isDone, check: checkFor(spec, "make volume") }, progress, signal);
      } catch (error) {
        throw nameFault(error, host, place, `make volume ${spec.id}`);
      }
    },
    async observeVolume(host, volume, signal) {
      const image = sh`"$pool/$name"`;
      const look = sh`look_for_image
[ "$state" = present ] || { echo absent; exit 0; }
read_info
printf '%s\n' "$info"
echo ${part}
case $info in *'"snapshot_count":0,'*) echo '[]' ;; (*) rbd snap ls --format json ${image}; echo ;; esac
echo ${part}
rbd status --format json ${image}`;
      const output = await run(host, volume, "look at volume", look, signal, { readOnly: true });
      return output === "absent\n" ? undefined : readImage(output);
    },
    async removeVolume(host, volume, signal) {
      // What is being copied would come after the removal.
      await cleanJob(await pool.get(host.address, signal), volumeJob(host, volume.id));
      await run(host, volume, "remove volume", dropImage, signal);
    },
    async removeHalfMade(host, volume, signal) {
      await cleanJob(await pool.get(host.address, signal), volumeJob(host, volume.id));
      await run(host, volume, "remove what is half-made of volume", sh`drop_part`, signal);
    },
    async ensureSnapshot(host, volume, snapshotId, signal) {
      const snapshot = nameSnapshot(snapshotId);
      const make = sh`${requireImage}
rbd snap create --no-progress "$pool/$name@"${snapshot} || [ $? -eq 17 ]
rbd snap protect "$pool/$name@"${snapshot} || [ $? -eq 16 ]`;
      await run(host, volume, "make a snapshot of volume", make, signal);
    },
    async removeSnapshot(host, volume, snapshotId, signal) {
      const remove = removeSnapshot(nameSnapshot(snapshotId));
      await run(host, volume, "remove a snapshot of volume", remove, signal);
    },
    async listChildren(host, volume, signal) {
      const list = sh`${requireImage}
rbd children --format json "$pool/$name"`;
      const attempting = "list the clones of volume";
      return readChildren(await run(host, volume, attempting, list, signal, { readOnly: true }));
    },
    async flattenVolume(host, volume, progress, signal) {
      const lacksParent = sh`read_info
case $info in *'"parent":{'*) ;; (*) printf ${flat}; exit 0 ;; esac`;
      const isDone = async (): Promise<boolean> => {
        const look = sh`${requireImage}
${lacksParent}`;
        return (await run(host, volume, "flatten volume", look, signal, { assumed: flat })) === flat;
      };
      const command = script(
        defineRbd(host, place, volume),
        sh`${requireImage}
${lacksParent}
timeout -k 2 ${flattenSeconds} rbd ${listClientOptions(host, place)} flatten "$pool/$name"`,
      );
      const connection = await pool.get(host.address, signal);
      try {
        const job = { ...volumeJob(host, volume.id), command };
        await copyUntil(
          connection,
          job,
          { isDone, check: checkFor(volume, "flatten volume") },
          progress,
          signal,
        );
      } catch (error) {
        throw nameFault(error, host, place, `flatten volume ${volume.id}`);
      }
    },
    async growVolume(host, volume, sizeGib, signal) {
      const grow = sh`${requireImage}
want=${readSize({ sizeGib })}
grow "$name" || refuse shrinks "$size"`;
      await run(host, { ...volume, sizeGib }, "grow volume", grow, signal);
    },
    async listVolumes(host, signal) {
      const commands = [listImages(host, place)];
      const output = await runRbd(pool, host, place, "list volumes", commands, signal, { readOnly: true });
      return readMarked(host, output);
    },
  };
}

/** Answered for an image that lies on none. */
const flat = "flat\n";

/** A day: a job has no end of its own. */
const flattenSeconds = 86_400;

const requireImage = sh`look_for_image
[ "$state" = present ] || refuse absent`;

/** Snapshots, their clones and clients that have it open are asked for first: `rbd rm` says less. */
export const dropImage: Shell = sh`drop_part
look_for_image
[ "$state" = present ] || exit 0
read_info
case $info in *'"snapshot_count":0,'*) ;; (*)
  snapshots=$(rbd snap ls --format json "$pool/$name")
  # Glance's user may not look for clones in other pools.
  refuse snapshots "$snapshots" "$(rbd children --format json "$pool/$name" 2> /dev/null || echo '[]')" ;;
esac
status=$(rbd status --format json "$pool/$name")
case $status in *'"watchers":[]'*) ;; (*) refuse held "$status" ;; esac
rbd rm --no-progress "$pool/$name"`;

/** `$state` is known. Who lies on it is asked as `rbd_children`, which {@link defineRbd} does not define. */
export function dropSnapshot(snapshot: string): Shell {
  return sh`snapshots=$(rbd snap ls --format json "$pool/$name")
case $snapshots in *${`"name":"${snapshot}"`}*)
children=$(rbd_children --format json "$pool/$name@"${snapshot})
[ "$children" = '[]' ] || refuse children "$children"
rbd snap unprotect "$pool/$name@"${snapshot} || [ $? -eq 22 ]
rbd snap rm --no-progress "$pool/$name@"${snapshot} ;;
esac`;
}

function removeSnapshot(snapshot: string): Shell {
  return sh`look_for_image
[ "$state" = present ] || exit 0
rbd_children() { rbd children "$@"; }
${dropSnapshot(snapshot)}`;
}

/** Name and metadata of each image that could be ours by its name: each costs a call. */
function listImages(host: ComputeHost, place: RbdPlace): Shell {
  return sh`pool=${place.pool}
${rbdCommand(host, place)}
names=$(rbd ls "$pool")
printf '%s\n' "$names" | grep -E '[0-9a-f]{8}-[0-9a-f]{4}-' | while IFS= read -r name; do
  case $name in
    *${partSuffix(host)}) meta='{}' ;;
    (*) meta=$(rbd image-meta list --format json "$pool/$name" 2> /dev/null) || { [ $? -eq 2 ] && continue; exit 1; } ;;
  esac
  printf '%s\n%s\n' "$name" "$meta"
done`;
}

function readMarked(host: ComputeHost, output: string): readonly MarkedVolume[] {
  const lines = output.trim().split("\n");
  return lines.flatMap((name, index): readonly MarkedVolume[] => {
    if (index % 2 === 1) return [];
    const [whole = "", ...rest] = name.split(partSuffix(host));
    if (rest.length > 0) {
      const id = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(whole)?.[0];
      return id === undefined ? [] : [{ id: brandId<"resource">(id), name: whole, isWhole: false }];
    }
    const mark = readMeta(lines[index + 1] ?? "")[metaKey] ?? "";
    const id = mark.slice(mark.indexOf(":") + 1);
    // Somebody's clone of an image of ours has the mark of that.
    if (mark !== markOf(host, id) || !isUuid(id) || !name.includes(id)) return [];
    return [{ id: brandId<"resource">(id), name, isWhole: true }];
  });
}

/** Raises what a script refused with. */
export function throwIfRefused(
  output: string,
  place: RbdPlace,
  volume: SizedVolume,
  attempting: string,
): void {
  const refusal = readRefusal(output);
  if (refusal === undefined) return;
  const { why, detail } = refusal;
  switch (why) {
    case "foreign":
      throw new StackyardError("not-ours", {
        message: `Pool ${place.pool} has an image ${nameImage(volume)} without the mark of this volume`,
      });
    case "absent":
      throw notFound(detail === "" ? `volume ${volume.id}` : detail, `in pool ${place.pool}`);
    case "busy":
      throw new StackyardError("wrong-state", {
        message: `Could not ${attempting}: another host is making it, or a process that did has died less than 30 s ago`,
      });
    case "shrinks":
    case "source":
      throw tooSmall({ ...volume, sizeGib: volume.sizeGib ?? 0 }, why, Number(detail));
    case "snapshots": {
      const [snapshots = "", clones = ""] = detail.split("\n");
      throw hasSnapshots(volume, readSnapshots(snapshots), readChildren(clones));
    }
    case "held":
      throw heldOpen("in-use", volume, attempting, readWatchers(detail));
    case "children": {
      throw new StackyardError("in-use", {
        message: `Could not ${attempting}: on it lie ${readChildren(detail).join(", ")}`,
        remedy: "Flatten those volumes, or remove them.",
      });
    }
    case "differs":
      throw new StackyardError("command-failed", {
        message: `Could not ${attempting}: what arrived in pool ${place.pool} is not what was sent`,
      });
    default:
      throw new StackyardError("command-failed", {
        message: `Could not ${attempting}: a host refused in an unknown way`,
        notes: [output],
      });
  }
}
