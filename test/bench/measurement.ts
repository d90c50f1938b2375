/** One line of the benchmark's table. */
export interface Measurement {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
  /** The median should be at most this. */
  readonly goal?: number;
}

/** Times `fn` in milliseconds, `runs` times after one that is not counted. */
export async function measure(
  name: string,
  runs: number,
  fn: () => unknown,
  goal?: number,
): Promise<Measurement> {
  await fn();
  const samples: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startedAt = performance.now();
    await fn();
    samples.push(performance.now() - startedAt);
  }
  return summarise(name, "ms", samples, goal);
}

/** The measurement of samples that were taken elsewhere. */
export function summarise(
  name: string,
  unit: string,
  samples: readonly number[],
  goal?: number,
): Measurement {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
  return {
    name,
    unit,
    median,
    min: sorted[0] ?? NaN,
    max: sorted.at(-1) ?? NaN,
    runs: samples.length,
    ...(goal === undefined ? {} : { goal }),
  };
}
