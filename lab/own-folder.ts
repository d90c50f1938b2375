import { lstatSync } from "node:fs";
import { userInfo } from "node:os";

/** Whether a path is a folder of this user, no link, that nobody else can write to: what is in it is what the user has put there. */
export function isOwnFolder(path: string): boolean {
  const found = lstatSync(path);
  return found.isDirectory() && found.uid === userInfo().uid && (found.mode & 0o022) === 0;
}
