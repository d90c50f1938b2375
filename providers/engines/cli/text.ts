/** `ramMib` as it stands on a command line: `ram-mib`. Dots of a path stay. */
export function toKebabCase(camelCase: string): string {
  return camelCase.replace(/[A-Z]+/g, (upper) => `-${upper.toLowerCase()}`);
}

/** A time span for people: `0.42 s`, `12.3 s`, `3 min 05 s`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${String(Math.floor(whole / 60))} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** So many of them: `1 resource`, `2 resources`. */
export function countThings(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? "" : "s"}`;
}
