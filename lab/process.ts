import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { StackyardError } from "../providers/core/errors.ts";

/** Where the machine's own tools are, whatever PATH the caller has. */
export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const maxStderrChars = 2000;
/** What a program may say; one that says more is ended. A hostile host's answer fills no memory. */
const maxOutputBytes = 64 * 1024 ** 2;

/** What a finished command said. */
export interface ProcessResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a program is run; by default in `/`, for a minute at most. */
export interface ProcessOptions {
  readonly stdin?: string | Uint8Array;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the program at once; what it said until then is the result. */
  readonly signal?: AbortSignal | undefined;
}

/** Runs a program without a shell and waits for it, whatever its exit code; 128 for one that was ended. It may say 64 MiB. */
export function runProcess(
  file: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd ?? "/",
      env: { ...process.env, ...options.env, PATH: systemPath, LC_ALL: "C" },
      timeout: options.timeoutMs ?? 60_000,
      killSignal: "SIGKILL",
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const end = (): void => {
      child.kill("SIGKILL");
    };
    let bytes = 0;
    const keep = (chunks: Buffer[], chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxOutputBytes) end();
      else chunks.push(chunk);
    };
    child.stdout.on("data", (chunk: Buffer) => keep(stdout, chunk));
    child.stderr.on("data", (chunk: Buffer) => keep(stderr, chunk));
    options.signal?.addEventListener("abort", end);
    if (options.signal?.aborted === true) end();
    child.on("error", (cause) => {
      reject(
        new StackyardError("command-failed", {
          message: `${file} cannot be run`,
          remedy: "Run `stackyard doctor`: it names the missing package.",
          cause,
        }),
      );
    });
    child.on("close", (code, signal) => {
      options.signal?.removeEventListener("abort", end);
      const tooMuch = `more than ${String(maxOutputBytes / 1024 ** 2)} MiB of output; `;
      const ending = `${bytes > maxOutputBytes ? tooMuch : ""}${signal === null ? "" : `ended by ${signal}`}`;
      resolve({
        exitCode: code ?? 128,
        stdout: Buffer.concat(stdout).toString(),
        stderr: `${Buffer.concat(stderr).toString()}${ending}`,
      });
    });
    // A program that ends without reading its input closes the pipe; its exit code tells the story.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.stdin ?? "");
  });
}

/**
 * Runs a program that must succeed and returns its standard output.
 * @throws StackyardError `command-failed` with the tail of its standard error.
 */
export async function expectProcess(
  attempting: string,
  file: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<string> {
  const result = await runProcess(file, args, options);
  if (result.exitCode === 0) return result.stdout;
  throw new StackyardError("command-failed", {
    message: `${attempting} failed: ${file} ended with ${String(result.exitCode)}`,
    notes: [result.stderr.slice(-maxStderrChars).trim()],
  });
}

/** A process that cannot be mistaken for a later one of the same pid. `startTicks`: clock ticks after boot. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
}

/** State letter and start time of a process; undefined when there is none of that pid. */
function readStat(pid: number): { readonly state: string; readonly startTicks: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, "utf8");
    // The name in parentheses may hold anything; state is field 3 and start time field 22 (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", startTicks: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

/**
 * Whether the very process still runs. A zombie does not, unless threads of it still end: until then they hold its files,
 * ports and memory.
 */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid);
  if (stat?.startTicks !== identity.startTicks) return false;
  return !["Z", "X"].includes(stat.state) || countThreads(identity.pid) > 1;
}

function countThreads(pid: number): number {
  try {
    return readdirSync(`/proc/${String(pid)}/task`).length;
  } catch {
    return 0; // It has ended meanwhile.
  }
}

/**
 * The processes of this machine with the words of their command lines, those that have any. Of others than the user and root there are
 * none: a command line says what its user likes. Root sees all.
 */
export function listProcesses(
  uid = process.getuid?.() ?? 0,
): { readonly identity: ProcessIdentity; readonly words: readonly string[] }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      const owner = statSync(`/proc/${name}`, { throwIfNoEntry: false })?.uid;
      return uid === 0 || owner === uid || owner === 0;
    })
    .flatMap((name) => {
      const stat = readStat(Number(name));
      if (stat === undefined || ["Z", "X"].includes(stat.state)) return [];
      const words = readWords(name);
      return words.length === 0
        ? []
        : [{ identity: { pid: Number(name), startTicks: stat.startTicks }, words }];
    });
}

function readWords(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return []; // It has ended meanwhile.
  }
}

/** Ends the very process at once and waits until the kernel has let go of it. */
export async function killProcess(identity: ProcessIdentity): Promise<void> {
  if (!isAlive(identity)) return;
  process.kill(identity.pid, "SIGKILL");
  const deadline = performance.now() + 10_000;
  while (isAlive(identity)) {
    if (performance.now() > deadline) {
      throw new StackyardError("command-timeout", {
        message: `process ${String(identity.pid)} does not end`,
      });
    }
    await sleep(5);
  }
}
