import { existsSync, readFileSync, statSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../../folders.ts";
import { withLock } from "../../lock.ts";
import { hashFile } from "../memory.ts";
import { buildImage } from "./build.ts";
import type { BuildOptions } from "./build.ts";
import { manifestSchema } from "./manifest.ts";
import type { ImageManifest } from "./manifest.ts";
import { hashRecipe } from "./recipe.ts";
import type { ImageRecipe } from "./recipe.ts";

const buildWaitMs = 45 * 60_000;

/** A built image. Its files are not written to: hosts put overlays on `root`, and boot `kernel` with `initrd`. */
export interface HostImage {
  readonly hash: string;
  readonly folder: string;
  /** Raw ext4 file system, sparse. */
  readonly root: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly manifest: ImageManifest;
}

/** Where images are kept: what can be built again at any time, but for the disks that stand on it. */
export function imagesFolder(): string {
  return join(cacheFolder(), "lab", "images");
}

function openImage(folder: string): HostImage {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")));
  return {
    hash: manifest.hash,
    folder,
    root: join(folder, "root.raw"),
    kernel: join(folder, "vmlinuz"),
    initrd: join(folder, "initrd"),
    manifest,
  };
}

/**
 * Whether the files are as they were built. They are hashed once, and again when the file system says that they were
 * touched since: a start of a lab does not read gigabytes.
 */
async function isWhole(folder: string, manifest: ImageManifest): Promise<boolean> {
  const stampFile = join(folder, "verified");
  const stats = Object.keys(manifest.files).map((name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    return stat === undefined ? [name] : [name, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs];
  });
  const stamp = JSON.stringify(stats);
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return true;
  for (const [name, { sha256 }] of Object.entries(manifest.files)) {
    const path = join(folder, name);
    if (!existsSync(path) || (await hashFile(path)).sha256 !== sha256) return false;
  }
  await writeFile(stampFile, stamp);
  return true;
}

/** The image of a recipe in the user's cache; undefined when it is not there, or not as it was built. */
export async function findImage(recipe: ImageRecipe): Promise<HostImage | undefined> {
  const folder = join(imagesFolder(), hashRecipe(recipe));
  if (!existsSync(join(folder, "manifest.json"))) return undefined;
  const image = openImage(folder);
  return (await isWhole(folder, image.manifest)) ? image : undefined;
}

/**
 * The image of a recipe, built when the cache has none, or a damaged one.
 * @throws StackyardError what {@link buildImage} raises.
 */
export async function ensureImage(recipe: ImageRecipe, options: BuildOptions): Promise<HostImage> {
  const known = await findImage(recipe);
  if (known !== undefined) return known;
  const folder = join(imagesFolder(), hashRecipe(recipe));
  const onWait = (): void => options.onProgress?.("waiting for another command that builds this image");
  return withLock(folder, { waitMs: buildWaitMs, signal: options.signal, onWait }, async () => {
    const built = await findImage(recipe);
    if (built !== undefined) return built;
    if (existsSync(folder)) {
      options.onProgress?.("the image in the cache is damaged: building it anew");
      await rm(folder, { recursive: true });
    }
    const title = [recipe.distribution, ...recipe.roles].join(" ");
    await buildImage(recipe, folder, {
      ...options,
      onProgress: (message) => options.onProgress?.(`image ${title}: ${message}`),
    });
    return openImage(folder);
  });
}
