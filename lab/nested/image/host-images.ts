import type { LabOptions } from "../../driver.ts";
import type { NestedHost, NestedPlan } from "../plan.ts";
import { ensureImage, findImageFolder, openUsedImage } from "./image.ts";
import type { HostImage } from "./image.ts";
import { recipeOf } from "./recipe.ts";
import { registerUser } from "./users.ts";

/**
 * The image of each host, by its name: the one that its disks stand on, else that of its roles, or the bare distribution.
 * @throws StackyardError `image-checksum` when one that disks stand on is not as it was built.
 */
export async function ensureImages(
  plan: NestedPlan,
  hosts: readonly NestedHost[],
  { onProgress, signal }: LabOptions,
): Promise<ReadonlyMap<string, HostImage>> {
  const images = new Map<string, HostImage>();
  await registerUser(plan.folder);
  const folders = await Promise.all(hosts.map(findImageFolder));
  for (const [index, host] of hosts.entries()) {
    const folder = folders[index];
    const image =
      folder === undefined
        ? await ensureImage(recipeOf(plan, host.roles), { onProgress, signal })
        : await openUsedImage(folder, host);
    images.set(host.name, image);
  }
  return images;
}
