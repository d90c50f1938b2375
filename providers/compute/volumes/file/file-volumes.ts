import { StackyardError } from "../../../core/errors.ts";
import { brandId, isUuid } from "../../../core/ids.ts";
import type { ComputeHost } from "../../../core/ports.ts";
import type { VolumeObservation, VolumeRef } from "../../../core/volume-backend.ts";
import { script, sh } from "../../../hosts/command.ts";
import type { Shell } from "../../../hosts/command.ts";
import { cleanJob } from "../../../hosts/job.ts";
import type { HostPool } from "../../../hosts/pool.ts";
import { imageLimits } from "../../image-state.ts";
import { volumesFolder } from "../../layout.ts";
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
import { defineQemuImg, nameKeyFault, packKey } from "../volume-key.ts";
import { copySource, defineFile, ensureDisk, growDisk } from "./file-making.ts";
import { part, readDisk, readHolders, readSnapshots } from "./file-output.ts";

/** A volume, and the size that is asked for where one is. */
type SizedVolume = VolumeRef & { readonly sizeGib?: number };

/** Volumes as qcow2 files, by `qemu-img`: `FOLDER/volumes/ID/disk`, with their snapshots in them. */
export function openFileVolumes(pool: HostPool): VolumeBackend {
  /** Runs commands about one file under its lock: shared for those that only look, which would hold the file for others to see. */
  async function run(
    host: ComputeHost,
    volume: SizedVolume,
    attempting: string,
    commands: Shell,
    signal: AbortSignal,
    {
      how = "-x",
      assumed = "",
      stdin,
    }: { readonly how?: "-x" | "-s"; readonly assumed?: string; readonly stdin?: string | undefined } = {},
  ): Promise<string> {
    const connection = await pool.get(host.address, signal);
    const sentence = `${attempting} ${volume.id}`;
    const all = script(
      defineQemuImg(stdin === undefined ? {} : volume),
      lockVolume(host, volume.id, how),
      defineFile(host, volume),
      commands,
    );
    const options = {
      attempting: sentence,
      timeoutMs: scriptTimeoutMs,
      readOnly: how === "-s",
      assumed,
      signal,
    };
    try {
      const { stdout } = await connection.run(all, stdin === undefined ? options : { ...options, stdin });
      throwIfRefused(stdout, host, volume, sentence);
      return stdout;
    } catch (error) {
      throw nameKeyFault(error);
    }
  }

  /** The same for commands that open the file by `qemu_img`: with its key where it is encrypted. */
  async function runWithKey(
    host: ComputeHost,
    volume: SizedVolume,
    attempting: string,
    commands: Shell,
    signal: AbortSignal,
    options: { readonly assumed?: string } = {},
  ): Promise<string> {
    return run(host, volume, attempting, commands, signal, { ...options, stdin: await packKey(volume) });
  }

  /** Runs the job of a volume until `isDone`, with its key where it is encrypted. */
  async function copyInto(
    host: ComputeHost,
    volume: SizedVolume,
    attempting: string,
    commands: Shell,
    isDone: () => Promise<boolean>,
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const connection = await pool.get(host.address, signal);
    const command = script(defineQemuImg(volume), defineFile(host, volume), commands);
    const job = { ...volumeJob(host, volume.id), command, stdin: await packKey(volume) };
    const check = (log: string): boolean => {
      throwIfRefused(log, host, volume, `${attempting} ${volume.id}`);
      return false;
    };
    try {
      await copyUntil(connection, job, { isDone, check }, progress, signal);
    } catch (error) {
      throw nameKeyFault(error);
    }
  }

  return {
    async ensureVolume(host, spec, progress, signal) {
      const isDone = async (): Promise<boolean> => {
        const output = await runWithKey(host, spec, "make volume", ensureDisk(host, spec), signal);
        return output.trim() !== "copy";
      };
      await copyInto(host, spec, "make volume", copySource(host, spec), isDone, progress, signal);
    },
    async observeVolume(host, volume, signal) {
      return readFile(await run(host, volume, "look at volume", lookAtDisk, signal, { how: "-s" }));
    },
    async removeVolume(host, volume, signal) {
      await cleanJob(await pool.get(host.address, signal), volumeJob(host, volume.id));
      await run(host, volume, "remove volume", removeDisk, signal);
    },
    async removeHalfMade(host, volume, signal) {
      await cleanJob(await pool.get(host.address, signal), volumeJob(host, volume.id));
      const remove = sh`[ -e "$disk" ] || rm -rf -- "$folder"`;
      await run(host, volume, "remove what is half-made of volume", remove, signal);
    },
    async ensureSnapshot(host, volume, snapshotId, signal) {
      const name = nameSnapshot(snapshotId);
      const make = sh`${requireDisk}
${findSnapshot(name)}
[ "$state" = absent ] || exit 0
require_free
qemu_img snapshot -c ${name} "$node"`;
      await runWithKey(host, volume, "make a snapshot of volume", make, signal);
    },
    async removeSnapshot(host, volume, snapshotId, signal) {
      const name = nameSnapshot(snapshotId);
      const remove = sh`[ -e "$disk" ] || exit 0
${findSnapshot(name)}
[ "$state" = present ] || exit 0
require_free
qemu_img snapshot -d ${name} "$node"`;
      await runWithKey(host, volume, "remove a snapshot of volume", remove, signal);
    },
    async listChildren(host, volume, signal) {
      await run(host, volume, "look at volume", requireDisk, signal, { how: "-s" });
      return [];
    },
    async flattenVolume(host, volume, progress, signal) {
      const isDone = async (): Promise<boolean> => {
        const look = sh`${requireDisk}
${stopIfFlat}
require_free`;
        return (await run(host, volume, "flatten volume", look, signal, { assumed: flat })) === flat;
      };
      const flatten = sh`${requireDisk}
${stopIfFlat}
qemu_img rebase -p -f qcow2 -b '' "$node"`;
      await copyInto(host, volume, "flatten volume", flatten, isDone, progress, signal);
    },
    async growVolume(host, volume, sizeGib, signal) {
      const grow = sh`${requireDisk}
want=${readSize({ sizeGib })}
${growDisk}`;
      await runWithKey(host, { ...volume, sizeGib }, "grow volume", grow, signal);
    },
    async listVolumes(host, signal) {
      const connection = await pool.get(host.address, signal);
      const list = sh`for folder in ${volumesFolder(host.folder)}/*/; do
  [ -d "$folder" ] || continue
  if [ -e "$folder/disk" ]; then echo "whole $(basename "$folder")"; else echo "part $(basename "$folder")"; fi
done`;
      const { stdout } = await connection.run(script(list), {
        attempting: "list volumes",
        readOnly: true,
        signal,
      });
      return stdout.split("\n").flatMap((line) => {
        const [how, id = ""] = line.split(" ");
        return isUuid(id)
          ? [
              {
                id: brandId<"resource">(id),
                name: undefined,
                isWhole: how === "whole",
              },
            ]
          : [];
      });
    },
  };
}

