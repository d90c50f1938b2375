import { describeSize } from "../../../core/bytes.ts";
import { StackyardError } from "../../../core/errors.ts";
import type { ComputeHost } from "../../../core/ports.ts";
import type { ImportedImage, RbdParent, RbdPlace } from "../../../core/volume-backend.ts";
import { cleanJob } from "../../../hosts/job.ts";
import type { HostPool } from "../../../hosts/pool.ts";
import { volumeJob } from "../volume-backend.ts";
import { blockNode, clientOf, partSuffix } from "./rbd-client.ts";
import { convertInto } from "./rbd-making.ts";
import { answers, askAboutVolume, type RbdRefusal, type RbdWork } from "./rbd-program.ts";
import { copyRbd, doing, refuse } from "./rbd-volumes.ts";

/** Snapshot of an image that volumes are cloned from (glance_store: `_drivers/rbd.py`). */
const snapshot = "snap";

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
  const onRefusal = (refusal: RbdRefusal): never => refuse(refusal, volume, attempting);
  const into = blockNode(host, place, image.name + partSuffix(host));
  const copy: RbdWork = {
    do: "copy",
    want: image.virtualSizeBytes,
    convert: convertInto(host, place, volume, image.format, image.path),
    compare: ["qemu-img", "compare", "-p", "-f", image.format, "-F", "raw", image.path, into],
    protect: snapshot,
  };
  const isDone = async (): Promise<boolean> => {
    const question = { attempting, answer: answers.begun, assumed: "whole", onRefusal } as const;
    const found = await askAboutVolume(
      pool,
      host,
      volume,
      { do: "begin_import", snapshot },
      question,
      signal,
    );
    if (found === "whole") return true;
    requireSpace(place, image, found.space, progress);
    return false;
  };
  const report = (line: string): void => progress(`${attempting}: ${line}`);
  await copyRbd(pool, host, volume, copy, { attempting, answer: answers.ensured, isDone }, report, signal);
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
  const question = {
    attempting,
    answer: answers.flag,
    options: { readOnly: true },
    assumed: false,
    onRefusal: (refusal: RbdRefusal): never => refuse(refusal, volume, attempting),
  };
  const isThere = await askAboutVolume(pool, host, volume, { do: "find_import", snapshot }, question, signal);
  return isThere ? { pool: place.pool, image: image.name, snapshot } : undefined;
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
  const { user: reader } = clientOf(host, { ...place, content: "volumes" });
  const onRefusal = (refusal: RbdRefusal): never => refuse(refusal, volume, attempting);
  const question = { ...doing(attempting), onRefusal };
  await askAboutVolume(pool, host, volume, { do: "remove_import", snapshot, reader }, question, signal);
}

/** Before anything is written (cinder: `image_utils.py` `check_available_space`). */
function requireSpace(
  { pool }: RbdPlace,
  image: ImportedImage,
  spaceBytes: number | null,
  progress: (line: string) => void,
): void {
  if (spaceBytes === null) {
    progress(`the cluster does not tell what space pool ${pool} has (it has no manager?): it is not checked`);
    return;
  }
  if (spaceBytes > image.virtualSizeBytes) return;
  throw new StackyardError("host-disk-full", {
    message: `Image ${image.name} does not fit into pool ${pool}: ${describeSize(image.virtualSizeBytes)} needed, ${describeSize(spaceBytes)} left`,
    remedy: "Free space in the pool, or add disks to the cluster.",
  });
}
