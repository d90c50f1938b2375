/**
 * Runs actions side by side until all have ended. The first that fails has the others end by their signal, and its failure
 * is raised when they have.
 * @param given ends all of them.
 */
export async function runSideBySide<Result>(
  actions: readonly ((signal: AbortSignal) => Promise<Result>)[],
  given: AbortSignal | undefined,
): Promise<Result[]> {
  const abort = new AbortController();
  const signal = given === undefined ? abort.signal : AbortSignal.any([given, abort.signal]);
  const failures: unknown[] = [];
  const ends = await Promise.all(
    actions.map(async (action) => {
      try {
        return [await action(signal)];
      } catch (error) {
        failures.push(error);
        abort.abort();
        return [];
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
  return ends.flat();
}
