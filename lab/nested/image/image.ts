import type { ImageRecipe } from "./recipe.ts";
export interface HostImage {
  readonly hash: string;
  readonly folder: string;
  readonly root: string;
  readonly kernel: string;
  readonly initrd: string;
}
export function findImage(_recipe: ImageRecipe): Promise<HostImage | undefined> {
  return Promise.resolve({
    hash: "x",
    folder: "/tmp/img",
    root: "/tmp/img/root.raw",
    kernel: "/tmp/img/vmlinuz",
    initrd: "/tmp/img/initrd",
  });
}
export async function ensureImage(
  recipe: ImageRecipe,
  _options: { onProgress?: ((message: string) => void) | undefined; signal?: AbortSignal | undefined },
): Promise<HostImage> {
  const image = await findImage(recipe);
  if (image === undefined) throw new TypeError("x");
  return image;
}
