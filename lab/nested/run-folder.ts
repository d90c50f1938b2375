import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { StackyardError } from "../../providers/core/errors.ts";
import { isOwnFolder } from "../own-folder.ts";

/** Bytes of a Unix socket's path on Linux, less the closing zero (unix(7)). */
const maxSocketPathBytes = 107;

/** The user's own folder for sockets: `$XDG_RUNTIME_DIR/stackyard`, else one below the folder of temporary files. */
export function runtimeFolder(): string {
  const given = process.env["XDG_RUNTIME_DIR"];
  if (given?.startsWith("/") === true && existsSync(given)) return join(given, "stackyard");
  return join(tmpdir(), `stackyard-${String(userInfo().uid)}`);
}

/**
 * Makes the folder of a lab's sockets, for its user alone.
 * @throws StackyardError `forbidden` when somebody else has a folder of that name, `invalid-input` when a socket's path
 * would be too long.
 */
export async function ensureRunFolder(folder: string, longestName: string): Promise<void> {
  const path = join(folder, longestName);
  if (Buffer.byteLength(path) > maxSocketPathBytes) {
    throw new StackyardError("invalid-input", {
      message: `the path of a socket would be longer than ${String(maxSocketPathBytes)} bytes`,
      value: path,
      remedy: "Set XDG_RUNTIME_DIR to a folder with a shorter path, or choose a shorter host name.",
    });
  }
  // One after the other: nothing is made in a folder of somebody else, or behind a link of theirs.
  for (const each of [dirname(folder), folder]) {
    await mkdir(each, { recursive: true, mode: 0o700 });
    requireOwn(each);
  }
}

/** The folder for sockets, there or to be made. Raises `forbidden` when somebody else has it. */
export function requireRuntimeFolder(): string {
  const folder = runtimeFolder();
  if (existsSync(folder)) requireOwn(folder);
  return folder;
}

function requireOwn(folder: string): void {
  if (isOwnFolder(folder)) return;
  throw new StackyardError("forbidden", {
    message: "the folder for the lab's sockets is not this user's alone",
    value: folder,
    remedy: "Remove that folder, or set XDG_RUNTIME_DIR to one of your own.",
  });
}
