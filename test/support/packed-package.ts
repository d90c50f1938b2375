import { globSync } from "node:fs";
import { join } from "node:path";
import { inject } from "vitest";
import { withLock } from "../../lab/lock.ts";
import { packPackage } from "../../lab/packed-project.ts";
import "./packed-folder.ts";

/** Longest wait for another test file that packs, in milliseconds. */
const waitMs = 5 * 60_000;

/** The tarball of what would be published: the first test file of a run that asks has it packed. */
export function packOnce(): Promise<string> {
  const folder = inject("packedFolder");
  return withLock(folder, { waitMs }, async () => {
    const [packed] = globSync(join(folder, "*.tgz"));
    return packed ?? packPackage(folder, process.env);
  });
}
