/** Runs work one at a time for each key, in the order of the calls. */
export type Exclusive = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/** Queues within this process. */
export function makeExclusive(): Exclusive {
  const tails = new Map<string, Promise<undefined>>();
  return async (key, work) => {
    const before = tails.get(key);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    tails.set(key, promise);
    try {
      await before;
      return await work();
    } finally {
      resolve(undefined);
      if (tails.get(key) === promise) tails.delete(key);
    }
  };
}

/** Runs work that serves all who ask for it: calls of one key and purpose that come before it begins share one run. */
export type Together = (key: string, purpose: string, work: () => Promise<void>) => Promise<void>;

/** Takes its turns in `exclusive`'s queues. */
export function makeTogether(exclusive: Exclusive): Together {
  const waiting = new Map<string, Promise<void>>();
  return (key, purpose, work) => {
    const place = JSON.stringify([key, purpose]);
    const known = waiting.get(place);
    if (known !== undefined) return known;
    const run = exclusive(key, () => {
      waiting.delete(place);
      return work();
    });
    waiting.set(place, run);
    return run;
  };
}
