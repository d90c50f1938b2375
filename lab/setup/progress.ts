/** One line of progress. Goes to standard error: the standard output belongs to results. */
export type Say = (line: string) => void;

/** Progress lines with the seconds since `saying` was called, as `[set-up 12.3 s] …`. */
export function saying(name: string): Say {
  const started = performance.now();
  return (line) => {
    process.stderr.write(`[${name} ${seconds(performance.now() - started)} s] ${line}\n`);
  };
}

/** How often a long step says that it still runs. */
const pulseMs = 10_000;

/**
 * Runs a step with a line at its start, one every 10 s with what it waits for, and one at its good end. The step tells
 * what it waits for by calling its argument; a failure is the caller's to tell.
 */
export async function withPulse<T>(say: Say, what: string, step: (waitFor: Say) => Promise<T>): Promise<T> {
  const started = performance.now();
  const elapsed = (): string => `${seconds(performance.now() - started)} s`;
  let waitingFor = "";
  say(`${what} …`);
  const pulse = setInterval(() => {
    say(`${what}: ${elapsed()}${waitingFor === "" ? "" : `, ${waitingFor}`}`);
  }, pulseMs);
  try {
    const result = await step((detail) => {
      waitingFor = detail;
    });
    say(`${what}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(pulse);
  }
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(1);
}
