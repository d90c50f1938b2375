import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes two keys of volumes into a folder, and gives their files. */
export function writeVolumeKeys(folder: string): readonly [string, string] {
  return [writeVolumeKey(folder, "volume.key"), writeVolumeKey(folder, "other.key")];
}

/** Writes a key of volumes that nobody else has, and gives its file. */
export function writeVolumeKey(folder: string, name: string): string {
  const file = join(folder, name);
  writeFileSync(file, `${randomBytes(24).toString("hex")}\n`, { mode: 0o600 });
  return file;
}
