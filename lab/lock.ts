import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { StackyardError } from "../providers/core/errors.ts";

const pollMs = 50;

/** Binds the name in the kernel's abstract socket space; undefined when another process holds it. */
function acquire(name: string): Promise<(() => Promise<void>) | undefined> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(`\0stackyard-${createHash("sha256").update(name).digest("hex").slice(0, 32)}`, () => {
      resolve(() => new Promise((closed) => server.close(() => closed())));
    });
  });
}

/**
 * Runs `action` while no other process of this machine runs one under the same name. The kernel frees the lock when
 * its holder dies, so that a killed command never leaves one behind.
 * @throws StackyardError `wrong-state` when the lock was not free within `waitMs`.
 */
export async function withLock<Result>(
  name: string,
  options: {
    readonly waitMs: number;
    /** What is worked on, as errors speak of it; the name by default. */
    readonly what?: string;
    readonly signal?: AbortSignal | undefined;
    readonly onWait?: () => void;
  },
  action: () => Promise<Result>,
): Promise<Result> {
  const deadline = performance.now() + options.waitMs;
  let release = await acquire(name);
  if (release === undefined) options.onWait?.();
  while (release === undefined) {
    if (performance.now() > deadline) {
      throw new StackyardError("wrong-state", {
        message: `another command has been working on ${options.what ?? name} for more than ${String(options.waitMs / 1000)} s`,
        remedy: "Wait until it has ended, or end it, then run again.",
      });
    }
    await sleep(pollMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
    release = await acquire(name);
  }
  try {
    return await action();
  } finally {
    await release();
  }
}
