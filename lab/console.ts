import { once } from "node:events";
import { connect } from "node:net";
import type { Readable, Writable } from "node:stream";

/** Ctrl-], as in telnet and virsh. */
const escapeByte = 0x1d;

/** A terminal, or what stands for one: `setRawMode` where it is one. */
export interface ConsoleTerminal {
  readonly input: Readable & { setRawMode?: (isRaw: boolean) => unknown };
  readonly output: Writable;
}

/**
 * Carries bytes between a terminal and a serial console until Ctrl-], the end of the input, or the end of the other
 * side. Raises the socket's error when nobody listens there.
 */
export async function attachConsole(socketPath: string, { input, output }: ConsoleTerminal): Promise<void> {
  const socket = connect(socketPath);
  await once(socket, "connect");
  output.write("connected; Ctrl-] leaves\r\n");
  input.setRawMode?.(true);
  const onData = (chunk: Buffer): void => {
    const at = chunk.indexOf(escapeByte);
    if (at < 0) socket.write(chunk);
    else socket.end(chunk.subarray(0, at));
  };
  const onEnd = (): void => void socket.end();
  input.on("data", onData).on("end", onEnd);
  socket.on("data", (chunk) => output.write(chunk));
  socket.on("error", () => undefined); // `close` follows
  try {
    await once(socket, "close");
  } finally {
    input.off("data", onData).off("end", onEnd);
    input.setRawMode?.(false);
    input.pause();
  }
}
