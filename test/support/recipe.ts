import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPackageRoot } from "../../providers/core/package-root.ts";

/** How a run of a script of `stacks/ci` ended, and the commands that it gave, in order. */
export interface RecipeRun {
  readonly exitCode: number | null;
  readonly commands: readonly string[];
  /** Last line on standard error. */
  readonly message: string;
  /** Paths below the folder that it ran in, when it had ended. */
  readonly left: readonly string[];
}

/**
 * Runs a script of `stacks/ci` over programs that only note how they are called; the command that begins with `fails` ends with `code`. In `env` the word
 * DIR is the folder that it runs in, which has `stacks/any` and `cell`.
 */
export function runRecipe(
  name: string,
  args: readonly string[],
  failure?: { readonly fails: string; readonly code: number },
  env: Readonly<Record<string, string>> = {},
): RecipeRun {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-recipe-"));
  const calls = join(folder, "calls");
  const bin = join(folder, "node_modules", ".bin");
  for (const path of [bin, join(folder, "stacks", "any"), join(folder, "cell")])
    mkdirSync(path, { recursive: true });
  writeFileSync(calls, "");
  for (const command of ["pulumi", "stackyard"]) {
    const program = [
      "#!/bin/sh",
      `printf '%s\\n' "${command} $*" >>"$CALLS"`,
      '[ "$1 $2" != "stack init" ] || : >"Pulumi.$3.yaml"', // as Pulumi does
      `case "${command} $*" in "$FAILS"*) exit "$CODE" ;; esac`,
    ];
    writeFileSync(join(bin, command), `${program.join("\n")}\n`);
    chmodSync(join(bin, command), 0o755);
  }
  try {
    const script = join(findPackageRoot(), "stacks", "ci", name);
    const { status, stderr } = spawnSync("sh", [script, ...args], {
      cwd: folder,
      encoding: "utf8",
      env: {
        PATH: `${bin}:${process.env["PATH"] ?? ""}`,
        TMPDIR: folder,
        CALLS: calls,
        FAILS: failure?.fails ?? "no command",
        CODE: String(failure?.code ?? 0),
        ...Object.fromEntries(
          Object.entries(env).map(([key, value]) => [key, value.replaceAll("DIR", folder)]),
        ),
      },
    });
    const left = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const commands = readFileSync(calls, "utf8").replaceAll(folder, "DIR").trim().split("\n");
    return { exitCode: status, commands, message: stderr.trim().split("\n").at(-1) ?? "", left };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
