import { hasCode, StackyardError } from "../../../core/errors.ts";
import type { ComputeHost } from "../../../core/ports.ts";
import type { RbdPlace, VolumeRef } from "../../../core/volume-backend.ts";
import { nameImage } from "../../../core/volume-location.ts";
import { script, sh } from "../../../hosts/command.ts";
import type { Shell } from "../../../hosts/command.ts";
import type { RunOptions } from "../../../hosts/connection.ts";
import type { HostPool } from "../../../hosts/pool.ts";
import { cephConfFile } from "../../layout.ts";
import { nameCephUser } from "../../marks.ts";

/** Key of an image's metadata with {@link markOf}: one, since each `rbd` takes its time. A clone has its parent's until it gets its own. */
export const metaKey = "stackyard-owner";

/** Our mark of an image. */
export function markOf({ cloudId }: ComputeHost, id: string): string {
  return `${cloudId}:${id}`;
}

/** Longest that monitors may take to answer, and one command to end. */
const connectSeconds = 10;
const commandSeconds = 120;
/** Time that a script may take. */
const scriptTimeoutMs = 240_000;

export { nameImage };

/** Ends the name of an image that is being made for a cloud: before it has metadata, its name is its mark. */
export function partSuffix(host: ComputeHost): string {
  return `.${host.cloudId}.part`;
}

/**
 * Functions of all scripts about one image. `rbd` is the command with the client's options and an end. `look_for_image` sets `$state` to `present` or
 * `absent`; an image of the name without our mark ends the script. `read_mark` does so without a proof of absence, for what then makes an image:
 * in a pool that is not there it cannot, and one that is there is never replaced. `grow` fails where the image is larger than `$want`, with its `$size`.
 */
export function defineRbd(host: ComputeHost, place: RbdPlace, volume: Omit<VolumeRef, "place">): Shell {
  const name = nameImage(volume);
  return sh`pool=${place.pool} name=${name} part=${name + partSuffix(host)}
${rbdCommand(host, place)}
refuse() { echo "refused $1"; shift; [ $# -eq 0 ] || printf '%s\n' "$@"; exit 0; }
read_size() { printf '%s\n' "$1" | sed -n 's/.*"size":\([0-9][0-9]*\).*/\1/p'; }
# Only a pool that answers without the name proves absence.
require_absent() {
  names=$(rbd ls "$pool") || exit
  if printf '%s\n' "$names" | grep -qxF -- "$1"; then rbd info "$pool/$1"; exit 1; fi
}
read_mark() {
  code=0
  meta=$(rbd image-meta list --format json "$pool/$name") || code=$?
  case $code in
    (0) state=present ;;
    (2) state=absent; return 0 ;;
    (*) exit "$code" ;;
  esac
  case $meta in *${describeMark(host, volume.id)}*) ;; (*) refuse foreign "$pool/$name" ;; esac
}
look_for_image() {
  read_mark
  [ "$state" = present ] || require_absent "$name"
}
read_info() {
  info=$(rbd info --format json "$pool/$name") || exit
  size=$(read_size "$info")
}
# rbd makes nothing smaller, and has one exit code for that and for a size that the image has.
grow() {
  code=0
  said=$(rbd resize --no-progress --size "$want"B "$pool/$1" 2>&1) || code=$?
  [ "$code" -ne 0 ] || return 0
  if [ "$code" -eq 22 ]; then
    size=$(rbd info --format json "$pool/$1") || exit
    size=$(read_size "$size")
    [ "$size" -ne "$want" ] || return 0
    [ "$size" -lt "$want" ] || return 1
  fi
  printf '%s\n' "$said" >&2
  exit "$code"
}
# Makes $part by a command. What a broken making has left is in its way, and removed.
make_part() {
  code=0
  "$@" "$pool/$part" || code=$?
  [ "$code" -eq 17 ] || return "$code"
  drop_part
  "$@" "$pool/$part"
}
mark_part() { rbd image-meta set "$pool/$part" ${metaKey} ${markOf(host, volume.id)} > /dev/null; }
drop_part() {
  code=0
  rbd rm --no-progress "$pool/$part" || code=$?
  case $code in
    (0|2) ;;
    (16) refuse busy ;;
    (*) exit "$code" ;;
  esac
}
finish_part() { rbd rename "$pool/$part" "$pool/$name"; }`;
}

