import { hasCode, StackyardError } from "../../../core/errors.ts";
import type { ComputeHost } from "../../../core/ports.ts";
import type { RbdPlace, VolumeRef } from "../../../core/volume-backend.ts";
import { nameImage } from "../../../core/volume-location.ts";
import { script, sh } from "../../../hosts/command.ts";
import type { Shell } from "../../../hosts/command.ts";
import type { RunOptions } from "../../../hosts/connection.ts";
import type { HostPool } from "../../../hosts/pool.ts";
import { cephConfFile } from "../../layout.ts";
import { nameCephUser, ovsKeys } from "../../marks.ts";

/** Keys of an image's metadata. A clone has its parent's until it gets its own. */
export const metaKeys = { cloud: ovsKeys.cloud, id: "stackyard-id" } as const;

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
 * `absent`, with `$info` and `$size`; an image of the name without our mark ends the script.
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
is_marked() {
  meta=$(rbd image-meta list --format json "$pool/$1") || exit
  case $meta in *${`"${metaKeys.cloud}":"${host.cloudId}"`}*) ;; (*) return 1 ;; esac
  case $meta in *"\"stackyard-id\":\"$2\""*) ;; (*) return 1 ;; esac
}
look_for_image() {
  code=0
  info=$(rbd info --format json "$pool/$name") || code=$?
  if [ "$code" -eq 0 ]; then
    is_marked "$name" ${volume.id} || refuse foreign "$pool/$name"
    size=$(read_size "$info")
    state=present
  else
    [ "$code" -eq 2 ] || exit "$code"
    require_absent "$name"
    state=absent
  fi
}
mark_part() {
  rbd image-meta set "$pool/$part" ${metaKeys.cloud} ${host.cloudId} > /dev/null
  rbd image-meta set "$pool/$part" ${metaKeys.id} ${volume.id} > /dev/null
}
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