const scriptTimeoutMs = 240_000;

const lookAtDisk = sh`[ -e "$disk" ] || { echo absent; exit 0; }
list_holders
echo ${part}
prlimit ${imageLimits} qemu-img info -U -f qcow2 --output=json "$disk"`;

/** Looks at one file, under its lock. Read by {@link readFile}. */
export function observeFile(host: ComputeHost, volume: VolumeRef): Shell {
  return sh`${lockVolume(host, volume.id, "-s")}
${defineFile(host, volume)}
${lookAtDisk}`;
}

export function readFile(output: string): VolumeObservation | undefined {
  return output === "absent\n" ? undefined : readDisk(output);
}

/** Answered by {@link stopIfFlat}. */
const flat = "flat\n";

const requireDisk = sh`[ -e "$disk" ] || refuse absent`;

const stopIfFlat = sh`info=$(prlimit ${imageLimits} qemu-img info -U -f qcow2 --output=json "$disk")
case $info in *'"backing-filename"'*) ;; (*) printf ${flat}; exit 0 ;; esac`;

/** A snapshot's name is a uuid after a word: no other text of the answer is like it. */
function findSnapshot(name: string): Shell {
  return sh`info=$(prlimit ${imageLimits} qemu-img info -U -f qcow2 --output=json "$disk")
case $info in *${`"name": "${name}"`}*) state=present ;; (*) state=absent ;; esac`;
}

const removeDisk = sh`[ -d "$folder" ] || exit 0
if [ -e "$disk" ]; then
  info=$(prlimit ${imageLimits} qemu-img info -U -f qcow2 --output=json "$disk")
  case $info in *'"snapshots"'*) refuse snapshots "$info" ;; esac
  holders=$(list_holders)
  [ -z "$holders" ] || refuse in-use "$holders"
fi
rm -rf -- "$folder"`;

function throwIfRefused(output: string, host: ComputeHost, volume: SizedVolume, attempting: string): void {
  const refusal = readRefusal(output);
  if (refusal === undefined) return;
  const { why, detail } = refusal;
  switch (why) {
    case "absent":
      throw notFound(detail === "" ? `volume ${volume.id}` : detail, `on host ${host.name}`);
    case "parent":
      throw new StackyardError("invalid-input", {
        message: `Volume ${volume.id} is a file, and cannot be cloned from a snapshot in RBD`,
        field: "source",
      });
    case "shrinks":
    case "source":
      throw tooSmall({ ...volume, sizeGib: volume.sizeGib ?? 0 }, why, Number(detail));
    case "snapshots":
      throw hasSnapshots(volume, readSnapshots(detail));
    case "in-use":
    case "wrong-state":
      throw heldOpen(why, volume, attempting, readHolders(detail));
    default:
      throw new StackyardError("command-failed", {
        message: `Could not ${attempting}: host ${host.name} refused in an unknown way`,
        notes: [output],
      });
  }
}
