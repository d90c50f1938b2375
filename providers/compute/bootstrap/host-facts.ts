import { bytesPerGib } from "../../core/bytes.ts";
import { StackyardError } from "../../core/errors.ts";
import { script, sh } from "../../hosts/command.ts";
import type { Shell } from "../../hosts/command.ts";
import { deploymentSchema, hostPaths, type Deployment } from "./deployment.ts";

/** Debian package of each program that a host runs for its daemons. */
export const cephPackages: Readonly<Record<string, string>> = {
  ceph: "ceph-common",
  "ceph-authtool": "ceph-common",
  monmaptool: "ceph-base",
  "ceph-mon": "ceph-mon",
  "ceph-mgr": "ceph-mgr",
  "ceph-osd": "ceph-osd",
  ss: "iproute2",
  wipefs: "util-linux",
};

/** What decides whether a host can be part of a new cluster. */
export interface CephHostFacts {
  readonly isRoot: boolean;
  readonly hasSystemd: boolean;
  /** Programs of {@link cephPackages} that are not there. */
  readonly missing: readonly string[];
  readonly freeRamMib: number;
  /** Of the file system where the OSD's file would lie. */
  readonly freeDiskGib: number;
  /** Address that SSH came in by; absent where the connection does not tell. */
  readonly reachedBy: string | undefined;
  /** Its own IPv4 addresses, without loopback. */
  readonly addresses: readonly string[];
  /** Which of the monitors' ports something listens on. */
  readonly takenPorts: readonly number[];
  /** Files and folders of a Ceph, whosever it is. */
  readonly cephFiles: readonly string[];
  /** The fsid in its ceph.conf. */
  readonly fsid: string | undefined;
  /** What a run of ours has begun here. */
  readonly deployment: Deployment | undefined;
  /** Of the device that was asked for; nothing where none was. */
  readonly device: DeviceFacts;
}

/** What a block device is found to be. */
export interface DeviceFacts {
  readonly isBlock: boolean;
  readonly sizeGib: number;
  /** What is on it or uses it: a file system, partitions, a mapping. */
  readonly contents: readonly string[];
}

/** Asks a host; reads only. Answered by `key value` lines, which {@link parseCephHostFacts} reads. */
export function lookAtCephHost(device: string | undefined): Shell {
  return script(
    sh`say() { printf '%s %s\n' "$1" "$2"; }
say user "$(id -u)"
[ ! -d /run/systemd/system ] || say systemd yes
for tool in ${Object.keys(cephPackages)}; do command -v "$tool" > /dev/null || say missing "$tool"; done
say ramKib "$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
folder=/var/lib/ceph
while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
df -P -k "$folder" | { read -r header; read -r source size used free rest; say diskKib "$free"; }
set -- $(printenv SSH_CONNECTION || :)
[ $# -lt 4 ] || say reached "$3"
ip -o -4 address show scope global | while read -r index name family address rest; do say address "$(echo "$address" | cut -d / -f 1)"; done
ss -H -l -t -n 2> /dev/null | while read -r state receive send local rest; do
  case $local in *:3300) say port 3300 ;; *:6789) say port 6789 ;; esac
done
for file in /etc/ceph/*.conf /etc/ceph/*.keyring /var/lib/ceph/mon/* /var/lib/ceph/mgr/* /var/lib/ceph/osd/*; do
  [ ! -e "$file" ] || say file "$file"
done
for conf in /etc/ceph/*.conf; do
  [ ! -e "$conf" ] || sed -n 's/^[[:space:]]*fsid[[:space:]]*=[[:space:]]*/fsid /p' "$conf"
done
[ ! -e ${hostPaths.mark} ] || say mark "$(tr -d '\n' < ${hostPaths.mark})"`,
    device === undefined
      ? sh`:`
      : sh`device=${device}
if [ -b "$device" ]; then
  say deviceBytes "$(blockdev --getsize64 "$device")"
  wipefs -p -- "$device" | sed -n '/^#/!s/^/content /p'
  node=/sys/class/block/$(basename "$(readlink -f "$device")")
  for holder in "$node"/holders/* "$node"/*/partition; do [ ! -e "$holder" ] || say content "used by $holder"; done
  grep -q "^$(readlink -f "$device") " /proc/mounts && say content mounted || :
  blkid -p -o value -s TYPE "$device" | sed 's/^/content /' || :
fi`,
  );
}

/** Raises `not-ours` for a mark that cannot be read: what it tells of must not be guessed. */
export function parseCephHostFacts(host: string, answer: string): CephHostFacts {
  const lines = answer.split("\n").map((line) => {
    const space = line.indexOf(" ");
    return [line.slice(0, space), line.slice(space + 1)] as const;
  });
  const all = (key: string): readonly string[] => [
    ...new Set(lines.filter(([name]) => name === key).map(([, value]) => value)),
  ];
  const [bytes] = all("deviceBytes");
  const [mark] = all("mark");
  return {
    isRoot: all("user")[0] === "0",
    hasSystemd: all("systemd").length > 0,
    missing: all("missing"),
    freeRamMib: Math.floor(Number(all("ramKib")[0]) / 1024),
    freeDiskGib: Math.floor(Number(all("diskKib")[0]) / 1024 ** 2),
    reachedBy: all("reached")[0],
    addresses: all("address"),
    takenPorts: all("port").map(Number).sort(),
    cephFiles: all("file"),
    fsid: all("fsid")[0],
    deployment: mark === undefined ? undefined : parseMark(host, mark),
    device: {
      isBlock: bytes !== undefined,
      sizeGib: Math.floor(Number(bytes ?? 0) / bytesPerGib),
      contents: all("content"),
    },
  };
}

function parseMark(host: string, mark: string): Deployment {
  try {
    return deploymentSchema.parse(JSON.parse(mark));
  } catch (cause) {
    throw new StackyardError("not-ours", {
      message: `${hostPaths.mark} on host ${host} is not what this version writes there`,
      remedy: "Use the version of stackyard that made the cluster.",
      cause,
    });
  }
}
