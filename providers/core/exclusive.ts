import { StackyardError } from "./errors.ts";

/** Who waits for a turn: what ends the wait, and who is told what it waits for. */
export interface Waiter {
  readonly signal?: AbortSignal;
  readonly progress?: (line: string) => void;
}

/**
 * Runs work one at a time for each key, in the order of the calls. Raises `interrupted` when the waiter's signal comes before the turn does; work
 * that has begun is its own to end.
 */
export type Exclusive = <T>(key: string, work: () => Promise<T>, waiter?: Waiter) => Promise<T>;

/** Queues within this process. */
export function makeExclusive(): Exclusive {
  const tails = new Map<string, Promise<undefined>>();
  return async (key, work, waiter) => {
    const before = tails.get(key);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    tails.set(key, promise);
    try {
      await untilAborted(Promise.resolve(before), key, waiter);
      return await work();
    } finally {
      // Who gives up keeps the place until its turn: those behind it wait for those before it.
      void Promise.resolve(before).then(() => {
        resolve(undefined);
        if (tails.get(key) === promise) tails.delete(key);
      });
    }
  };
}

/**
 * Runs work that serves all who ask for it: calls of one key and purpose that come before it begins share one run and its failure. The run is the
 * first one's: when that one is interrupted, so are the others. Whose own signal comes waits no longer, and the run goes on.
 */
export type Together = (
  key: string,
  purpose: string,
  work: () => Promise<void>,
  waiter?: Waiter,
) => Promise<void>;

/** Takes its turns in `exclusive`'s queues. */
export function makeTogether(exclusive: Exclusive): Together {
  const waiting = new Map<string, Promise<void>>();
  return (key, purpose, work, waiter) => {
    const place = JSON.stringify([key, purpose]);
    const known = waiting.get(place);
    if (known !== undefined) return untilAborted(known, key, waiter);
    const begin = (): void => {
      if (waiting.get(place) === run) waiting.delete(place);
    };
    const run = exclusive(
      key,
      () => {
        begin();
        return work();
      },
      waiter,
    ).finally(begin);
    waiting.set(place, run);
    return run;
  };
}

/** The error for a wait that was ended by its signal. */
export function interruptedWait(key: string, cause: unknown): StackyardError {
  return new StackyardError("interrupted", { message: `the wait for ${key} was interrupted`, cause });
}

async function untilAborted<T>(promise: Promise<T>, key: string, { signal }: Waiter = {}): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const giveUp = (): void => reject(interruptedWait(key, signal.reason));
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
