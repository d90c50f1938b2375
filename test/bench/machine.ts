import { cpus, loadavg, release, totalmem } from "node:os";

/** The machine that figures were taken on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  /** How guests run on it; absent when none was booted. */
  readonly virtualisation?: "KVM" | "TCG";
  readonly node: string;
  /** Processes that wanted a core in the minute before; more than none makes figures worse, ratios less so. */
  readonly loadBefore: number;
  /** Day, ISO 8601. */
  readonly date: string;
}

/** This machine, now. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** One line for people. */
export function showMachine(machine: Machine): string {
  const guests = machine.virtualisation === undefined ? "" : `, guests by ${machine.virtualisation}`;
  return (
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Linux ${machine.kernel}${guests}, ` +
    `Node ${machine.node}, load ${machine.loadBefore} before the run, ${machine.date}`
  );
}
