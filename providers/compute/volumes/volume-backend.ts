import { bytesPerGib, describeSize } from "../../core/bytes.ts";
import { hasCode, StackyardError } from "../../core/errors.ts";
import type { ResourceId } from "../../core/ids.ts";
import type { ComputeHost } from "../../core/ports.ts";
import type { MarkedVolume, VolumeRef, VolumeSpec, VolumesPort } from "../../core/volume-backend.ts";
import { sh } from "../../hosts/command.ts";
import type { Shell } from "../../hosts/command.ts";
import type { HostConnection } from "../../hosts/connection.ts";
import { cleanJob, startJob, waitForJob } from "../../hosts/job.ts";
import type { Job, JobSpec } from "../../hosts/job.ts";

/** What a backend does with the volumes of its place: {@link VolumesPort}, for the place that it was opened with. */
export interface VolumeBackend extends Omit<
  VolumesPort,
  "listVolumes" | "importImage" | "findImage" | "removeImage" | "attachEncryptor" | "detachEncryptor"
> {
  listVolumes(host: ComputeHost, signal: AbortSignal): Promise<readonly MarkedVolume[]>;
}

/** Longest that a copy may take. */
const copyTimeoutMs = 6 * 3_600_000;
/** How often a copy is begun anew when it ended and left nothing: two, of which the first was an earlier call's. */
const maxCopies = 3;
const lockWaitSeconds = 100;

/** A volume's size in bytes; 0 where any is right. */
export function readSize(spec: { readonly sizeGib: number }): number {
  return spec.sizeGib * bytesPerGib;
}

export { nameSnapshot } from "../../core/volume-location.ts";

/** Lets one script at a time work on a volume of a host, as servers have it. `-s` for those that only look: they leave no lock where there is none. */
export function lockVolume(host: ComputeHost, id: ResourceId, how: "-x" | "-s"): Shell {
  const folder = `${host.folder}/locks`;
  const file = `${folder}/${id.slice(0, 4)}`;
  const take = sh`flock ${how} -w ${lockWaitSeconds} 9 || { echo 'another command works on this volume' >&2; exit 1; }`;
  const lock =
    how === "-s"
      ? sh`if [ -e ${file} ]; then
  exec 9< ${file}
  ${take}
fi`
      : sh`[ -d ${folder} ] || mkdir -p -- ${folder}
exec 9> ${file}
${take}`;
  return sh`${lock}
refuse() { echo "refused $1"; shift; [ $# -eq 0 ] || printf '%s\n' "$@"; exit 0; }`;
}

/** The job that copies into a volume, or flattens it: one at a time. */
export function volumeJob(host: ComputeHost, id: ResourceId): Job {
  return { name: `volume-${id}`, folder: `${host.folder}/jobs` };
}

/**
 * Runs a job until `isDone` says so, which is asked first. A job of the same name that runs is waited for, in whichever process it was started; one
 * that ended makes way. `check` raises what the log of one that ended well refused with, and tells whether it says that all is done: else `isDone` is asked
 * again. The job's command must be the one to see that nothing is left to do.
 */
export async function copyUntil(
  connection: HostConnection,
  spec: JobSpec,
  {
    isDone,
    check,
  }: {
    readonly isDone: () => Promise<boolean>;
    readonly check: (log: string) => boolean;
  },
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let copies = 0; copies < maxCopies; copies++) {
    if (await isDone()) return;
    const { state } = await startJob(connection, spec);
    if (state === "failed") {
      // It may be an earlier call's, which nobody waited for.
      await makeWay(connection, spec);
      await startJob(connection, spec);
    }
    try {
      const log = await waitForJob(connection, spec, {
        timeoutMs: copyTimeoutMs,
        signal,
        onProgress: (tail) => reportPercent(tail, progress),
      });
      if (check(log)) return;
    } catch (error) {
      // Whoever waited beside us has cleaned it.
      if (!hasCode(error, "not-found")) throw error;
    } finally {
      if (!signal.aborted) await makeWay(connection, spec);
    }
  }
  if (await isDone()) return;
  throw new StackyardError("command-failed", {
    message: `Job ${spec.name} ended well on host ${connection.host.name}, ${String(maxCopies)} times, and left nothing`,
  });
}

/** Takes an ended job away. Another who waited for it may be about to, and then has its lock. */
async function makeWay(connection: HostConnection, job: Job): Promise<void> {
  await cleanJob(connection, job).catch((error: unknown) => {
    if (!hasCode(error, "command-failed")) throw error;
  });
}

/** `(12.34/100%)` of qemu-img, `12% complete` of rbd. */
function reportPercent(log: string, progress: (line: string) => void): void {
  const last = [...log.matchAll(/\((\d+)\.\d+\/100%\)|(\d+)% complete/g)].at(-1);
  const percent = last?.[1] ?? last?.[2];
  if (percent !== undefined) progress(`${percent} %`);
}

/** What a script answered: its output, or the word with which it refused and what it said of that. */
export interface Refusal {
  readonly why: string;
  readonly detail: string;
}

export function readRefusal(output: string): Refusal | undefined {
  const found = /^refused (\S+)\n/m.exec(output);
  if (found === null) return undefined;
  return {
    why: found[1] ?? "",
    detail: output.slice(found.index + found[0].length).trim(),
  };
}

/** `spec` would be smaller than it is, or than its source. */
export function tooSmall(
  spec: VolumeRef & Pick<VolumeSpec, "sizeGib">,
  than: "shrinks" | "source",
  bytes: number,
): StackyardError {
  const is = than === "shrinks" ? "is" : "comes from what is";
  return new StackyardError("invalid-input", {
    message: `Volume ${spec.id} cannot have ${describeSize(readSize(spec))}: it ${is} ${describeSize(bytes)}, and no data is cut off`,
    field: "sizeGib",
    value: spec.sizeGib,
    remedy: `Set sizeGib to ${String(Math.ceil(bytes / bytesPerGib))} or more.`,
  });
}

/** There is no such volume, snapshot or source. */
export function notFound(what: string, where: string): StackyardError {
  return new StackyardError("not-found", {
    message: `There is no ${what} ${where}`,
  });
}

/** Somebody has the volume open. */
export function heldOpen(
  code: "in-use" | "wrong-state",
  volume: VolumeRef,
  attempting: string,
  holders: readonly string[],
): StackyardError {
  return new StackyardError(code, {
    message: `Could not ${attempting}: volume ${volume.id} is open in ${holders.length === 0 ? "another process" : holders.join(", ")}`,
    remedy: "Detach the volume, or stop the server that has it, and run again.",
  });
}

/** It has snapshots, on which these clones lie. */
export function hasSnapshots(
  volume: VolumeRef,
  names: readonly string[],
  clones: readonly string[] = [],
): StackyardError {
  const message = `Volume ${volume.id} has snapshots: ${names.join(", ")}`;
  return new StackyardError("in-use", {
    message: clones.length === 0 ? message : `${message}; on them lie ${clones.join(", ")}`,
    remedy:
      clones.length === 0
        ? "Remove the snapshots first."
        : "Flatten or remove what lies on the snapshots, then remove the snapshots.",
  });
}
