import type { Messages, Method } from "./messages.ts";

/** What a service answers on its topic. */
export type Handlers = {
  readonly [M in Method]?: (args: Messages[M]["args"]) => Promise<Messages[M]["reply"]>;
};

/**
 * Messages between services (oslo.messaging's two kinds). Arguments and replies are plain data on every transport.
 * Each message goes to exactly one consumer of its topic.
 */
export interface Bus {
  /** Waits for the reply. A handler's error comes back as thrown there; no answer in time raises `command-timeout`. */
  call<M extends Method>(
    topic: string,
    method: M,
    args: Messages[M]["args"],
    timeoutMs?: number,
  ): Promise<Messages[M]["reply"]>;
  /** Hands the message over and returns; a failure shows only where the message is handled. */
  cast<M extends Method>(topic: string, method: M, args: Messages[M]["args"]): void;
  /** Consumes a topic, and its sub-topics (`compute` also `compute.h1`). */
  serve(topic: string, handlers: Handlers): void;
  /** Waits until every cast handed over has been handled. */
  drain(): Promise<void>;
}

/** Limit of a call in milliseconds (nova: `rpc_response_timeout` 60 s). */
export const defaultCallTimeoutMs = 60_000;
