import { hasCode, StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { ComputeHost } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { HostPool } from "../hosts/pool.ts";
import { domainSeparator } from "../hosts/virsh.ts";
import { findUnreached } from "./ceph-reach.ts";
import { processFunctions } from "./domain-process.ts";
import { serverFolder } from "./layout.ts";
import { domainNamespace, nameDomain } from "./marks.ts";
import { nameKeyFault } from "./volumes/volume-key.ts";

/** Last words of a script that refuses to go on; it ends well, so that every other failure is told apart. */
const refusals = ["foreign", "absent", "disk-too-small"] as const;
type Refusal = (typeof refusals)[number];

/** Ends a script well, with what {@link openRunner} raises for it. */
export function refuse(refusal: Refusal): Shell {
  return refuseAs(refusal);
}

/** Ends a script well, with why it does not go on as its last word. */
export function refuseAs(why: string): Shell {
  return sh`{ echo ${`refused ${why}`}; exit 0; }`;
}

/** Time that a script may take beside the waiting it is asked for. */
export const scriptTimeoutMs = 120_000;
/** Time that a script waits for another that works on the same server. */
const lockWaitSeconds = 100;

/** What differs between scripts. */
export interface ScriptOptions {
  readonly stdin: Uint8Array;
  readonly timeoutMs: number;
  /** How it learns whether our domain is there. Default {@link lookForDomain}. */
  readonly look: Shell;
}

/** Runs a script about one server, under the host's lock of it. Raises what it refuses with; gives what it prints. */
export type RunOnServer = (
  host: ComputeHost,
  id: ResourceId,
  attempting: string,
  body: Shell,
  signal: AbortSignal,
  options?: Partial<ScriptOptions>,
) => Promise<string>;

/** The one way in which scripts about servers are run. */
export function openRunner(pool: HostPool): RunOnServer {
  return async (host, id, attempting, body, signal, { look = lookForDomain, ...options } = {}) => {
    const connection = await pool.get(host.address, signal);
    const result = await connection
      .run(script(lockServer(host, id), defineFunctions(host, id), look, body), {
        attempting: `${attempting} ${id}`,
        timeoutMs: scriptTimeoutMs,
        ...options,
        signal,
      })
      .catch((error: unknown) => {
        throw nameDiskFault(nameKeyFault(error), host, id, attempting);
      });
    throwIfRefused(result.stdout, host, id, attempting);
    return result.stdout;
  };
}

/**
 * Lets one script at a time work on a server: one whose starter was killed goes on, and a removal must come after it. The lock's file is none of
 * the server's, since a removed file locks nobody out; it is named so that hardly two servers share one. A host without folder has no servers.
 */
export function lockServer(host: ComputeHost, id: ResourceId): Shell {
  const folder = `${host.folder}/locks`;
  return sh`if [ -d ${host.folder} ]; then
  [ -d ${folder} ] || mkdir -p -- ${folder}
  exec 9> ${`${folder}/${id.slice(0, 4)}`}
  flock -w ${lockWaitSeconds} 9 || { echo 'another command works on this server' >&2; exit 1; }
fi`;
}

/**
 * Functions of all scripts. `look_for_domain` sets `$state`: whether our own domain is `present` or `absent`. A domain that has the server's
 * name or uuid without our mark for this server ends the script, after `forget`. With `--disks` the same call leaves what `section` prints: the XML of
 * the domain (1) and of its definition (2).
 */
export function defineFunctions(host: ComputeHost, id: ResourceId): Shell {
  return sh`uri=${domainNamespace} cloud=${host.cloudId} id=${id} name=${nameDomain(id)} separator=${domainSeparator}
ours="<server cloud=\"$cloud\" id=\"$id\" "
libvirt() { virsh -q -c qemu:///system "$@" < /dev/null; }
section() {
  printf '%s\n' "$described" | awk -v separator="$separator" -v wanted="$1" '
    BEGIN { section = 0 }
    {
      while (at = index($0, separator)) {
        if (section ~ wanted) print substr($0, 1, at - 1)
        section++
        $0 = substr($0, at + length(separator))
      }
      if (section ~ wanted) print
    }'
}
look_for_domain() {
  more=
  [ $# -eq 0 ] || more="echo $separator; dumpxml $name; echo $separator; dumpxml --inactive $name; echo $separator;"
  # The list comes last: its success makes the exit code, and only a domain that it lacks is absent.
  seen=$(libvirt "metadata $id $uri; metadata $name $uri; $more list --all --uuid --name" 2>&1) || { printf '%s\n' "$seen" >&2; exit 1; }
  if [ $# -ne 0 ]; then
    described=$seen
    seen=$(section '[03]')
  fi
  case $seen in
    *"$ours"*"$ours"*) state=present ;;
    *"$id "*|*" $name"*) forget; ${refuse("foreign")} ;;
    *) state=absent ;;
  esac
}
forget() { :; }
${processFunctions}`;
}

/** Before anything is written. */
const lookForDomain = sh`look_for_domain`;

/** Ends a script when libvirt has no such domain. */
export const requireDomain: Shell = sh`[ "$state" != absent ] || ${refuse("absent")}`;

/**
 * QEMU's own user must be able to pass through the folders, not to list them, and not to read files. A folder that is new goes again when the
 * server turns out to be somebody else's.
 */
export function enterServerFolder(host: ComputeHost, id: ResourceId): Shell {
  const folder = serverFolder(host.folder, id);
  return sh`umask 066
[ -d ${folder} ] || forget() { rm -rf -- ${folder}; }
mkdir -p -- ${folder}
cd -- ${folder}
receive() { head -c "$1" > "$2"; }
# One after the other: when the last has all its bytes, so have those before.
is_whole() { [ "$(stat -c %s "$2")" = "$1" ]; }`;
}

/** A failed command as `ceph-unreachable` or `ceph-refused` where the cluster with the server's disks is the reason; else as it is. */
function nameDiskFault(error: unknown, host: ComputeHost, id: ResourceId, attempting: string): unknown {
  if (!hasCode(error, "command-failed")) return error;
  const cannot = `Cannot ${attempting} ${id} on host ${host.name}: the Ceph cluster with its disks`;
  switch (findUnreached(error.notes)) {
    case "ceph-unreachable":
      return new StackyardError("ceph-unreachable", {
        message: `${cannot} does not answer`,
        notes: error.notes,
      });
    case "ceph-refused":
      return new StackyardError("ceph-refused", {
        message: `${cannot} refuses the client of this host`,
        notes: error.notes,
      });
    case undefined:
      return error;
  }
}

function throwIfRefused(stdout: string, host: ComputeHost, id: ResourceId, attempting: string): void {
  const cannot = `Cannot ${attempting} ${id} on host ${host.name}`;
  switch (refusals.find((refusal) => stdout.trim() === `refused ${refusal}`)) {
    case "foreign":
      throw new StackyardError("not-ours", {
        message: `${cannot}: a domain with its name ${nameDomain(id)} or its uuid is not of this cloud`,
        remedy: `Look at it on the host: virsh dumpxml ${nameDomain(id)}`,
      });
    case "absent":
      throw new StackyardError("not-found", {
        message: `${cannot}: libvirt has no such domain`,
        remedy: "Apply the stack again: it builds the server anew.",
      });
    case "disk-too-small":
      throw new StackyardError("invalid-input", {
        message: `${cannot}: the image is larger than the flavor's disk`,
        field: "flavor.diskGib",
        remedy: "Choose a flavor with a larger disk.",
      });
    case undefined:
  }
}
