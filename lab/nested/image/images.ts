import { existsSync, readdirSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { StackyardError } from "../../../providers/core/errors.ts";
import { withLock } from "../../lock.ts";
import { clearParts } from "./build.ts";
import { collectPackages } from "./download.ts";
import { findManifest } from "./image.ts";
import { imagesFolder, listImageUsers, pruneUsers } from "./users.ts";

/** An image of the cache. */
export interface ImageDescription {
  readonly hash: string;
  /** Null for one whose manifest cannot be read; it is built anew when a lab needs it. */
  readonly distribution: string | null;
  readonly roles: readonly string[];
  /** What it takes on the disk. */
  readonly bytes: number;
  /** ISO 8601, UTC. */
  readonly builtAt: string | null;
  readonly folder: string;
  /** Labs, or processes, that it is kept for. */
  readonly users: readonly string[];
}

/** What is done, or would be done, about an image. */
export interface CollectedImage {
  readonly hash: string;
  readonly bytes: number;
  /** Why it stays; null for one that goes. */
  readonly kept: string | null;
}

async function diskBytes(folder: string): Promise<number> {
  const names = existsSync(folder) ? await readdir(folder, { recursive: true }) : [];
  // A build that is at work removes its files meanwhile.
  const sizes = names.map((name) =>
    stat(join(folder, name)).then(
      ({ blocks }) => blocks * 512,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

/** Hashes of what is in the cache: images, and what builds have begun. */
function listHashes(): string[] {
  const folder = imagesFolder();
  if (!existsSync(folder)) return [];
  return [...new Set(readdirSync(folder).map((name) => name.replace(/\.part-.*$/, "")))].sort();
}

/** The images of this user's cache, in order of their hashes. */
export async function listImages(): Promise<readonly ImageDescription[]> {
  const users = await listImageUsers();
  const hashes = listHashes().filter((hash) => existsSync(join(imagesFolder(), hash)));
  return Promise.all(
    hashes.map(async (hash): Promise<ImageDescription> => {
      const folder = join(imagesFolder(), hash);
      const manifest = findManifest(folder);
      return {
        hash,
        distribution: manifest?.distribution ?? null,
        roles: manifest?.roles ?? [],
        bytes: await diskBytes(folder),
        builtAt: manifest?.builtAt ?? null,
        folder,
        users: users.filter(({ image }) => image === hash).map(({ name }) => name),
      };
    }),
  );
}

/** What was removed, or would be. */
export interface Collection {
  readonly images: readonly CollectedImage[];
  /** Bytes of downloaded packages that no image has that stays. */
  readonly packageBytes: number;
  /** Bytes of images and packages that go. */
  readonly freedBytes: number;
}

/**
 * Removes the images that nothing uses, the packages that none of the others has, and what killed builds have left. What is
 * being built or downloaded stays.
 * @param options.dryRun only tells.
 */
export async function collectImages({ dryRun }: { readonly dryRun: boolean }): Promise<Collection> {
  if (!dryRun) await pruneUsers();
  const images: CollectedImage[] = [];
  for (const hash of listHashes()) images.push(await collectImage(hash, dryRun));
  const installed = images
    .filter(({ kept }) => kept !== null)
    .flatMap(({ hash }) => findManifest(join(imagesFolder(), hash))?.packages ?? [])
    .map(({ name, version }) => `${name} ${version}`);
  const packageBytes = await unlessLocked(() => collectPackages(new Set(installed), dryRun), 0);
  const freedBytes = images.reduce((sum, { bytes, kept }) => sum + (kept === null ? bytes : 0), packageBytes);
  return { images, packageBytes, freedBytes };
}

/** What `action` gives, or `otherwise` when another command holds the lock that it wants. */
async function unlessLocked<Result>(action: () => Promise<Result>, otherwise: Result): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof StackyardError && error.code === "wrong-state") return otherwise;
    throw error;
  }
}

async function collectImage(hash: string, dryRun: boolean): Promise<CollectedImage> {
  const folder = join(imagesFolder(), hash);
  const isPart = (name: string): boolean => name.startsWith(`${hash}.part-`);
  const parts = readdirSync(imagesFolder()).filter(isPart);
  const sizes = await Promise.all(parts.map((name) => diskBytes(join(imagesFolder(), name))));
  const partBytes = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const bytes = (await diskBytes(folder)) + partBytes;
  // Under the lock of those who build and take images: a lab is on record before it takes one.
  const collect = (): Promise<CollectedImage> =>
    withLock(folder, { waitMs: 0 }, async () => {
      const users = (await listImageUsers()).filter(({ image }) => image === hash);
      if (!dryRun) await clearParts(folder);
      if (users.length > 0)
        return { hash, bytes, kept: `used by ${users.map(({ name }) => name).join(", ")}` };
      if (!dryRun) await rm(folder, { recursive: true, force: true });
      return { hash, bytes, kept: null };
    });
  return unlessLocked(collect, { hash, bytes, kept: "being built, or taken by a lab" });
}
