import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const manifest = z.object({ name: z.string(), version: z.string() });

/** The folder of this package, found from the sources and from the compiled `dist/` alike: what is no code (templates) lies under it. */
export function findPackageRoot(): string {
  for (
    let folder = dirname(fileURLToPath(import.meta.url));
    folder !== dirname(folder);
    folder = dirname(folder)
  ) {
    if (isOurs(join(folder, "package.json"))) return folder;
  }
  throw new Error("The package.json of stackyard is not above its own code.");
}

/** The version of this package. */
export function readPackageVersion(): string {
  return readManifest(join(findPackageRoot(), "package.json")).version;
}

function readManifest(file: string): z.infer<typeof manifest> {
  return manifest.parse(JSON.parse(readFileSync(file, "utf8")));
}

function isOurs(file: string): boolean {
  try {
    return readManifest(file).name === "stackyard";
  } catch {
    return false;
  }
}
