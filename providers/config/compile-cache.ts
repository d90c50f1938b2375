import { mkdirSync, realpathSync, statSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Bits of a mode by which others than the owner may write. */
const writableByOthers = 0o022;

/** Bit of a folder's mode by which one's files there are nobody else's to rename or remove. */
const sticky = 0o1000;

/**
 * Lets Node keep the code that it compiles from now on in `$XDG_CACHE_HOME/stackyard/compiled`, else below `~/.cache`, so that the next process
 * starts sooner. Node tells entries apart by its own version, the architecture, the user, and each file's path and text: none serves another release. The folder
 * is used only if it belongs to this user and nobody else may write there or put another in its place, since what lies there is run; without it the
 * program starts as it would otherwise. `NODE_COMPILE_CACHE` and `NODE_DISABLE_COMPILE_CACHE` of Node's own come before.
 *
 * @returns the folder, or `undefined` where none is used.
 */
export function keepCompiledCode(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const given = environment["XDG_CACHE_HOME"];
  const caches = given?.startsWith("/") === true ? given : join(homedir(), ".cache");
  const folder = openOwn(join(caches, "stackyard", "compiled"));
  if (folder === undefined) return undefined;
  return enableCompileCache(folder).directory;
}

/** Makes the folder and gives its path without symbolic links, which others could turn; `undefined` where it is not this user's alone. */
function openOwn(path: string): string | undefined {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const folder = realpathSync(path);
    const { uid, mode } = statSync(folder);
    if (uid !== process.getuid?.() || (mode & writableByOthers) !== 0) return undefined;
    return isHeld(dirname(folder), uid) ? folder : undefined;
  } catch {
    // A home that cannot be written to.
    return undefined;
  }
}

/** Whether only the user and root can put anything else in the place of what the user has below the folder. */
function isHeld(folder: string, user: number): boolean {
  const { uid, mode } = statSync(folder);
  if (uid !== 0 && uid !== user) return false;
  if ((mode & writableByOthers) !== 0 && (mode & sticky) === 0) return false;
  const above = dirname(folder);
  return above === folder || isHeld(above, user);
}