/** The mark as `rbd image-meta list --format json` prints it. */
export function describeMark(host: ComputeHost, id: string): string {
  return `"${metaKey}":"${markOf(host, id)}"`;
}

/** A client of Ceph as a host has it. The key is in the keyring that the file names. */
interface CephClient {
  /** Absolute path on the host. */
  readonly confFile: string;
  /** Without `client.`. */
  readonly user: string;
}

/** The cloud's user that works on the pool: Glance's where images are, else Cinder's. */
function clientOf({ cloudId }: ComputeHost, { clusterId, content }: RbdPlace): CephClient {
  const role = content === "images" ? "glance" : "cinder";
  return { confFile: cephConfFile(clusterId), user: nameCephUser(cloudId, role) };
}

/** Options with which `rbd` works as that client. */
export function listClientOptions(host: ComputeHost, place: RbdPlace): readonly string[] {
  const { confFile, user } = clientOf(host, place);
  return ["--conf", confFile, "--id", user];
}

/** The command `rbd` as this client. A cluster that does not answer ends it, and never is an empty one. */
export function rbdCommand(host: ComputeHost, place: RbdPlace): Shell {
  return sh`rbd() { timeout ${commandSeconds} rbd ${listClientOptions(host, place)} --client_mount_timeout ${connectSeconds} "$@" < /dev/null; }`;
}

/** An image as `qemu-img` opens it; no character of a name ends a word of it, as in `rbd:POOL/NAME:conf=FILE`. */
export function blockNode(host: ComputeHost, place: RbdPlace, image: string, snapshot?: string): string {
  const { pool } = place;
  const { confFile, user } = clientOf(host, place);
  const file = {
    driver: "rbd",
    pool,
    image,
    snapshot,
    conf: confFile,
    user,
  };
  return `json:${JSON.stringify({ driver: "raw", file })}`;
}

/** Runs a script with the functions above. Raises as {@link nameFault} says. */
export async function runRbd(
  pool: HostPool,
  host: ComputeHost,
  place: RbdPlace,
  attempting: string,
  commands: readonly Shell[],
  signal: AbortSignal,
  options: Pick<RunOptions, "readOnly" | "assumed"> = {},
): Promise<string> {
  const connection = await pool.get(host.address, signal);
  try {
    const result = await connection.run(script(...commands), {
      attempting,
      timeoutMs: scriptTimeoutMs,
      signal,
      ...options,
    });
    return result.stdout;
  } catch (error) {
    throw nameFault(error, host, place, attempting);
  }
}

/** What commands of Ceph print, and what it means. The first that is found counts: a client without a key also fails to connect. */
const faults: readonly (readonly [RegExp, "ceph-refused" | "not-found" | "in-use" | "ceph-unreachable"])[] = [
  [
    /unable to (find a keyring|open config file)|\(13\) Permission denied|\(1\) Operation not permitted/,
    "ceph-refused",
  ],
  [/error opening pool .*\(2\) No such file/, "not-found"],
  [/image still has watchers|cannot unprotect: at least/, "in-use"],
  [/couldn't connect to the cluster|\(110\) Connection timed out|error connecting/, "ceph-unreachable"],
];

/** A failed command by what it printed: as `ceph-refused`, `ceph-unreachable`, `not-found` (the pool), `in-use`; else as it is. */
export function nameFault(error: unknown, host: ComputeHost, place: RbdPlace, attempting: string): unknown {
  if (!hasCode(error, "command-failed")) return error;
  const text = error.notes.join("\n");
  const code = faults.find(([pattern]) => pattern.test(text))?.[1];
  if (code === undefined) return error;
  const message = `Could not ${attempting}: ${describeFault(code, clientOf(host, place), place)}`;
  return new StackyardError(code, { message, notes: error.notes });
}

function describeFault(code: (typeof faults)[number][1], client: CephClient, { pool }: RbdPlace): string {
  switch (code) {
    case "ceph-refused":
      return `the Ceph cluster of ${client.confFile} refuses user ${client.user} in pool ${pool}`;
    case "not-found":
      return `the Ceph cluster of ${client.confFile} has no pool ${pool}`;
    case "in-use":
      return "the image is open, or others lie on it";
    case "ceph-unreachable":
      return `no monitor of the Ceph cluster of ${client.confFile} answers`;
  }
}
