import { setTimeout as sleep } from "node:timers/promises";
import { hasCode, StackyardError } from "../core/errors.ts";
import { script, sh } from "./command.ts";
import type { Shell } from "./command.ts";
import { interruption } from "./connection.ts";
import type { HostConnection } from "./connection.ts";

/** Work on a host that takes long, and goes on when our connection is lost. */
export interface Job {
  /** Letters, digits, `.`, `_`, `-`. One job of a name runs at a time in a folder. */
  readonly name: string;
  /** Folder on the host that holds the folders of jobs; made by need. */
  readonly folder: string;
}

/** A job that can be started. */
export interface JobSpec extends Job {
  /** What to do. Both outputs go to the job's log. Must bear being run again after the host has died under it. */
  readonly command: Shell;
  /** A line that the command reads from its standard input, such as a secret. Default: nothing. */
  readonly stdin?: string | undefined;
}

/** How far a job is. `log` is the tail of what it has printed. */
export type JobState =
  | { readonly state: "not-started" }
  | { readonly state: "running"; readonly log: string }
  | { readonly state: "succeeded"; readonly log: string }
  /** Without an exit code where the job was killed, or the host went down. */
  | { readonly state: "failed"; readonly exitCode: number | undefined; readonly log: string };

/** How a job is waited for. */
export interface WaitOptions {
  /** Called with the tail of the log about every second. */
  readonly onProgress?: (log: string) => void;
  readonly signal?: AbortSignal;
  /** Raises `command-timeout` after this; the job goes on. Default 1,800,000. */
  readonly timeoutMs?: number;
  /** How long the host may be out of reach in a row. Default 60,000. */
  readonly unreachableMs?: number;
}

const defaultTimeoutMs = 1_800_000;
const defaultUnreachableMs = 60_000;
/** The host answers at the end of the job, or after this long with the progress. */
const pollSeconds = 1;
const logTailBytes = 4_000;
/** How long a job that is told to end may take. */
const endSeconds = 5;

/**
 * Starts a job, unless it is running or has ended: then that is what comes back, and {@link cleanJob} makes way for another start. One that
 * died without an exit code (host down) is started again. The lock is held by the job's own processes, so that it cannot outlive them.
 */
export async function startJob(connection: HostConnection, spec: JobSpec): Promise<JobState> {
  const run = sh`echo "$$ $(cut -d ' ' -f 22 /proc/$$/stat)" > process
code=0
/bin/sh -c ${spec.command.text} || code=$?
echo "$code" > exit.part
mv exit.part exit`;
  // What the job reads is with it in a pipe before this ends.
  const launch =
    spec.stdin === undefined
      ? sh`setsid /bin/sh -c ${run.text} < /dev/null > log 2>&1 &`
      : sh`IFS= read -r input
  printf '%s\n' "$input" | setsid /bin/sh -c ${run.text} > log 2>&1 &`;
  const start = sh`umask 077
mkdir -p -- ${folderOf(spec)}
cd -- ${folderOf(spec)}
exec 9> lock
if flock -n 9 && [ ! -e exit ]; then
  ${launch}
fi
exec 9>&-`;
  const result = await connection.run(script(start, describeJob(spec, 0)), {
    attempting: `start job ${spec.name}`,
    assumed: "running\n",
    ...(spec.stdin === undefined ? {} : { stdin: spec.stdin }),
  });
  return parseJobState(result.stdout);
}

/**
 * Waits for the end of a job and gives its log's tail. A connection that is lost in the meantime is opened again.
 *
 * Raises `command-failed` or `host-disk-full` when the job failed, `not-found` when it was never started, `command-timeout`, `interrupted`,
 * `host-unreachable`.
 */
export async function waitForJob(
  connection: HostConnection,
  job: Job,
  options: WaitOptions = {},
): Promise<string> {
  const deadline = Date.now() + (options.timeoutMs ?? defaultTimeoutMs);
  const unreachableMs = options.unreachableMs ?? defaultUnreachableMs;
  let lastAnswerAt = Date.now();
  while (Date.now() < deadline) {
    const state = await pollJob(connection, job, options.signal).catch(async (error: unknown) => {
      if (!hasCode(error, "host-unreachable") || Date.now() - lastAnswerAt > unreachableMs) throw error;
      await pause(connection, job, options.signal);
      return undefined;
    });
    if (state === undefined) continue;
    lastAnswerAt = Date.now();
    switch (state.state) {
      case "not-started":
        throw new StackyardError("not-found", {
          message: `Job ${job.name} was never started on host ${connection.host.name}, or was cleaned`,
        });
      case "running":
        options.onProgress?.(state.log);
        break;
      case "succeeded":
        return state.log;
      case "failed":
        throw describeFailure(connection, job, state);
    }
  }
  throw new StackyardError("command-timeout", {
    message: `Job ${job.name} did not end in time on host ${connection.host.name}; it goes on`,
  });
}

