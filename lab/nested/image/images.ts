import { existsSync, readdirSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { StackyardError } from "../../../providers/core/errors.ts";
import { withLock } from "../../lock.ts";
import { clearParts } from "./build.ts";
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

/**
 * Removes the images that nothing uses, and what killed builds have left. One that is being built stays.
 * @param options.dryRun only tells.
 */
export async function collectImages(options: {
  readonly dryRun: boolean;
}): Promise<readonly CollectedImage[]> {
  if (!options.dryRun) await pruneUsers();
  const collected: CollectedImage[] = [];
  for (const hash of listHashes()) collected.push(await collectImage(hash, options.dryRun));
  return collected;
}

async function collectImage(hash: string, dryRun: boolean): Promise<CollectedImage> {
  const folder = join(imagesFolder(), hash);
  const isPart = (name: string): boolean => name.startsWith(`${hash}.part-`);
  const parts = readdirSync(imagesFolder()).filter(isPart);
  const sizes = await Promise.all(parts.map((name) => diskBytes(join(imagesFolder(), name))));
  const partBytes = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const bytes = (await diskBytes(folder)) + partBytes;
  try {
    // Under the lock of those who build and take images: a lab is on record before it takes one.
    return await withLock(folder, { waitMs: 0 }, async () => {
      const users = (await listImageUsers()).filter(({ image }) => image === hash);
      if (!dryRun) await clearParts(folder);
      if (users.length > 0)
        return { hash, bytes, kept: `used by ${users.map(({ name }) => name).join(", ")}` };
      if (!dryRun) await rm(folder, { recursive: true, force: true });
      return { hash, bytes, kept: null };
    });
  } catch (error) {
    if (!(error instanceof StackyardError && error.code === "wrong-state")) throw error;
    return { hash, bytes, kept: "being built, or taken by a lab" };
  }
}
