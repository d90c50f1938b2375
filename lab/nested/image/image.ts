import { existsSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StackyardError } from "../../../providers/core/errors.ts";
import { withLock } from "../../lock.ts";
import { hashFile } from "../checksum.ts";
import { listBases } from "../disks.ts";
import type { NestedHost } from "../plan.ts";
import { buildImage } from "./build.ts";
import type { BuildOptions } from "./build.ts";
import { manifestSchema } from "./manifest.ts";
import type { ImageManifest } from "./manifest.ts";
import { hashRecipe } from "./recipe.ts";
import type { ImageRecipe } from "./recipe.ts";
import { imagesFolder, listImageUsers } from "./users.ts";

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

function openImage(folder: string, manifest: ImageManifest): HostImage {
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
async function isWhole(
  folder: string,
  manifest: ImageManifest,
  onProgress?: (message: string) => void,
): Promise<boolean> {
  const stampFile = join(folder, "verified");
  const stats = Object.keys(manifest.files).map((name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    return stat === undefined ? [name] : [name, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs];
  });
  const stamp = JSON.stringify(stats);
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return true;
  onProgress?.(`checking the image ${basename(folder)}`);
  for (const [name, { sha256 }] of Object.entries(manifest.files)) {
    const path = join(folder, name);
    if (!existsSync(path) || (await hashFile(path)).sha256 !== sha256) return false;
  }
  await writeFile(stampFile, stamp);
  return true;
}

/**
 * Reads the manifest in an image's folder; undefined when there is none, or one that cannot be read.
 */
export function findManifest(folder: string): ImageManifest | undefined {
  const path = join(folder, "manifest.json");
  if (!existsSync(path)) return undefined;
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** The image of a recipe in the user's cache; undefined when it is not there, or not as it was built. */
export async function findImage(
  recipe: ImageRecipe,
  onProgress?: (message: string) => void,
): Promise<HostImage | undefined> {
  const folder = join(imagesFolder(), hashRecipe(recipe));
  const manifest = findManifest(folder);
  if (manifest === undefined || !(await isWhole(folder, manifest, onProgress))) return undefined;
  return openImage(folder, manifest);
}

/** How an image is had. */
export interface EnsureOptions extends BuildOptions {
  /** Builds it anew from what the mirror has now; default: false. */
  readonly refresh?: boolean;
  /** Default: {@link buildImage}. */
  readonly build?: typeof buildImage;
}

/**
 * The image of a recipe, built when the cache has none, or a damaged one.
 * @throws StackyardError `in-use` for one that is to be built anew while labs use it, `image-checksum` for a damaged one
 * that disks of labs stand on, and what {@link buildImage} raises.
 */
export async function ensureImage(recipe: ImageRecipe, options: EnsureOptions): Promise<HostImage> {
  const folder = join(imagesFolder(), hashRecipe(recipe));
  const onWait = (): void => options.onProgress?.("waiting for another command that works on this image");
  // Under the lock, since an image that no lab uses yet may be removed meanwhile.
  return withLock(folder, { waitMs: buildWaitMs, signal: options.signal, onWait }, async () => {
    const known = await findImage(recipe, options.onProgress);
    if (known !== undefined && options.refresh !== true) return known;
    if (existsSync(folder)) await requireReplaceable(folder, known !== undefined);
    if (existsSync(folder) && known === undefined)
      options.onProgress?.("the image in the cache is damaged: building it anew");
    const title = [recipe.distribution, ...recipe.roles].join(" ");
    await (options.build ?? buildImage)(recipe, folder, {
      ...options,
      onProgress: (message) => options.onProgress?.(`image ${title}: ${message}`),
    });
    const manifest = findManifest(folder);
    if (manifest === undefined) throw new TypeError("a built image has a manifest");
    return openImage(folder, manifest);
  });
}

/** Folder of the image that a host's disks stand on, be it of an older recipe; undefined for a host without disks. */
export async function findImageFolder(host: NestedHost): Promise<string | undefined> {
  const root = (await listBases(host)).find((path) => basename(path) === "root.raw");
  return root === undefined ? undefined : dirname(root);
}

/**
 * The image in a folder, which a host's disks stand on.
 * @throws StackyardError `image-checksum` when it is not as it was built.
 */
export async function openUsedImage(folder: string, host: NestedHost): Promise<HostImage> {
  const manifest = findManifest(folder);
  if (manifest !== undefined && (await isWhole(folder, manifest))) return openImage(folder, manifest);
  throw damagedImage(basename(folder), `host ${host.name}`);
}

function damagedImage(hash: string, users: string): StackyardError {
  return new StackyardError("image-checksum", {
    message: `image ${hash} is not as it was built, and disks of ${users} stand on it`,
    field: "image",
    value: hash,
    remedy:
      "Take the labs that use it down (stackyard lab down --name NAME), and run again: it is then built anew.",
  });
}

/** Another build has other packages: disks that stand on the old one would be of no use. */
async function requireReplaceable(folder: string, isWhole: boolean): Promise<void> {
  const hash = basename(folder);
  const users = (await listImageUsers()).filter(
    ({ image, hasDisks }) => image === hash && (isWhole || hasDisks),
  );
  if (users.length === 0) return;
  const names = users.map(({ name }) => name).join(", ");
  if (!isWhole) throw damagedImage(hash, names);
  throw new StackyardError("in-use", {
    message: `image ${hash} is used by ${names}`,
    field: "image",
    value: hash,
    remedy: "Take what uses it down (stackyard lab down --name NAME), and run again.",
  });
}