/** Ends a job if it runs, and takes its folder away. What the command made elsewhere stays. A job that is not there is fine. */
export async function cleanJob(connection: HostConnection, job: Job): Promise<void> {
  const folder = folderOf(job);
  // The id alone may by now belong to another process: the start time tells. The job leads a group of its own (setsid).
  const clean = sh`[ -d ${folder} ] || exit 0
cd -- ${folder}
exec 9>> lock
if ! flock -n 9; then
  read -r id started < process
  if [ "$(cut -d ' ' -f 22 "/proc/$id/stat" 2> /dev/null)" = "$started" ]; then
    kill -TERM "-$id"
    flock -w ${endSeconds} 9 || { kill -KILL "-$id" && flock -w ${endSeconds} 9; }
  fi
fi
flock -n 9 || { echo 'the job is still at work, and is not ours to end' >&2; exit 1; }
rm -f -- process exit exit.part log lock
rmdir -- ${folder}`;
  await connection.run(script(clean), { attempting: `clean job ${job.name}` });
}

async function pollJob(
  connection: HostConnection,
  job: Job,
  signal: AbortSignal | undefined,
): Promise<JobState> {
  const result = await connection.run(script(describeJob(job, pollSeconds)), {
    attempting: `wait for job ${job.name}`,
    assumed: "ended 0\n",
    ...(signal === undefined ? {} : { signal }),
  });
  return parseJobState(result.stdout);
}

async function pause(connection: HostConnection, job: Job, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(pollSeconds * 1000, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw interruption(connection.host, `wait for job ${job.name}`);
  }
}

/** Prints the state on the first line and then the tail of the log. The lock is tried before the exit code is looked for: it may come between. */
function describeJob(job: Job, waitSeconds: number): Shell {
  return sh`cd -- ${folderOf(job)} 2> /dev/null || { echo not-started; exit 0; }
[ -e lock ] || { echo not-started; exit 0; }
held=no
flock -w ${waitSeconds} lock true || held=yes
if [ -e exit ]; then echo "ended $(cat exit)"
elif [ "$held" = yes ]; then echo running
elif [ -e process ]; then echo died
else echo not-started
fi
[ ! -e log ] || tail -c ${logTailBytes} log`;
}

function parseJobState(output: string): JobState {
  const end = output.indexOf("\n");
  const [state, exitCode] = output.slice(0, end).split(" ");
  const log = output.slice(end + 1);
  switch (state) {
    case "not-started":
      return { state };
    case "running":
      return { state, log };
    case "died":
      return { state: "failed", exitCode: undefined, log };
    case "ended":
      return exitCode === "0"
        ? { state: "succeeded", log }
        : { state: "failed", exitCode: Number(exitCode), log };
    case undefined:
    default:
      throw new StackyardError("command-failed", {
        message: "A host described a job in an unknown way",
        notes: [output],
      });
  }
}

function describeFailure(
  connection: HostConnection,
  job: Job,
  state: Extract<JobState, { state: "failed" }>,
): StackyardError {
  const isDiskFull = /No space left on device|Disk quota exceeded/.test(state.log);
  const why =
    state.exitCode === undefined ? "it was killed, or the host went down" : `exit code ${state.exitCode}`;
  return new StackyardError(isDiskFull ? "host-disk-full" : "command-failed", {
    message: `Job ${job.name} failed on host ${connection.host.name}: ${isDiskFull ? "its disk is full" : why}`,
    notes: [state.log.trim()],
  });
}

function folderOf(job: Job): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(job.name)) {
    throw new TypeError(`The name of a job is one of letters, digits, ".", "_" and "-", unlike ${job.name}`);
  }
  return `${job.folder}/${job.name}`;
}
