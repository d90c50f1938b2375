import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { StackyardError } from "../providers/core/errors.ts";
import { systemPath } from "./process.ts";

function isInstalled(program: string, path: string): boolean {
  return path.split(":").some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Those of `programs` that are in none of the folders of `path`. */
export function findMissingPrograms(programs: readonly string[], path = systemPath): string[] {
  return programs.filter((program) => !isInstalled(program, path));
}

/** @throws StackyardError `host-unsuitable` with the programs that are missing in the folders of `path`. */
export function requireInstalled(programs: readonly string[], path = systemPath): void {
  const missing = findMissingPrograms(programs, path);
  if (missing.length === 0) return;
  throw new StackyardError("host-unsuitable", {
    message: `the lab needs programs that this machine does not have: ${missing.join(", ")}`,
    remedy: "Run `stackyard doctor`: it names the packages to install.",
  });
}
