import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the test files of one run have the packed package. */
    readonly packedFolder: string;
  }
}

/** Vitest's global set-up of the project `e2e`: the folder is made before its test files, and removed after them. */
export function setup({ provide }: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-packed-"));
  provide("packedFolder", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
