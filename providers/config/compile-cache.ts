import { mkdirSync, statSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

/** Bits of a mode by which others than the owner may write. */
const writableByOthers = 0o022;

/**
 * Lets Node keep the code that it compiles from now on in `$XDG_CACHE_HOME/stackyard/compiled`, else below `~/.cache`, so that the next process
 * starts sooner. Node tells entries apart by its own version, the architecture, the user, and each file's path and text: none serves another release. The folder
 * is used only if it belongs to this user and nobody else may write there, since what lies there is run; without it the program starts as it
 * would otherwise. `NODE_COMPILE_CACHE` and `NODE_DISABLE_COMPILE_CACHE` of Node's own come before.
 *
 * @returns the folder, or `undefined` where none is used.
 */
export function keepCompiledCode(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const given = environment["XDG_CACHE_HOME"];
  const caches = given?.startsWith("/") === true ? given : join(homedir(), ".cache");
  const folder = join(caches, "stackyard", "compiled");
  if (!isOwn(folder)) return undefined;
  return enableCompileCache(folder).directory;
}

function isOwn(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    return uid === process.getuid?.() && (mode & writableByOthers) === 0;
  } catch {
    // A home that cannot be written to.
    return false;
  }
}
