import { escapeLine } from "../../core/escape.ts";
import { cutToWidth } from "./table.ts";
import { formatDuration } from "./text.ts";

/** Where progress goes: a stream such as `process.stderr`. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What a long command is doing, as the user sees it. */
export interface Progress {
  /** Shows the step that now runs, or what it waits for. */
  step(line: string): void;
  /** Shows hosts that are still waited for. A log tells them when it takes long only. */
  await(hosts: readonly string[]): void;
  /** Takes the updating line away, before results or errors are written. */
  stop(): void;
}

/** How many names a line of progress has at most. */
const maxNames = 3;

function describeWaiting(hosts: readonly string[]): string {
  const more = hosts.length - maxNames;
  const names = hosts.slice(0, maxNames).join(", ");
  return escapeLine(`waiting for ${names}${more > 0 ? ` and ${String(more)} more` : ""}`);
}

const redrawMs = 100;

/** How often a plain log repeats a step that takes long. */
const remindMs = 10_000;

const clearLine = "\r\u001b[2K";

/**
 * On a terminal: one line, redrawn in place, with the seconds since the start. Elsewhere: a plain line for each step, and every
 * 10 s a reminder of what is being waited for.
 */
export function startProgress(stream: ProgressStream, title: string): Progress {
  return stream.isTTY === true ? startUpdatingLine(stream, title) : startPlainLines(stream, title);
}

function startUpdatingLine(stream: ProgressStream, title: string): Progress {
  const startedAtMs = performance.now();
  let current = "";
  const draw = (): void => {
    const elapsed = formatDuration(performance.now() - startedAtMs);
    const text = `${title} ${elapsed}${current === "" ? "" : `  ${current}`}`;
    stream.write(`${clearLine}${cutToWidth(text, (stream.columns ?? 80) - 1)}`);
  };
  const timer = setInterval(draw, redrawMs);
  timer.unref();
  draw();
  return {
    step(line) {
      current = escapeLine(line);
      draw();
    },
    await(hosts) {
      current = describeWaiting(hosts);
      draw();
    },
    stop() {
      clearInterval(timer);
      stream.write(clearLine);
    },
  };
}

function startPlainLines(stream: ProgressStream, title: string): Progress {
  const startedAtMs = performance.now();
  let current = "";
  const write = (line: string): void => {
    stream.write(`[${formatDuration(performance.now() - startedAtMs)}] ${title}: ${line}\n`);
  };
  const timer = setInterval(() => {
    write(`still ${current === "" ? "waiting" : current}`);
  }, remindMs);
  timer.unref();
  return {
    step(line) {
      current = escapeLine(line);
      write(current);
    },
    await(hosts) {
      current = describeWaiting(hosts);
    },
    stop() {
      clearInterval(timer);
    },
  };
}
