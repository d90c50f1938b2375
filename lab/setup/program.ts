import { spawn, type ChildProcess } from "node:child_process";
import { access, constants as modes, stat } from "node:fs/promises";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { StackyardError } from "../../providers/core/errors.ts";

/** How a program is started. */
export interface ProgramOptions {
  readonly cwd?: string;
  /** The whole environment of the program; default: ours. */
  readonly env?: NodeJS.ProcessEnv;
  /** What it reads on standard input; default: nothing. */
  readonly stdin?: string;
  /** Hands the signals that we are sent on to it, and waits for its end: Pulumi then gives its lock back. */
  readonly passSignals?: true;
  /** Limit after which it is ended; default: none. */
  readonly timeoutMs?: number;
  /** Ends it; the error is then `command-failed`. */
  readonly signal?: AbortSignal;
  /** Called with each line it prints on either stream. */
  readonly onLine?: (line: string) => void;
}

/** What a program did. */
export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  /** Both streams in the order of arrival, last {@link keptLines} lines. */
  readonly tail: readonly string[];
}

const keptLines = 20;

/** Runs a program without a shell to its end. @throws StackyardError `command-failed` when it cannot be started or passes its limit. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    timeout: options.timeoutMs,
    signal: options.signal,
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A program that reads nothing may have ended already.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  const end = (): void => {
    child.kill();
  };
  process.once("exit", end); // what we started does not outlive us
  const keepSignals = options.passSignals === true ? passSignalsOn(child) : undefined;
  const stdout: string[] = [];
  const tail: string[] = [];
  const take = (line: string): void => {
    tail.push(line);
    if (tail.length > keptLines) tail.shift();
    options.onLine?.(line);
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    stdout.push(line);
    take(line);
  });
  createInterface({ input: child.stderr }).on("line", take);
  return new Promise<ProgramResult>((resolve, reject) => {
    child.on("error", (cause) => {
      reject(new StackyardError("command-failed", { message: `starting ${file} failed`, cause }));
    });
    child.on("close", (code, signal) => {
      if (code !== null) resolve({ exitCode: code, stdout: stdout.join("\n"), tail });
      else
        reject(
          new StackyardError("command-failed", {
            message: `${file} was ended by ${signal ?? "a signal"}`,
            notes: tail,
          }),
        );
    });
  }).finally(() => {
    process.off("exit", end);
    keepSignals?.();
  });
}

/** Like {@link runProgram}, but an exit code other than 0 is an error with the last lines of output. @throws StackyardError `command-failed` */
export async function requireProgram(
  attempting: string,
  file: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const result = await runProgram(file, args, options);
  if (result.exitCode === 0) return result;
  throw new StackyardError("command-failed", {
    message: `${attempting} failed: ${file} ended with exit code ${result.exitCode}`,
    notes: result.tail,
  });
}

/** Passes signals on to a program from now on. Ctrl-C in a terminal reaches it by itself. Gives the function that ends it. */
function passSignalsOn(child: ChildProcess): () => void {
  const signals: readonly NodeJS.Signals[] = ["SIGHUP", "SIGINT", "SIGTERM"];
  const passOn = (signal: NodeJS.Signals): void => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, passOn);
  return () => {
    for (const signal of signals) process.off(signal, passOn);
  };
}

/**
 * Hands the terminal to a program and gives its exit code (128 + the signal's number when a signal ended it). Signals
 * sent to us are passed on.
 */
export async function handOver(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const child = spawn(file, args, { env, stdio: "inherit" });
  const keepSignals = passSignalsOn(child);
  return new Promise<number>((resolve, reject) => {
    child.on("error", (cause) => {
      reject(new StackyardError("command-failed", { message: `starting ${file} failed`, cause }));
    });
    child.on("close", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  }).finally(() => {
    keepSignals();
  });
}

/** Whether `file` is a file that may be executed. */
export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, modes.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/** First executable called `program` on a PATH; undefined when there is none. */
export async function findOnPath(program: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter((entry) => entry !== "")) {
    const file = join(folder, program);
    if (await isExecutable(file)) return file;
  }
  return undefined;
}
