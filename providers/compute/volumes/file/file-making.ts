import type { ComputeHost } from "../../../core/ports.ts";
import type { VolumeRef, VolumeSpec } from "../../../core/volume-backend.ts";
import { sh } from "../../../hosts/command.ts";
import type { Shell } from "../../../hosts/command.ts";
import { imageLimits } from "../../image-state.ts";
import { volumeFile, volumeFolder } from "../../layout.ts";
import { nameSnapshot, readSize } from "../volume-backend.ts";
import { keySecret, stretchMs } from "../volume-key.ts";

/** A file as `qemu-img` opens it, with the key where it is encrypted. */
function nodeOf(path: string, encryption: VolumeRef["encryption"]): string {
  if (encryption === undefined) return path;
  const file = { driver: "file", filename: path };
  return `json:${JSON.stringify({ driver: "qcow2", encrypt: { "key-secret": keySecret }, file })}`;
}

/** Options of a new file: LUKS within the qcow2, whose size stays that of the data. */
function listFormatOptions({ encryption }: Pick<VolumeRef, "encryption">): readonly string[] {
  return encryption === undefined
    ? []
    : ["-o", `encrypt.format=luks,encrypt.key-secret=${keySecret},encrypt.iter-time=${String(stretchMs)}`];
}

/**
 * Functions of all scripts about one file, beside `qemu_img` of {@link defineQemuImg}. `$node` is how that opens the file, `$part_node` the one that is
 * being made. A holder is a process with the file open, be it only to read: its name and id a line. Who looks at it as
 * these scripts do, under the same shared lock, is none: it lets go in a moment, and hinders nobody. `require_free` ends the script while there is one.
 */
export function defineFile(
  host: ComputeHost,
  { id, encryption }: Pick<VolumeRef, "id" | "encryption">,
): Shell {
  const disk = volumeFile(host.folder, id);
  return sh`umask 066
folder=${volumeFolder(host.folder, id)} disk=${disk}
node=${nodeOf(disk, encryption)} part_node=${nodeOf(`${disk}.part`, encryption)}
refuse() { echo "refused $1"; shift; [ $# -eq 0 ] || printf '%s\n' "$@"; exit 0; }
list_holders_of() {
  for handle in /proc/[0-9]*/fd/*; do
    [ "$handle" -ef "$1" ] || continue
    process=$(printf '%s\n' "$handle" | cut -d / -f 3)
    case $(tr '\0' ' ' 2> /dev/null < "/proc/$process/cmdline") in ('' | 'qemu-img info -U '*) continue ;; esac
    echo "$(cat "/proc/$process/comm" 2> /dev/null || echo process) (process $process)"
  done
}
list_holders() { list_holders_of "$disk"; }
require_free() {
  holders=$(list_holders)
  [ -z "$holders" ] || refuse wrong-state "$holders"
}
virtual_size() { od -A n -t u8 -j 24 -N 8 --endian=big -- "$1" | tr -d ' '; }`;
}

/** Makes a file that is blank or lies on an image, grows one that is there, and answers `copy` where the rest takes long. */
export function ensureDisk(host: ComputeHost, spec: VolumeSpec): Shell {
  return sh`want=${readSize(spec)}
if [ -e "$disk" ]; then
  [ "$want" -ne 0 ] || exit 0
  ${growDisk}
  exit 0
fi
fits() { [ "$want" -ne 0 ] || want=$1; [ "$1" -le "$want" ] || refuse source "$1"; }
${makeDisk(host, spec)}`;
}

/** To `$want` bytes. The virtual size of qcow2 is the 8 bytes at 24 (qemu: `docs/interop/qcow2.txt`). */
export const growDisk: Shell = sh`size=$(virtual_size "$disk")
[ "$size" -le "$want" ] || refuse shrinks "$size"
if [ "$size" -lt "$want" ]; then
  require_free
  qemu_img resize -q -f qcow2 "$node" "$want"
fi`;

function makeDisk(host: ComputeHost, spec: VolumeSpec): Shell {
  const { source } = spec;
  const options = listFormatOptions(spec);
  switch (source.kind) {
    case "blank":
      return sh`mkdir -p -- "$folder"
qemu_img create -q -f qcow2 ${options} "$disk.part" "$want"
mv -- "$disk.part" "$disk"`;
    case "image":
      return sh`fits ${source.virtualSizeBytes}
[ -e ${source.path} ] || refuse absent "file "${source.path}
mkdir -p -- "$folder"
qemu_img create -q -f qcow2 ${options} -b ${source.path} -F ${source.format} "$disk.part" "$want"
mv -- "$disk.part" "$disk"`;
    case "parent":
      return sh`refuse parent`;
    case "snapshot":
      return sh`${requireSource(host, source.volume.id)}
case $(prlimit ${imageLimits} qemu-img info -U -f qcow2 --output=json "$source") in
  *${`"name": "${nameSnapshot(source.snapshotId)}"`}*) ;;
  (*) refuse absent "snapshot "${nameSnapshot(source.snapshotId)} ;;
esac
echo copy`;
    case "volume":
      return sh`${requireSource(host, source.volume.id)}
echo copy`;
  }
}

/** Where a copy of the same file runs, it holds the source too: then that is waited for rather than refused. */
function requireSource(host: ComputeHost, id: VolumeRef["id"]): Shell {
  return sh`source=${volumeFile(host.folder, id)}
[ -e "$source" ] || refuse absent "volume "${id}
fits "$(virtual_size "$source")"`;
}

/**
 * The job that copies a source into a new file. A copy of a snapshot is as large as its volume is now: a qcow2 file has one size for all of its
 * snapshots.
 */
export function copySource(host: ComputeHost, spec: VolumeSpec): Shell {
  const { source } = spec;
  switch (source.kind) {
    case "snapshot":
      return copyFrom(host, spec, source.volume.id, [
        "-l",
        `snapshot.name=${nameSnapshot(source.snapshotId)}`,
      ]);
    case "volume":
      return copyFrom(host, spec, source.volume.id, []);
    case "blank":
    case "image":
    case "parent":
      return sh`:`;
  }
}

/** Two copies of one source may run side by side: each reads it. */
function copyFrom(
  host: ComputeHost,
  spec: VolumeSpec,
  sourceId: VolumeRef["id"],
  options: readonly string[],
): Shell {
  const want = readSize(spec);
  const source = volumeFile(host.folder, sourceId);
  return sh`[ ! -e "$disk" ] || exit 0
source=${source}
mkdir -p -- "$folder"
code=0
qemu_img convert -p -f qcow2 -O qcow2 ${listFormatOptions(spec)} ${options} ${nodeOf(source, spec.encryption)} "$disk.part" 2> "$folder/errors" || code=$?
if [ "$code" -ne 0 ]; then
  cat "$folder/errors" >&2
  if grep -q 'Failed to get shared' "$folder/errors"; then
    rm -rf -- "$folder"
    refuse wrong-state "$(list_holders_of "$source")"
  fi
  exit "$code"
fi
rm -f -- "$folder/errors"
[ ${want} -eq 0 ] || qemu_img resize -q -f qcow2 "$part_node" ${want}
mv -- "$disk.part" "$disk"`;
}
