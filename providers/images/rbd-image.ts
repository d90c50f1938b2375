import { describeSize } from "../core/bytes.ts";
import { hasCode, StackyardError } from "../core/errors.ts";
import type { ComputeHost, ImageSpec } from "../core/ports.ts";
import type { StepContext } from "../core/resource.ts";
import type { RbdParent } from "../core/volume-backend.ts";
import { placeOfImages } from "../volumes/pool-place.ts";

type Context = Pick<
  StepContext<never, never>,
  "ports" | "together" | "world" | "cloudId" | "signal" | "progress"
>;

/**
 * The disk of an image as what disks and volumes of a pool are cloned from. The first who needs it there has `host` fetch and import it, whoever asks at
 * the same time waits for that; it becomes raw, and takes the space of its data. Raises `wrong-state` for an image without a disk, `host-disk-full`,
 * `image-*`, and what Ceph raises.
 */
export async function ensureImageInPool(
  { ports, together, world, cloudId, signal, progress }: Context,
  image: ImageSpec,
  host: ComputeHost,
  poolId: string,
): Promise<RbdParent> {
  const { disk } = image;
  if (disk === undefined)
    throw new StackyardError("wrong-state", {
      message: `image ${JSON.stringify(image.name)} has no disk that could be brought into a pool`,
    });
  const place = placeOfImages(poolId, world, cloudId);
  const wanted = { id: image.id, name: image.id };
  let brought: RbdParent | undefined;
  const bring = async (): Promise<void> => {
    brought = await ports.volumes.findImage(host, place, wanted, signal);
    if (brought !== undefined) return;
    const { format, virtualSizeBytes } = disk.facts;
    progress(
      `bringing image ${image.name} into pool ${place.pool}, where it is a raw image of ${describeSize(virtualSizeBytes)}`,
    );
    const onlyDisk = { ...image, kernel: undefined, initrd: undefined };
    const { diskPath: path } = await ports.images.ensureCached(host, onlyDisk, progress, signal);
    if (path === undefined)
      throw new StackyardError("internal", { message: "an image with a disk was cached without one" });
    brought = await ports.volumes.importImage(
      host,
      place,
      { ...wanted, path, format, virtualSizeBytes },
      progress,
      signal,
    );
  };
  for (;;) {
    const found = await ports.volumes.findImage(host, place, wanted, signal);
    if (found !== undefined) return found;
    try {
      await together(`image ${image.id} in ${place.clusterId} ${place.pool}`, "bring", bring);
      // A preview brings nothing that could be found then.
      if (brought !== undefined) return brought;
    } catch (error) {
      // Whoever began the work may have given it up; then it is ours to begin.
      if (!hasCode(error, "interrupted") || signal.aborted) throw error;
    }
  }
}
