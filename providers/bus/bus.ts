import type { JsonObject } from "../core/json.ts";

/** What a service answers on its topic, by method name. */
export type Handlers = Readonly<Record<string, (args: JsonObject) => Promise<JsonObject>>>;

/**
 * Messages between services (oslo.messaging's two kinds). Arguments and replies are plain JSON on every transport.
 * Each message goes to exactly one consumer of its topic.
 */
export interface Bus {
  /** Waits for the reply. A handler's error comes back as thrown there; no answer in time raises `command-timeout`. */
  call(topic: string, method: string, args: JsonObject, timeoutMs?: number): Promise<JsonObject>;
  /** Hands the message over and returns; a failure shows only where the message is handled. */
  cast(topic: string, method: string, args: JsonObject): Promise<void>;
  /** Consumes a topic, and its sub-topics (`compute` also `compute.h1`) unless they have a consumer of their own. */
  serve(topic: string, handlers: Handlers): void;
  /** Waits until every cast handed over has been handled. */
  drain(): Promise<void>;
}

/** nova: conf/rpc `rpc_response_timeout` is 60 s, `long_rpc_timeout` 1800 s; builds wait long. */
export const defaultCallTimeoutMs = 1_800_000;
