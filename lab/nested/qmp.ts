import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";

const replySchema = z.union([
  z.object({ return: z.json() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }) }),
  z.object({ event: z.string() }),
  z.object({ QMP: z.json() }),
]);

const defaultTimeoutMs = 30_000;
/** A monitor greets when its client before has left it: one that keeps memory is at it for a while. */
const greetingLimitMs = 60_000;
const pollMs = 20;

/** A monitor of one QEMU. It serves one client at a time: close it. */
export interface Qmp {
  /**
   * Carries out a command of QEMU's (QEMU: docs/interop/qemu-qmp-ref) and gives what it returns.
   * @throws StackyardError `command-failed` with QEMU's own words, `command-timeout` when it does not answer.
   */
  execute(
    command: string,
    args?: Readonly<Record<string, z.core.util.JSONType>>,
    timeoutMs?: number,
  ): Promise<z.core.util.JSONType>;
  close(): void;
}

/**
 * Connects to a monitor's socket; one that QEMU is still about to make is waited for.
 * @throws StackyardError `command-failed` when there is none, `command-timeout` when it does not greet.
 */
export async function openQmp(
  socketPath: string,
  options: { readonly waitMs?: number; readonly greetingMs?: number; readonly isAlive?: () => boolean } = {},
): Promise<Qmp> {
  const socket = await connectWithin(socketPath, options.waitMs ?? 0, options.isAlive ?? (() => true));
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  /** The next line that is no event. */
  const readReply = async (): Promise<z.infer<typeof replySchema>> => {
    for (;;) {
      const { value, done } = await lines.next().catch((cause: unknown) => {
        throw new StackyardError("command-failed", { message: "QEMU has ended", cause });
      });
      if (done === true) {
        throw new StackyardError("command-failed", { message: "QEMU has closed its monitor" });
      }
      const reply = replySchema.parse(JSON.parse(value));
      if (!("event" in reply)) return reply;
    }
  };
  const readWithin = async (timeoutMs: number, what: string): Promise<z.infer<typeof replySchema>> => {
    const timer = new AbortController();
    const reply = await Promise.race([
      readReply(),
      sleep(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined),
    ]).finally(() => timer.abort());
    if (reply !== undefined) return reply;
    throw new StackyardError("command-timeout", {
      message: `QEMU has not ${what} within ${String(timeoutMs / 1000)} s`,
    });
  };
  const execute: Qmp["execute"] = async (command, args, timeoutMs = defaultTimeoutMs) => {
    socket.write(
      `${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }) })}\n`,
    );
    const reply = await readWithin(timeoutMs, `answered ${command}`);
    if ("return" in reply) return reply.return;
    throw new StackyardError("command-failed", {
      message: `QEMU refused ${command}: ${"error" in reply ? reply.error.desc : "unexpected reply"}`,
    });
  };
  try {
    await readWithin(options.greetingMs ?? greetingLimitMs, "greeted");
    await execute("qmp_capabilities");
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return { execute, close: () => socket.destroy() };
}

async function connectWithin(path: string, waitMs: number, isAlive: () => boolean): Promise<Socket> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, "connect");
      socket.on("error", () => undefined); // seen as the end of its lines
      return socket;
    } catch (cause) {
      socket.destroy();
      if (performance.now() >= deadline || !isAlive()) {
        throw new StackyardError("command-failed", { message: "QEMU's monitor does not answer", cause });
      }
      await sleep(pollMs);
    }
  }
}
