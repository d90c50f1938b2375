import { describeSize } from "../../../core/bytes.ts";
import { StackyardError } from "../../../core/errors.ts";
import type { ComputeHost } from "../../../core/ports.ts";
import type { ImportedImage, RbdParent, RbdPlace } from "../../../core/volume-backend.ts";
import { script, sh } from "../../../hosts/command.ts";
import type { HostPool } from "../../../hosts/pool.ts";
import { copyUntil, lockVolume, volumeJob } from "../volume-backend.ts";
import { blockNode, defineRbd, nameFault, partSuffix, runRbd } from "./rbd-client.ts";
import { fillPart } from "./rbd-making.ts";
import { readSpace } from "./rbd-output.ts";
import { throwIfRefused } from "./rbd-volumes.ts";

/** Snapshot of an image that volumes are cloned from (glance_store: `_drivers/rbd.py`). */
const snapshot = "snap";
/** A cluster without a manager never answers what space it has. */
const spaceSeconds = 10;
/** Answered where an image is not there; what the cluster says of its space follows. */
const absent = "absent\n";

/**
 * {@link VolumesPort.importImage}. The image is compared with its file rather than by a checksum, which for RBD would read the holes too; it costs about
 * as much as the copy.
 */
export async function importImage(
  pool: HostPool,
  host: ComputeHost,
  place: RbdPlace,
  image: ImportedImage,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<RbdParent> {
  const volume = { place, id: image.id, name: image.name };
  const attempting = `import image ${image.name} into pool ${place.pool}`;
  const client = ["--conf", place.client.confFile, "--id", place.client.user];
  const look = sh`look_for_image
if [ "$state" = present ]; then
  rbd snap create --no-progress "$pool/$name@"${snapshot} || [ $? -eq 17 ]
  rbd snap protect "$pool/$name@"${snapshot} || [ $? -eq 16 ]
  exit 0
fi
printf ${absent}
timeout ${spaceSeconds} ceph ${client} --connect-timeout ${spaceSeconds} df --format json 2> /dev/null || true`;
  const command = script(
    defineRbd(host, place, volume),
    sh`look_for_image
[ "$state" = absent ] || exit 0
want=${image.virtualSizeBytes}
${fillPart(host, place, volume, image.format, image.path)}
qemu-img compare -p -f ${image.format} -F raw ${image.path} ${blockNode(place, image.name + partSuffix(host))} || refuse differs
finish_part`,
  );
  const isDone = async (): Promise<boolean> => {
    const commands = [lockVolume(host, image.id, "-x"), defineRbd(host, place, volume), look];
    const output = await runRbd(pool, host, place, attempting, commands, signal);
    throwIfRefused(output, place, volume, attempting);
    if (!output.startsWith(absent)) return true;
    requireSpace(place, image, readSpace(output.slice(absent.length), place.pool), progress);
    return false;
  };
  const check = (log: string): void => throwIfRefused(log, place, volume, attempting);
  const report = (line: string): void => progress(`${attempting}: ${line}`);
  const connection = await pool.get(host.address, signal);
  try {
    const job = { ...volumeJob(host, image.id), command };
    await copyUntil(connection, job, { isDone, check }, report, signal);
  } catch (error) {
    throw nameFault(error, place, attempting);
  }
  return { pool: place.pool, image: image.name, snapshot };
}

/** Before anything is written (cinder: `image_utils.py` `check_available_space`). */
function requireSpace(
  { pool }: RbdPlace,
  image: ImportedImage,
  spaceBytes: number | undefined,
  progress: (line: string) => void,
): void {
  if (spaceBytes === undefined) {
    progress(`the cluster does not tell what space pool ${pool} has (it has no manager?): it is not checked`);
    return;
  }
  if (spaceBytes > image.virtualSizeBytes) return;
  throw new StackyardError("host-disk-full", {
    message: `Image ${image.name} does not fit into pool ${pool}: ${describeSize(image.virtualSizeBytes)} needed, ${describeSize(spaceBytes)} left`,
    remedy: "Free space in the pool, or add disks to the cluster.",
  });
}
