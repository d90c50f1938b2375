import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a file so that a reader, or a crash, sees the old content or the new one. */
export async function replaceFile(path: string, content: string): Promise<void> {
  await writeFile(`${path}.part`, content, { mode: 0o600, flush: true });
  await rename(`${path}.part`, path);
}

/** The outermost folder that is missing for `path` to be there; none when it is. */
export function missingFolder(path: string): string[] {
  if (existsSync(path)) return [];
  let missing = path;
  while (!existsSync(dirname(missing))) missing = dirname(missing);
  return [missing];
}

/** Makes the folder and says which outermost one was missing. */
export async function makeFolder(path: string, mode: number): Promise<string[]> {
  const made = await mkdir(path, { recursive: true, mode });
  return made === undefined ? [] : [made];
}
