import { constants } from "node:os";
import { performance } from "node:perf_hooks";
import type { Duplex, Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { HostAddress } from "../core/host.ts";
import { StackyardError } from "../core/errors.ts";
import { sh } from "./command.ts";
import type { Shell } from "./command.ts";

export type { HostAddress } from "../core/host.ts";

/** How a command is run. */
export interface RunOptions {
  /** What the command reads; the place for secrets and for anything long. Default: nothing. May be a socket: `/dev/stdin` does not open. */
  readonly stdin?: string | Uint8Array | NodeJS.ReadableStream;
  /** After this the command and all its children are ended on the host. Default 60,000. */
  readonly timeoutMs?: number;
  /** Ends the command on the host and raises `interrupted`. */
  readonly signal?: AbortSignal;
  /** Return a non-zero exit code instead of raising. Default false. */
  readonly allowFailure?: boolean;
  /** Most that is read of standard output and of standard error each. Default 16 MiB. */
  readonly maxOutputBytes?: number;
  /** What the command is for, in the words of an error: `start the server`. */
  readonly attempting?: string;
  /** Whether it only looks: a dry run carries it out like any other run. Default false. */
  readonly readOnly?: boolean;
  /** What a dry run takes for the standard output of a command that it does not carry out. Default: nothing. */
  readonly assumed?: string;
}

/** How a command ended. */
export interface CommandResult {
  /** 128 plus the signal's number where a signal ended it, as in a shell. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** A host that commands can be run on. All calls may run side by side. */
export interface HostConnection {
  readonly host: HostAddress;
  /**
   * Runs a command under `/bin/sh` with `LC_ALL=C`.
   *
   * Raises `command-failed` (non-zero exit), `host-disk-full` (the same, with the text of ENOSPC), `command-timeout`, `interrupted` (signal),
   * `host-unreachable` (the link is down, or was lost; then the command may have run).
   */
  run(command: Shell, options?: RunOptions): Promise<CommandResult>;
  /** Connects to a UNIX socket of the host. Raises `host-unreachable`, also when nobody listens there. */
  openSocket(path: string): Promise<Duplex>;
  /** Listens at a UNIX socket of the host, as a file that must not be there yet, and stays when this ends. Raises `host-unreachable`. */
  listenAt(path: string, accept: (socket: Duplex) => void): Promise<Listening>;
  /** Whether the link is up as far as is known; a closed one is opened again by the next call. */
  isOpen(): boolean;
  /** Ends the link and what runs over it. Later calls raise `host-unreachable`. */
  close(): Promise<void>;
}

/** A socket of a host at which somebody listens; ends with the link. */
export interface Listening {
  /** Takes no more connections; those that are there go on. */
  close(): Promise<void>;
}

/** How a started command ended: its exit code, or why that is not known. */
export type Ending = { readonly exitCode: number } | { readonly lost: string };

/** A command that a transport has started. */
export interface StartedCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves once both outputs are read to their end, or the link is lost. */
  readonly ended: Promise<Ending>;
  /** Sends SIGTERM to the process of this command, which passes it on to its children. */
  terminate(processId: number): void;
  /** Lets go of the command without an answer of the host. */
  abandon(): void;
}

/** What differs between ways to reach a host. */
export interface Transport {
  /** Gives a text to the login shell of the host. Raises `host-unreachable`. */
  start(text: string, signal: AbortSignal | undefined): Promise<StartedCommand>;
  /** Raises anything; so does {@link Transport.listenAt}. */
  openSocket(path: string): Promise<Duplex>;
  listenAt(path: string, accept: (socket: Duplex) => void): Promise<Listening>;
  isOpen(): boolean;
  close(): Promise<void>;
}

const defaultTimeoutMs = 60_000;
const defaultMaxOutputBytes = 16 * 1024 * 1024;
/** How long `timeout` waits between SIGTERM and SIGKILL. */
const killAfterSeconds = 2;
/** How long the host may take to report the end of a command that was told to end. */
const graceMs = 5_000;
/** Linux: MAX_ARG_STRLEN, 32 pages; no single argument of a program can be longer. */
const maxCommandBytes = 131_071;
/** Exit codes of `timeout` (coreutils) when the limit passed, and when it had to use SIGKILL. */
const timedOutExitCodes: readonly number[] = [124, 137];

/** Makes a connection of a transport: limits, output and errors are the same for all of them. */
export function makeConnection(host: HostAddress, transport: Transport): HostConnection {
  const running = new Set<Watch>();
  let closed = false;
  const useSocket = async <T>(attempting: string, use: () => Promise<T>): Promise<T> => {
    if (closed) throw closedConnection(host);
    try {
      return await use();
    } catch (error) {
      if (error instanceof StackyardError) throw error;
      throw new StackyardError("host-unreachable", {
        message: `Could not ${attempting} on host ${host.name}`,
        cause: error,
        remedy:
          "Let sshd on the host forward UNIX sockets: AllowStreamLocalForwarding, DisableForwarding in sshd_config.",
      });
    }
  };
  return {
    host,
    run(command, options) {
      if (closed) return Promise.reject(closedConnection(host));
      return runCommand(host, transport, running, command, options);
    },
    openSocket: (path) => useSocket(`connect to ${path}`, () => transport.openSocket(path)),
    listenAt: (path, accept) => useSocket(`listen at ${path}`, () => transport.listenAt(path, accept)),
    isOpen: () => !closed && transport.isOpen(),
    async close() {
      if (closed) return;
      closed = true;
      const commands = [...running];
      for (const command of commands) command.stop({ because: "signal" });
      await Promise.all(commands.map((command) => command.ended));
      await transport.close();
    },
  };
}

/**
 * What is sent for a command: it ends with all its children after the limit, even if nobody listens any more. The first line that it
 * prints on standard error is its process id, by which it can be ended sooner: ssh's own signals are refused once the input has ended.
 */
function renderCommand(command: Shell, timeoutMs: number): string {
  const inner = sh`export LC_ALL=C
${command}`;
  return sh`echo stackyard-process $$ >&2
exec timeout -k ${killAfterSeconds} ${timeoutMs / 1000} /bin/sh -c ${inner.text}`.text;
}

const processLine = /^stackyard-process (\d+)\n/m;

async function runCommand(
  host: HostAddress,
  transport: Transport,
  running: Set<Watch>,
  command: Shell,
  options: RunOptions = {},
): Promise<CommandResult> {
  const attempting = options.attempting ?? "run a command";
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const maxOutputBytes = options.maxOutputBytes ?? defaultMaxOutputBytes;
  const text = renderCommand(command, timeoutMs);
  if (Buffer.byteLength(text) > maxCommandBytes) {
    throw new StackyardError("invalid-input", {
      message: `Cannot ${attempting} on host ${host.name}: the command is longer than ${maxCommandBytes} bytes`,
      remedy: "Use shorter names and values.",
    });
  }
  if (options.signal?.aborted === true) throw interruption(host, attempting);

  const started = await transport.start(text, options.signal);
  const startedAt = performance.now();
  const run = watch(started, timeoutMs, maxOutputBytes, options.signal);
  running.add(run);
  feed(started.stdin, options.stdin, run);
  const ending = await run.ended;
  running.delete(run);
  const durationMs = performance.now() - startedAt;

  const stdout = run.stdout();
  const stderr = run.stderr().replace(processLine, "");
  const failure = { host, attempting, command, stderr };
  if (run.stopped !== undefined) throw describeStop(run.stopped, failure, timeoutMs, maxOutputBytes);
  if ("lost" in ending) {
    throw new StackyardError("host-unreachable", {
      message: `The connection to host ${host.name} was lost in the attempt to ${attempting}: ${ending.lost}`,
      remedy: "The command may or may not have run. Check the host and the network, then run again.",
    });
  }
  const { exitCode } = ending;
  if (timedOutExitCodes.includes(exitCode) && durationMs >= timeoutMs) {
    throw describeStop({ because: "timeout" }, failure, timeoutMs, maxOutputBytes);
  }
  const result = { exitCode, stdout, stderr, durationMs };
  if (exitCode !== 0 && options.allowFailure !== true) throw describeFailure(failure, result);
  return result;
}

type Stop =
  | { readonly because: "timeout" | "signal" | "output" }
  | { readonly because: "source"; readonly cause: unknown };

/** A command under way: the first reason to stop it wins. */
interface Watch {
  readonly ended: Promise<Ending>;
  stopped: Stop | undefined;
  stop(reason: Stop): void;
  stdout(): string;
  stderr(): string;
}

function watch(
  started: StartedCommand,
  timeoutMs: number,
  maxOutputBytes: number,
  signal: AbortSignal | undefined,
): Watch {
  const { promise: givenUp, resolve: giveUp } = Promise.withResolvers<Ending>();
  let isOver = false;
  let grace: NodeJS.Timeout | undefined;
  let isTerminated = false;
  /** Ends the process as soon as its id has arrived. */
  const terminate = (): void => {
    const processId = processLine.exec(run.stderr())?.[1];
    if (processId === undefined || isTerminated) return;
    isTerminated = true;
    started.terminate(Number(processId));
  };
  const overflow = (): void => run.stop({ because: "output" });
  const onAbort = (): void => run.stop({ because: "signal" });
  const run: Watch = {
    stopped: undefined,
    stdout: collect(started.stdout, maxOutputBytes, overflow),
    stderr: collect(started.stderr, maxOutputBytes, overflow),
    stop(reason) {
      if (run.stopped !== undefined || isOver) return;
      run.stopped = reason;
      terminate();
      started.stderr.on("data", terminate);
      grace = setTimeout(() => {
        started.abandon();
        giveUp({ lost: "the host did not report the end of the command" });
      }, graceMs);
    },
    ended: Promise.race([started.ended, givenUp]).finally(() => {
      isOver = true;
      clearTimeout(limit);
      clearTimeout(grace);
      signal?.removeEventListener("abort", onAbort);
    }),
  };
  // `timeout` on the host comes first and reports; this limit is for a host that does not answer.
  const limit = setTimeout(
    () => run.stop({ because: "timeout" }),
    timeoutMs + killAfterSeconds * 1000 + 1000,
  );
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener("abort", onAbort, { once: true });
  return run;
}

/** Reads a stream up to a limit; the rest is thrown away, so that the command can end. */
function collect(stream: Readable, maxBytes: number, onOverflow: () => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) onOverflow();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

function feed(stdin: Writable, source: RunOptions["stdin"], run: Watch): void {
  // A command may end without reading all of its input: its exit code tells, not the broken pipe.
  stdin.on("error", () => undefined);
  if (source === undefined || typeof source === "string" || source instanceof Uint8Array) {
    stdin.end(source ?? "");
    return;
  }
  source.pipe(stdin, { end: false });
  // On an early end of the source the input is left open: its end would look like the end of the data.
  finished(source, { writable: false }).then(
    () => stdin.end(),
    (cause: unknown) => run.stop({ because: "source", cause }),
  );
}

interface Failure {
  readonly host: HostAddress;
  readonly attempting: string;
  readonly command: Shell;
  readonly stderr: string;
}

function describeStop(
  stop: Stop,
  failure: Failure,
  timeoutMs: number,
  maxOutputBytes: number,
): StackyardError {
  const on = `on host ${failure.host.name}`;
  const notes = [renderCommandNote(failure.command), ...tailNotes(failure.stderr)];
  switch (stop.because) {
    case "timeout":
      return new StackyardError("command-timeout", {
        message: `Could not ${failure.attempting} ${on} within ${timeoutMs / 1000} s`,
        notes,
      });
    case "output":
      return new StackyardError("command-failed", {
        message: `Could not ${failure.attempting} ${on}: the command printed more than ${maxOutputBytes} bytes`,
        notes,
      });
    case "signal":
      return interruption(failure.host, failure.attempting);
    case "source":
      return new StackyardError("interrupted", {
        message: `Could not ${failure.attempting} ${on}: its input ended early`,
        cause: stop.cause,
      });
  }
}

function describeFailure(failure: Failure, result: CommandResult): StackyardError {
  const isDiskFull = /No space left on device|Disk quota exceeded/.test(result.stderr);
  const why = isDiskFull ? "its disk is full" : `exit code ${result.exitCode}`;
  return new StackyardError(isDiskFull ? "host-disk-full" : "command-failed", {
    message: `Could not ${failure.attempting} on host ${failure.host.name}: ${why}`,
    notes: [renderCommandNote(failure.command), ...tailNotes(result.stderr)],
  });
}

/** The error of a call that its caller's signal ended. */
export function interruption(host: HostAddress, attempting: string): StackyardError {
  return new StackyardError("interrupted", {
    message: `The attempt to ${attempting} on host ${host.name} was interrupted`,
  });
}

const maxNoteChars = 2_000;
const maxNoteLines = 20;
const maxCommandNoteChars = 300;

function renderCommandNote(command: Shell): string {
  const text = command.text.replace(/^set -eu\n/, "");
  return `command: ${text.length <= maxCommandNoteChars ? text : `${text.slice(0, maxCommandNoteChars)}…`}`;
}

function tailNotes(stderr: string): readonly string[] {
  const lines = stderr.trim().slice(-maxNoteChars).split("\n").slice(-maxNoteLines);
  return lines.length === 1 && lines[0] === "" ? [] : [lines.join("\n")];
}

function closedConnection(host: HostAddress): StackyardError {
  return new StackyardError("host-unreachable", {
    message: `The connection to host ${host.name} was closed`,
    remedy: "Open a new connection.",
  });
}

/** Exit code of a command that a signal ended, as a shell reports it. `signal` with or without `SIG`. */
export function exitCodeOfSignal(signal: string): number {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return 128 + (numbers[signal.startsWith("SIG") ? signal : `SIG${signal}`] ?? 0);
}
