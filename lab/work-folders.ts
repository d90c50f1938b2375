import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "../providers/core/errors.ts";
import { labsFolder } from "./folders.ts";
import { withLock } from "./lock.ts";
import { makeFolder } from "./state-files.ts";

/** Beside the labs, where renames are cheap. */
const parentFolder = (): string => join(dirname(labsFolder()), "transfers");

/** Gives `action` a folder of its own for the time of a copy. Those of copies that were killed go away. */
export async function withWorkFolder<Result>(action: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = join(parentFolder(), randomUUID());
  // Whoever dies lets go of the lock, which is held before the folder is there.
  return withLock(folder, { waitMs: 0 }, async () => {
    await sweepWorkFolders();
    await makeFolder(folder, 0o700);
    try {
      return await action(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
      await rmdir(parentFolder()).catch(() => undefined); // stays while another copy is made
    }
  });
}

/** Removes the folders of copies that were killed. */
export async function sweepWorkFolders(): Promise<void> {
  const parent = parentFolder();
  if (!existsSync(parent)) return;
  for (const name of await readdir(parent)) {
    const folder = join(parent, name);
    try {
      await withLock(folder, { waitMs: 0 }, () => rm(folder, { recursive: true, force: true }));
    } catch (error) {
      if (!hasCode(error, "wrong-state")) throw error; // Its copy is at work.
    }
  }
  await rmdir(parent).catch(() => undefined);
}
