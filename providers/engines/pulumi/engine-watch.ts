import { connect } from "node:net";

/**
 * Calls `onGone` once, when nothing listens at the engine's `HOST:PORT` any more. An engine that ends says so by a signal; one that is
 * killed says nothing, and its providers would live on, holding the tasks that they work on. Does not keep the process alive.
 */
export function watchEngine(address: string, onGone: () => void, intervalMs = 2000): void {
  const { hostname, port } = new URL(`tcp://${address}`);
  const timer = setInterval(() => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.unref();
    socket.once("connect", () => socket.destroy());
    socket.once("error", (error) => {
      if (!("code" in error) || error.code !== "ECONNREFUSED") return;
      clearInterval(timer);
      onGone();
    });
  }, intervalMs);
  timer.unref();
}
