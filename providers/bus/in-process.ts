import { StackyardError } from "../core/errors.ts";
import { defaultCallTimeoutMs, type Bus, type Handlers } from "./bus.ts";
import type { Messages, Method } from "./messages.ts";

/** A bus inside one process. Messages are copied, so that no service shares an object with another. */
export function openInProcessBus(): Bus {
  const consumers = new Map<string, Handlers>();
  const casts = new Set<Promise<void>>();

  async function deliver<M extends Method>(
    topic: string,
    method: M,
    args: Messages[M]["args"],
  ): Promise<Messages[M]["reply"]> {
    const handler = consumers.get(topic.split(".")[0] ?? topic)?.[method];
    if (handler === undefined)
      throw new StackyardError("internal", { message: `no service answers ${method} on topic ${topic}` });
    return structuredClone(await handler(structuredClone(args)));
  }

  return {
    serve: (topic, handlers) => {
      consumers.set(topic, handlers);
    },
    call: async (topic, method, args, timeoutMs = defaultCallTimeoutMs) => {
      const { promise: expiry, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        reject(
          new StackyardError("command-timeout", {
            message: `${topic} did not answer ${method} within ${String(timeoutMs)} ms`,
          }),
        );
      }, timeoutMs);
      try {
        return await Promise.race([deliver(topic, method, args), expiry]);
      } finally {
        clearTimeout(timer);
      }
    },
    cast: (topic, method, args) => {
      // A cast has nobody to tell of a failure: its handler records it.
      const work = deliver(topic, method, args).then(
        () => undefined,
        () => undefined,
      );
      casts.add(work);
      void work.finally(() => casts.delete(work));
    },
    drain: async () => {
      while (casts.size > 0) await Promise.all(casts);
    },
  };
}
