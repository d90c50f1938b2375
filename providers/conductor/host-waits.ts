import type { OnWaiting } from "../core/cloud.ts";

/** Asks hosts at once, and tells which are waited for. Raises the first error of `ask`. */
export async function askHosts<H, T>(
  hosts: readonly H[],
  {
    nameOf,
    ask,
    onWaiting,
  }: {
    readonly nameOf: (host: H) => string;
    readonly ask: (host: H) => Promise<T>;
    readonly onWaiting: OnWaiting | undefined;
  },
): Promise<readonly T[]> {
  const waiting = new Set(hosts);
  const tell = (): void => {
    if (waiting.size > 0) onWaiting?.([...waiting].map(nameOf));
  };
  tell();
  return Promise.all(
    hosts.map(async (host) => {
      try {
        return await ask(host);
      } finally {
        waiting.delete(host);
        tell();
      }
    }),
  );
}
