/** Samples in short. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** What a measurement is held against: the same work by other means, on the same machine in the same run. */
export interface Baseline extends Spread {
  readonly name: string;
  /** Median of the ratios of each run to the run of the baseline beside it, so that what else the machine does cancels out. */
  readonly ratio: number;
  /** The ratio should be at most this. */
  readonly goal?: number;
}

/** One line of the benchmark's table. */
export interface Measurement extends Spread {
  readonly name: string;
  readonly unit: string;
  /** The median should be at most this. */
  readonly goal?: number;
  readonly baseline?: Baseline;
  /** How it was measured, where the name does not tell. */
  readonly note?: string;
}

/** What else {@link measure} may be told. */
export interface MeasureOptions {
  readonly goal?: number;
  /** Runs that are not counted, before the others. Default 1; code that lives in a long-running service deserves more. */
  readonly warmups?: number;
  readonly note?: string;
}

const unitMs = { ms: 1, s: 1000 } as const;

/** Times `fn`, which may be asynchronous, `runs` times. */
export async function measure(
  name: string,
  unit: keyof typeof unitMs,
  runs: number,
  fn: () => unknown,
  { warmups = 1, ...rest }: MeasureOptions = {},
): Promise<Measurement> {
  for (let run = 0; run < warmups; run++) await fn();
  const samples: number[] = [];
  for (let run = 0; run < runs; run++) samples.push((await timeMs(fn)) / unitMs[unit]);
  return { name, unit, ...summarise(samples), ...rest };
}

/** How long `fn` takes, in milliseconds. */
export async function timeMs(fn: () => unknown): Promise<number> {
  const startedAt = performance.now();
  await fn();
  return performance.now() - startedAt;
}

/** Samples that were taken in turn: one of ours, one of the baseline, and so on. */
export interface Pairs {
  readonly own: readonly number[];
  readonly baseline: readonly number[];
}

/** Ratio of what ours takes to what the baseline takes, by {@link Pairs}. */
export function compare(
  { own, baseline }: Pairs,
  { name, goal }: Pick<Baseline, "name" | "goal">,
): Spread & { readonly baseline: Baseline } {
  const ratios = own.map((sample, index) => sample / (baseline[index] ?? NaN));
  return {
    ...summarise(own),
    baseline: {
      name,
      ...summarise(baseline),
      ratio: summarise(ratios).median,
      ...(goal === undefined ? {} : { goal }),
    },
  };
}

/** Median, least and greatest of samples. */
export function summarise(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return {
    median: sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2,
    min: sorted[0] ?? NaN,
    max: sorted.at(-1) ?? NaN,
    runs: samples.length,
  };
}

/** Whether all goals are met; `undefined` where none is set. */
export function isMet({ goal, median, baseline }: Measurement): boolean | undefined {
  const verdicts = [
    ...(goal === undefined ? [] : [median <= goal]),
    ...(baseline?.goal === undefined ? [] : [baseline.ratio <= baseline.goal]),
  ];
  return verdicts.length === 0 ? undefined : !verdicts.includes(false);
}
