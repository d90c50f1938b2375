import type { CephCluster } from "../core/ceph.ts";
import { StackyardError, type ErrorCode, type ErrorDetail } from "../core/errors.ts";
import type { ComputeHost } from "../core/ports.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { CommandResult, RunOptions } from "../hosts/connection.ts";
import type { HostPool } from "../hosts/pool.ts";
import { renderConf } from "./ceph-client.ts";
import { readAdminKey } from "./ceph-keyring.ts";

/** Time in which a monitor must answer. */
const connectSeconds = 8;
/** Time in which one command must end: placement groups of a new pool take theirs. */
const commandSeconds = 60;
const scriptTimeoutMs = 300_000;

/** Exit code of a script whose cluster is another one. */
const otherCluster = 71;
/** Exit code of a script on a host without Ceph's tools. */
const noTools = 72;
/** Exit code of `timeout` (coreutils) when the limit passed. */
const timedOut = 124;
const maxNoteChars = 2_000;

/** A fault that a script's own error text tells, before what holds for any. */
export interface CephFault {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;
}

/** A script that talks to a cluster. */
export interface CephTask {
  /** What it is for, in the words of an error: `make pool volumes`. */
  readonly attempting: string;
  /** May use `ceph` and `rbd`, which know the cluster and the user. */
  readonly commands: readonly Shell[];
  /** Faults of its own. */
  readonly faults?: readonly CephFault[];
  readonly readOnly?: boolean;
}

/**
 * Runs a script on `via` as the cluster's user, once the cluster has proved to be the one that is meant, and gives its output. The key goes by
 * standard input into a folder in memory that ends with the script.
 *
 * Raises `ceph-unreachable`, `ceph-refused`, `conflict` (another fsid), `host-unsuitable` (no tools on `via`), `invalid-input` for the keyring file,
 * and what the connection raises.
 */
export async function runOnCluster(
  pool: HostPool,
  via: ComputeHost,
  cluster: CephCluster,
  { attempting, commands, faults = [], readOnly = false }: CephTask,
  signal: AbortSignal,
): Promise<string> {
  const key = await readAdminKey(cluster);
  const connection = await pool.get(via.address, signal);
  const options: RunOptions = {
    attempting,
    stdin: `${key}\n`,
    timeoutMs: scriptTimeoutMs,
    allowFailure: true,
    readOnly,
    signal,
  };
  const result = await connection.run(script(openSession(cluster), ...commands), options);
  if (result.exitCode === 0) return result.stdout;
  throw explainFailure(via, cluster, attempting, faults, result);
}

/** Defines `ceph` and `rbd` for the rest of the script, and ends it where the cluster is another one. */
function openSession(cluster: CephCluster): Shell {
  const name = `client.${cluster.user}`;
  const conf = renderConf(cluster, { storageSeconds: commandSeconds / 2 });
  return sh`for tool in ceph rbd; do command -v "$tool" > /dev/null || exit ${noTools}; done
umask 077
session=$(mktemp -d /run/stackyard-ceph.XXXXXXXXXX)
trap 'rm -rf -- "$session"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
read -r key
printf '[%s]\nkey = %s\n' ${name} "$key" > "$session/keyring"
unset key
printf '%s' ${conf} > "$session/ceph.conf"
ceph() {
  timeout -k 2 ${commandSeconds} ceph --conf "$session/ceph.conf" --name ${name} --keyring "$session/keyring" --connect-timeout ${connectSeconds} "$@" < /dev/null
}
rbd() {
  timeout -k 2 ${commandSeconds} rbd --conf "$session/ceph.conf" --name ${name} --keyring "$session/keyring" "$@" < /dev/null
}
found=$(ceph fsid) || { code=$?; echo "(error connecting to the cluster)" >&2; exit "$code"; }
[ "$found" = ${cluster.fsid} ] || { printf '%s' "$found"; exit ${otherCluster}; }`;
}

function explainFailure(
  via: ComputeHost,
  cluster: CephCluster,
  attempting: string,
  faults: readonly CephFault[],
  { exitCode, stdout, stderr }: CommandResult,
): StackyardError {
  const notes = stderr.trim() === "" ? [] : [stderr.trim().slice(-maxNoteChars)];
  const monitors = cluster.monitors.join(", ");
  const on = `Ceph cluster ${cluster.name}`;
  if (exitCode === noTools)
    return new StackyardError("host-unsuitable", {
      message: `Host ${via.name} has no ceph and rbd to reach ${on} with`,
      remedy: "Install ceph-common on the host.",
    });
  if (exitCode === otherCluster)
    return new StackyardError("conflict", {
      message: `The cluster at ${monitors} has the fsid ${stdout}, not ${cluster.fsid}`,
      field: "fsid",
      value: cluster.fsid,
      remedy: "Correct the fsid, or the monitors: `ceph fsid` on the cluster tells.",
    });
  if (/error connecting to the cluster/.test(stderr)) {
    if (/permission denied|EACCES|errno 13\b|errno 1\b/i.test(stderr))
      return new StackyardError("ceph-refused", {
        message: `${on} refuses the key of client.${cluster.user}`,
        field: "keyringFile",
        value: cluster.keyringFile,
        notes,
      });
    return unreachable(`No monitor of ${on} at ${monitors} answers host ${via.name}`);
  }
  const fault = faults.find(({ pattern }) => pattern.test(stderr));
  if (fault !== undefined) {
    return new StackyardError(fault.code, { ...fault.detail, notes });
  }
  if (/EACCES|EPERM|Operation not permitted|access denied|Permission denied/i.test(stderr))
    return new StackyardError("ceph-refused", {
      message: `${on} does not let client.${cluster.user} ${attempting}`,
      field: "user",
      value: cluster.user,
      notes,
    });
  if (exitCode === timedOut || /ETIMEDOUT|timed out/i.test(stderr))
    return unreachable(`${on} did not answer in time in the attempt to ${attempting}`);
  return new StackyardError("command-failed", {
    message: `Could not ${attempting} on ${on} by host ${via.name}: exit code ${String(exitCode)}`,
    notes,
  });

  function unreachable(message: string): StackyardError {
    return new StackyardError("ceph-unreachable", {
      message,
      field: "monitors",
      value: monitors,
      notes,
    });
  }
}
