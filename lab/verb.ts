import { startProgress } from "../providers/engines/cli/progress.ts";
import type { LabOptions } from "./driver.ts";

/**
 * Runs a verb with its progress on standard error. Ctrl-C ends the waiting, not the process, so that the error can say
 * how to go on.
 */
export async function runVerb<Result>(
  title: string,
  action: (options: Required<LabOptions> & { readonly signal: AbortSignal }) => Promise<Result>,
): Promise<Result> {
  const progress = startProgress(process.stderr, title);
  const abort = new AbortController();
  const onSignal = (): void => abort.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    return await action({ onProgress: (message) => progress.step(message), signal: abort.signal });
  } finally {
    progress.stop();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}
