import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listLabs, tearDown } from "../../lab/lab.ts";

/** A temporary folder for the labs of one test file. */
export interface LabFolder {
  readonly path: string;
  /** Where the labs keep their state: `XDG_STATE_HOME` of this process. */
  readonly stateHome: string;
  /** Takes the labs down and removes the folder. */
  close(): Promise<void>;
}

/**
 * Makes the folder, and a process that waits for the end of this one: a test run that is killed would leave its labs up, since nobody who knows
 * their folder is left.
 */
export function openLabFolder(purpose: string): LabFolder {
  const path = mkdtempSync(join(tmpdir(), `stackyard-${purpose}-`));
  const stateHome = join(path, "xdg");
  mkdirSync(stateHome);
  process.env["XDG_STATE_HOME"] = stateHome;
  const guard = spawn(process.execPath, [join(import.meta.dirname, "lab-guard.ts"), path], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  guard.unref();
  return {
    path,
    stateHome,
    async close() {
      for (const lab of await listLabs()) await tearDown(lab.name);
      rmSync(path, { recursive: true, force: true });
      guard.kill();
    },
  };
}
