import { describeSize } from "../../../core/bytes.ts";
import { StackyardError } from "../../../core/errors.ts";
import type { ComputeHost } from "../../../core/ports.ts";
import type { ImportedImage, RbdParent, RbdPlace } from "../../../core/volume-backend.ts";
import { script, sh } from "../../../hosts/command.ts";
import { cleanJob } from "../../../hosts/job.ts";
import type { HostPool } from "../../../hosts/pool.ts";
import { copyUntil, lockVolume, volumeJob } from "../volume-backend.ts";
import { blockNode, defineRbd, listClientOptions, nameFault, partSuffix, runRbd } from "./rbd-client.ts";
import { fillPart } from "./rbd-making.ts";
import { readSnapshots, readSpace } from "./rbd-output.ts";
import { dropImage, dropSnapshot, throwIfRefused } from "./rbd-volumes.ts";

/** Snapshot of an image that volumes are cloned from (glance_store: `_drivers/rbd.py`). */
const snapshot = "snap";
/** A cluster without a manager never answers what space it has. */
const spaceSeconds = 3;
const childrenSeconds = 60;
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
  const client = listClientOptions(host, place);
  const look = sh`read_mark
if [ "$state" = present ]; then
  rbd snap create --no-progress "$pool/$name@"${snapshot} || [ $? -eq 17 ]
  rbd snap protect "$pool/$name@"${snapshot} || [ $? -eq 16 ]
  exit 0
fi
printf ${absent}
timeout ${spaceSeconds} ceph ${client} --connect-timeout ${spaceSeconds} df --format json 2> /dev/null || true`;
  const command = script(
    defineRbd(host, place, volume),
    sh`read_mark
[ "$state" = absent ] || exit 0
want=${image.virtualSizeBytes}
${fillPart(host, place, volume, image.format, image.path)}
qemu-img compare -p -f ${image.format} -F raw ${image.path} ${blockNode(host, place, image.name + partSuffix(host))} || refuse differs
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
    throw nameFault(error, host, place, attempting);
  }
  return { pool: place.pool, image: image.name, snapshot };
}

/** {@link VolumesPort.findImage} */
export async function findImage(
  pool: HostPool,
  host: ComputeHost,
  place: RbdPlace,
  image: Pick<ImportedImage, "id" | "name">,
  signal: AbortSignal,
): Promise<RbdParent | undefined> {
  const volume = { place, id: image.id, name: image.name };
  const attempting = `look for image ${image.name} in pool ${place.pool}`;
  const look = sh`look_for_image
[ "$state" = present ] || { printf ${absent}; exit 0; }
rbd snap ls --format json "$pool/$name"`;
  const commands = [defineRbd(host, place, volume), look];
  const output = await runRbd(pool, host, place, attempting, commands, signal, { readOnly: true });
  throwIfRefused(output, place, volume, attempting);
  if (output === absent || !readSnapshots(output).includes(snapshot)) return undefined;
  return { pool: place.pool, image: image.name, snapshot };
}

/** {@link VolumesPort.removeImage}. Who lies on it is asked as Cinder's user: Glance's may look into no pool but its own. */
export async function removeImage(
  pool: HostPool,
  host: ComputeHost,
  place: RbdPlace,
  image: Pick<ImportedImage, "id" | "name">,
  signal: AbortSignal,
): Promise<void> {
  const volume = { place, id: image.id, name: image.name };
  const attempting = `remove image ${image.name} from pool ${place.pool}`;
  await cleanJob(await pool.get(host.address, signal), volumeJob(host, image.id));
  const asCinder = listClientOptions(host, { ...place, content: "volumes" });
  const commands = [
    lockVolume(host, image.id, "-x"),
    defineRbd(host, place, volume),
    sh`rbd_children() { timeout ${childrenSeconds} rbd ${asCinder} children "$@" < /dev/null; }
look_for_image
if [ "$state" = present ]; then
${dropSnapshot(snapshot)}
fi
${dropImage}`,
  ];
  throwIfRefused(await runRbd(pool, host, place, attempting, commands, signal), place, volume, attempting);
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
