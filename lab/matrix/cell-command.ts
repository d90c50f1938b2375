import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { StackyardError } from "../../providers/core/errors.ts";

/** The variable by which all processes of a run are found, as GitHub's runner finds those of a job by `RUNNER_TRACKING_ID`. */
const runIdVariable = "STACKYARD_RUN_ID";

/** How long a command has to end in order, in milliseconds, before it is killed. */
const defaultGraceMs = 10_000;
const killLimitMs = 10_000;

/** One run of a command. */
export interface CellCommand {
  readonly words: readonly string[];
  /** The whole environment but {@link runIdVariable}. */
  readonly env: NodeJS.ProcessEnv;
  readonly runId: string;
  /** Takes both streams. */
  readonly logFile: string;
  readonly timeoutMs: number;
  readonly graceMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** How a command ended: by itself, by a signal of somebody, or by us. */
export type CommandEnd =
  | { readonly by: "exit"; readonly exitCode: number }
  | { readonly by: "signal"; readonly name: string }
  | { readonly by: "timeout" | "interrupt" };

/**
 * Runs a command in a process group of its own, without standard input. Past its time, or when the signal aborts, the group gets SIGTERM, and SIGKILL
 * when it has not ended in the grace time. What the command leaves running is killed, wherever it has gone.
 * @throws StackyardError `command-failed` when it cannot be started.
 */
export async function runCellCommand(command: CellCommand): Promise<CommandEnd> {
  const [program = "", ...args] = command.words;
  const log = await open(command.logFile, "w");
  try {
    const child = spawn(program, args, {
      env: { ...command.env, [runIdVariable]: command.runId },
      stdio: ["ignore", log.fd, log.fd],
      detached: true,
    });
    const { pid } = child;
    const killGroup = (name: NodeJS.Signals): void => {
      if (pid !== undefined) signalProcess(-pid, name);
    };
    const onExit = (): void => killGroup("SIGKILL"); // Ctrl-C twice: nobody waits any more
    process.once("exit", onExit);
    let by: "timeout" | "interrupt" | undefined;
    let lastCall: NodeJS.Timeout | undefined;
    let killAtMs = performance.now();
    const end = (reason: "timeout" | "interrupt"): void => {
      if (by !== undefined) return;
      by = reason;
      killGroup("SIGTERM");
      const graceMs = command.graceMs ?? defaultGraceMs;
      killAtMs = performance.now() + graceMs;
      lastCall = setTimeout(() => killGroup("SIGKILL"), graceMs);
    };
    const onAbort = (): void => end("interrupt");
    const limit = setTimeout(() => end("timeout"), command.timeoutMs);
    command.signal?.addEventListener("abort", onAbort);
    if (command.signal?.aborted === true) onAbort();
    try {
      const ended = await new Promise<CommandEnd>((resolve, reject) => {
        child.on("error", (cause) => {
          reject(
            new StackyardError("command-failed", {
              message: `${program} cannot be started`,
              field: "command.0",
              value: program,
              cause,
            }),
          );
        });
        child.on("exit", (exitCode, name) => {
          resolve(exitCode === null ? { by: "signal", name: name ?? "unknown" } : { by: "exit", exitCode });
        });
      });
      return by === undefined ? ended : { by };
    } finally {
      clearTimeout(limit);
      clearTimeout(lastCall);
      command.signal?.removeEventListener("abort", onAbort);
      process.off("exit", onExit);
      // What was asked to end may have its end in hand still, when the first of its group is gone.
      await endRun(command.runId, by === undefined ? 0 : killAtMs);
    }
  } finally {
    await log.close();
  }
}

function signalProcess(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

/**
 * Waits until all processes of a run are gone, and kills them.
 * @param killAtMs when they are killed, of `performance.now()`; now.
 * @throws StackyardError `command-timeout` when one does not end.
 */
export async function endRun(runId: string, killAtMs = 0): Promise<void> {
  const deadline = Math.max(killAtMs, performance.now()) + killLimitMs;
  for (;;) {
    const pids = listRun(runId);
    if (pids.length === 0) return;
    if (performance.now() > deadline) {
      throw new StackyardError("command-timeout", {
        message: `processes of a command do not end: ${pids.map(String).join(", ")}`,
        remedy: "See what they wait for: ps -o pid,stat,wchan,args -p PID",
      });
    }
    if (performance.now() >= killAtMs) for (const pid of pids) signalProcess(pid, "SIGKILL");
    await sleep(10);
  }
}

/** Processes of this machine that have the run's id in their environment, ours aside. A zombie has none. */
function listRun(runId: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => readEnvironment(name).includes(`${runIdVariable}=${runId}`))
    .map(Number);
}

function readEnvironment(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return []; // It has ended, or is another user's.
  }
}
