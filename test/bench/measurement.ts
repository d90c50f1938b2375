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

/** What else {@link measure} may be told. */
export interface MeasureOptions {
  readonly goal?: number;
  /** Runs that are not counted, before the others. Default 1; code that lives in a long-running service deserves more. */
  readonly warmups?: number;
}

const unitMs = { ms: 1, s: 1000 } as const;

/** Times `fn`, which may be asynchronous, `runs` times. */
export async function measure(
  name: string,
  unit: keyof typeof unitMs,
  runs: number,
  fn: () => unknown,
  { goal, warmups = 1 }: MeasureOptions = {},
): Promise<Measurement> {
  for (let run = 0; run < warmups; run++) await fn();
  const samples: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startedAt = performance.now();
    await fn();
    samples.push((performance.now() - startedAt) / unitMs[unit]);
  }
  return summarise(name, unit, samples, goal);
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
