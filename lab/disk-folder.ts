import { lstatSync, readdirSync } from "node:fs";
import { StackyardError } from "../providers/core/errors.ts";
import { isOwnFolder } from "./own-folder.ts";

/**
 * Refuses a lab's part of a `diskFolder` that is not to be made or empty, and this user's alone: in a folder like /tmp somebody
 * else may have put a link there, or a folder whose content they can exchange.
 * @throws StackyardError `forbidden`, or `conflict` when there are disks already: of a lab of another state folder, or of one whose
 * record is lost.
 */
export function requireEmptyDiskFolder(folder: string): void {
  if (!isThere(folder)) return;
  if (!isOwnFolder(folder)) {
    throw new StackyardError("forbidden", {
      message: "the folder for the disks is a link, or not this user's alone",
      field: "diskFolder",
      value: folder,
      remedy:
        "Remove it, take the right to write from others (chmod go-w), or choose another name or diskFolder.",
    });
  }
  if (readdirSync(folder).length === 0) return;
  throw new StackyardError("conflict", {
    message: "the folder for the disks has files of another lab of this name",
    field: "diskFolder",
    value: folder,
    remedy: "Choose another name or diskFolder, or remove that folder when no lab has it any more.",
  });
}

/** Whether something has that path, be it a link to nothing. What leads over a file is nothing; that it cannot be made is told when it is. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return false;
    throw error;
  }
}
