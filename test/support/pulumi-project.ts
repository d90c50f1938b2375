import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * A program's folder in which `@pulumi/pulumi` is the real one, `stackyard` has the classes of the registry, and `stackyard/pulumi-provider` is a
 * module of this repository: by default the samples over a fake cloud. The caller removes it.
 */
export function makePulumiProject(provider = "test/support/sample-provider.ts"): string {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-pulumi-"));
  mkdirSync(join(folder, "node_modules/@pulumi"), { recursive: true });
  symlinkSync(join(root, "node_modules/@pulumi/pulumi"), join(folder, "node_modules/@pulumi/pulumi"));
  const stackyard = join(folder, "node_modules/stackyard");
  mkdirSync(stackyard);
  symlinkSync(join(root, provider), join(stackyard, "provider.ts"));
  symlinkSync(join(root, "providers/engines/pulumi/index.ts"), join(stackyard, "index.ts"));
  const exports = { ".": "./index.ts", "./pulumi-provider": "./provider.ts" };
  writeFileSync(
    join(stackyard, "package.json"),
    JSON.stringify({ name: "stackyard", type: "module", exports }),
  );
  return folder;
}
