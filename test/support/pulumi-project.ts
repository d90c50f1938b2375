import { mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A program's folder in which `@pulumi/pulumi` is the real one, and `stackyard` the samples over a fake cloud. The caller removes it. */
export function makePulumiProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-pulumi-"));
  mkdirSync(join(folder, "node_modules/@pulumi"), { recursive: true });
  symlinkSync(join(root, "node_modules/@pulumi/pulumi"), join(folder, "node_modules/@pulumi/pulumi"));
  symlinkSync(join(root, "test/support/pulumi-package"), join(folder, "node_modules/stackyard"));
  return folder;
}
