import { readdirSync, readFileSync } from "node:fs";

/** Processes that a process has started. */
export function listChildren(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, "utf8");
        return status.includes(`\nPPid:\t${String(pid)}\n`) ? [Number(name)] : [];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
}
