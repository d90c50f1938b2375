import { sh, type Shell } from "../hosts/command.ts";
import { clientMark, confName } from "./ceph-client.ts";
import { cephFolder } from "./layout.ts";

/** Longest that one cluster may take to answer: more than the time after which a client gives its monitors up. */
const reachSeconds = 15;
/** Exit code of `rbd` without such an image: QEMU says so too, at once. */
const noImage = 2;

/**
 * Functions of scripts that let QEMU open images of Ceph. QEMU waits five minutes for a cluster that does not answer (ceph: `client_mount_timeout`), and
 * its guest, whatever other disks it has, stands still all the time.
 *
 * `reach_clusters` reads definitions of disks, and asks for one image of each cluster that they name, as the client that the host is of it. Where one
 * does not answer it prints what the client says, and fails. `start_reaching FILE` does so beside what follows, and `require_reached` waits for it, and
 * ends the script where it failed.
 */
export const reachFunctions: Shell = sh`reaching=
reach_clusters() {
  awk -F "['\"]" '
    /<auth username=/ { user = $2 }
    /<secret type=.ceph/ { secret = $4 }
    /<source protocol=.rbd/ { if (!(secret in seen)) print secret, user, $4; seen[secret] = 1 }' |
    while read -r secret user image; do
      mark=$(grep -lsF "\"secretId\":\"$secret\"" ${cephFolder}/*/${clientMark} | head -n 1)
      [ -n "$mark" ] || continue
      code=0
      said=$(timeout ${reachSeconds} rbd --conf "$(dirname "$mark")/"${confName} --id "$user" info "$image" 2>&1 < /dev/null) || code=$?
      case $code in
        (0|${noImage}) ;;
        (124) echo 'error connecting to the cluster: no answer in time'; exit 1 ;;
        (*) printf '%s\n' "$said"; exit 1 ;;
      esac
    done
}
start_reaching() {
  reach_clusters < "$1" > reached 2>&1 &
  reaching=$!
}
require_reached() {
  [ -n "$reaching" ] || return 0
  wait "$reaching" || { cat reached >&2; rm reached; exit 1; }
  rm reached
  reaching=
}`;

type Unreached = "ceph-refused" | "ceph-unreachable";

/** What `rbd` says of a cluster that gives no access. The first that is found counts: a client without a key also fails to connect. */
const faults: readonly (readonly [RegExp, Unreached])[] = [
  [
    /unable to (find a keyring|open config file)|\(13\) Permission denied|\(1\) Operation not permitted/,
    "ceph-refused",
  ],
  [/couldn't connect to the cluster|error connecting|\(110\) Connection timed out/, "ceph-unreachable"],
];

/** Why a script failed that asked clusters, by what it printed. `undefined`: for another reason. */
export function findUnreached(lines: readonly string[]): Unreached | undefined {
  const text = lines.join("\n");
  return faults.find(([pattern]) => pattern.test(text))?.[1];
}
