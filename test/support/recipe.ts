import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPackageRoot } from "../../providers/core/package-root.ts";

/** How a run of `stacks/ci/preview.sh` ended, and the commands that it gave, in order. */
export interface RecipeRun {
  readonly exitCode: number | null;
  readonly commands: readonly string[];
  /** Last line on standard error. */
  readonly message: string;
}

/** Runs the script over programs that only note how they are called; the command that begins with `fails` ends with `code`. */
export function runRecipe(
  args: readonly string[],
  failure?: { readonly fails: string; readonly code: number },
): RecipeRun {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-recipe-"));
  const calls = join(folder, "calls");
  const bin = join(folder, "node_modules", ".bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(calls, "");
  for (const name of ["pulumi", "stackyard"]) {
    const program = [
      "#!/bin/sh",
      `printf '%s\\n' "${name} $*" >>"$CALLS"`,
      `case "${name} $*" in "$FAILS"*) exit "$CODE" ;; esac`,
    ];
    writeFileSync(join(bin, name), `${program.join("\n")}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  try {
    const script = join(findPackageRoot(), "stacks", "ci", "preview.sh");
    const { status, stderr } = spawnSync("sh", [script, ...args], {
      cwd: folder,
      encoding: "utf8",
      env: {
        PATH: process.env["PATH"],
        TMPDIR: folder,
        CALLS: calls,
        FAILS: failure?.fails ?? "no command",
        CODE: String(failure?.code ?? 0),
      },
    });
    const commands = readFileSync(calls, "utf8").replaceAll(folder, "DIR").trim().split("\n");
    return { exitCode: status, commands, message: stderr.trim().split("\n").at(-1) ?? "" };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
