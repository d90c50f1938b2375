/** Runs work one at a time for each key, in the order of the calls. */
export type Exclusive = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/** Queues within this process. */
export function makeExclusive(): Exclusive {
  const tails = new Map<string, Promise<void>>();
  return async (key, work) => {
    const before = tails.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    tails.set(key, promise);
    try {
      await before;
      return await work();
    } finally {
      resolve();
      if (tails.get(key) === promise) tails.delete(key);
    }
  };
}
