import type { ComputeHost } from "../../../core/ports.ts";
import type { RbdPlace, VolumeSpec } from "../../../core/volume-backend.ts";
import { sh } from "../../../hosts/command.ts";
import type { Shell } from "../../../hosts/command.ts";
import { nameSnapshot, readSize } from "../volume-backend.ts";
import { blockNode, describeMark, nameImage, partSuffix } from "./rbd-client.ts";

/**
 * Makes an image that is blank or a clone, grows one that is there, and answers `copy` where the rest takes long. What a broken making has left is
 * removed and begun anew.
 */
export function ensureImage(host: ComputeHost, place: RbdPlace, spec: VolumeSpec): Shell {
  const sizeBytes = readSize(spec);
  return sh`read_mark
want=${sizeBytes}
if [ "$state" = present ]; then
  [ "$want" -ne 0 ] || exit 0
  read_info
  [ "$size" -le "$want" ] || refuse shrinks "$size"
  [ "$size" -eq "$want" ] || rbd resize --no-progress --size "$want"B "$pool/$name"
  exit 0
fi
fits() { [ "$want" -eq 0 ] || [ "$1" -le "$want" ] || refuse source "$1"; }
${makeImage(host, place, spec)}`;
}

function makeImage(host: ComputeHost, place: RbdPlace, { source }: VolumeSpec): Shell {
  switch (source.kind) {
    case "blank":
      return sh`make_part rbd create --size "$want"B
mark_part
finish_part`;
    case "parent": {
      const { pool, image, snapshot } = source.parent;
      return cloneOf(`${pool}/${image}`, snapshot);
    }
    case "snapshot": {
      const image = nameImage(source.volume);
      return sh`${requireSource(host, image, source.volume.id)}
${cloneOf(`${place.pool}/${image}`, nameSnapshot(source.snapshotId))}`;
    }
    case "volume": {
      const image = nameImage(source.volume);
      return sh`${requireSource(host, image, source.volume.id)}
source=$(rbd info --format json "$pool/"${image})
fits "$(read_size "$source")"
echo copy`;
    }
    case "image":
      return sh`fits ${source.virtualSizeBytes}
[ -e ${source.path} ] || refuse absent "file "${source.path}
echo copy`;
  }
}

/**
 * Clones (cinder: `rbd.py _clone`), and is as large as wanted before it has its name. The parent's mark is overwritten with the clone's own. The parent
 * is looked at only where the clone fails.
 */
function cloneOf(image: string, snapshot: string): Shell {
  const parent = `${image}@${snapshot}`;
  return sh`make_part rbd clone ${parent} || {
  code=$?
  [ "$code" -ne 2 ] || rbd info ${parent} > /dev/null || [ $? -ne 2 ] || refuse absent ${`snapshot ${parent}`}
  exit "$code"
}
[ "$want" -eq 0 ] || grow "$part" || { drop_part; refuse source "$size"; }
mark_part
finish_part`;
}

/** Another volume is there, and ours. */
function requireSource(host: ComputeHost, image: string, id: string): Shell {
  return sh`meta=$(rbd image-meta list --format json "$pool/"${image} 2> /dev/null) || { require_absent ${image} || exit; refuse absent "volume "${id}; }
case $meta in *${describeMark(host, id)}*) ;; (*) refuse foreign ;; esac`;
}

/**
 * The job that copies a source into a new image. A volume is copied from a snapshot of that moment, so that writes meanwhile do not tear it, and
 * depends on nothing then (cinder: `rbd_max_clone_depth` 0).
 */
export function copySource(host: ComputeHost, place: RbdPlace, spec: VolumeSpec): Shell {
  const { source } = spec;
  switch (source.kind) {
    case "image":
      return sh`read_mark
[ "$state" = absent ] || exit 0
want=${Math.max(readSize(spec), source.virtualSizeBytes)}
${fillPart(host, place, spec, source.format, source.path)}
finish_part`;
    case "volume": {
      const image = nameImage(source.volume);
      const moment = `${image}@copy-${spec.id}`;
      return sh`read_mark
[ "$state" = absent ] || exit 0
want=${readSize(spec)}
moment="$pool/"${moment}
rbd snap rm --no-progress "$moment" 2> /dev/null || [ $? -eq 2 ]
rbd snap create --no-progress "$moment"
trap 'rbd snap rm --no-progress "$moment"' EXIT
[ "$want" -ne 0 ] || want=$(read_size "$(rbd info --format json "$pool/"${image})")
${fillPart(host, place, spec, "raw", blockNode(host, place, image, `copy-${spec.id}`))}
finish_part`;
    }
    case "blank":
    case "parent":
    case "snapshot":
      return sh`:`;
  }
}

/** A new image of `$want` bytes with our mark and the source's data, without its holes, which a new image has anyway. */
export function fillPart(
  host: ComputeHost,
  place: RbdPlace,
  volume: Pick<VolumeSpec, "id" | "name">,
  format: "qcow2" | "raw",
  from: string,
): Shell {
  return sh`make_part rbd create --size "$want"B
mark_part
qemu-img convert -p -n --target-is-zero -f ${format} -O raw ${from} ${blockNode(host, place, nameImage(volume) + partSuffix(host))}`;
}
