import type { ComputeHost } from "../../../core/ports.ts";
import type { RbdPlace, VolumeSpec } from "../../../core/volume-backend.ts";
import { sh } from "../../../hosts/command.ts";
import type { Shell } from "../../../hosts/command.ts";
import { nameSnapshot, readSize } from "../volume-backend.ts";
import { blockNode, nameImage, partSuffix } from "./rbd-client.ts";

/**
 * Makes an image that is blank or a clone, grows one that is there, and answers `copy` where the rest takes long. What a broken making has left is
 * removed and begun anew.
 */
export function ensureImage(place: RbdPlace, spec: VolumeSpec): Shell {
  const sizeBytes = readSize(spec);
  return sh`look_for_image
want=${sizeBytes}
if [ "$state" = present ]; then
  [ "$want" -ne 0 ] || exit 0
  [ "$size" -le "$want" ] || refuse shrinks "$size"
  [ "$size" -eq "$want" ] || rbd resize --no-progress --size "$want"B "$pool/$name"
  exit 0
fi
fits() { [ "$want" -ne 0 ] || want=$1; [ "$1" -le "$want" ] || refuse source "$1"; }
${makeImage(place, spec)}`;
}

function makeImage(place: RbdPlace, { source }: VolumeSpec): Shell {
  switch (source.kind) {
    case "blank":
      return sh`drop_part
rbd create --size "$want"B "$pool/$part"
mark_part
finish_part`;
    case "parent": {
      const { pool, image, snapshot } = source.parent;
      return cloneOf(`${pool}/${image}`, snapshot);
    }
    case "snapshot": {
      const image = nameImage(source.volume);
      return sh`${requireSource(image, source.volume.id)}
${cloneOf(`${place.pool}/${image}`, nameSnapshot(source.snapshotId))}`;
    }
    case "volume": {
      const image = nameImage(source.volume);
      return sh`${requireSource(image, source.volume.id)}
fits "$(read_size "$source")"
echo copy`;
    }
    case "image":
      return sh`fits ${source.virtualSizeBytes}
[ -e ${source.path} ] || refuse absent "file "${source.path}
echo copy`;
  }
}

/** Clones (cinder: `rbd.py _clone`), and is as large as wanted before it has its name. The parent's metadata is overwritten with the clone's own. */
function cloneOf(image: string, snapshot: string): Shell {
  return sh`source=$(rbd info --format json ${`${image}@${snapshot}`} 2> /dev/null) || { [ $? -eq 2 ] && refuse absent ${`snapshot ${image}@${snapshot}`}; rbd info ${`${image}@${snapshot}`}; exit 1; }
size=$(read_size "$source")
fits "$size"
drop_part
rbd clone ${`${image}@${snapshot}`} "$pool/$part"
mark_part
[ "$size" -eq "$want" ] || rbd resize --no-progress --size "$want"B "$pool/$part"
finish_part`;
}

/** Sets `$source` to what `rbd info` says of another volume of ours. */
function requireSource(image: string, id: string): Shell {
  return sh`source=$(rbd info --format json "$pool/"${image} 2> /dev/null) || { require_absent ${image} || exit; refuse absent "volume "${id}; }
is_marked ${image} ${id} || refuse foreign`;
}

/**
 * The job that copies a source into a new image. A volume is copied from a snapshot of that moment, so that writes meanwhile do not tear it, and
 * depends on nothing then (cinder: `rbd_max_clone_depth` 0).
 */
export function copySource(host: ComputeHost, place: RbdPlace, spec: VolumeSpec): Shell {
  const { source } = spec;
  switch (source.kind) {
    case "image":
      return sh`look_for_image
[ "$state" = absent ] || exit 0
want=${Math.max(readSize(spec), source.virtualSizeBytes)}
${fillPart(host, place, spec, source.format, source.path)}
finish_part`;
    case "volume": {
      const image = nameImage(source.volume);
      const moment = `${image}@copy-${spec.id}`;
      return sh`look_for_image
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
  return sh`drop_part
rbd create --size "$want"B "$pool/$part"
mark_part
qemu-img convert -p -n --target-is-zero -f ${format} -O raw ${from} ${blockNode(host, place, nameImage(volume) + partSuffix(host))}`;
}
