import { StackyardError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { defaultCallTimeoutMs, type Bus, type Handlers } from "./bus.ts";

/** A bus inside one process. Messages are copied, so that no service shares an object with another. */
export function openInProcessBus(): Bus {
  const consumers = new Map<string, Handlers>();
  const casts = new Set<Promise<unknown>>();

  const deliver = async (topic: string, method: string, args: JsonObject): Promise<JsonObject> => {
    const handlers = consumers.get(topic) ?? consumers.get(topic.split(".")[0] ?? topic);
    const handler = handlers?.[method];
    if (handler === undefined) {
      throw new StackyardError("internal", { message: `no service answers ${method} on topic ${topic}` });
    }
    return structuredClone(await handler(structuredClone(args)));
  };

  return {
    serve: (topic, handlers) => {
      consumers.set(topic, handlers);
    },
    call: async (topic, method, args, timeoutMs = defaultCallTimeoutMs) => {
      let timer: NodeJS.Timeout | undefined;
      const expiry = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          reject(
            new StackyardError("command-timeout", {
              message: `${topic} did not answer ${method} within ${String(timeoutMs)} ms`,
            }),
          );
        }, timeoutMs);
        timer.unref();
      });
      try {
        return await Promise.race([deliver(topic, method, args), expiry]);
      } finally {
        clearTimeout(timer);
      }
    },
    cast: (topic, method, args) => {
      // The handler records its own failure; a cast has nobody to tell.
      const work = deliver(topic, method, args)
        .catch(() => undefined)
        .finally(() => casts.delete(work));
      casts.add(work);
      return Promise.resolve();
    },
    drain: async () => {
      while (casts.size > 0) await Promise.all(casts);
    },
  };
}
