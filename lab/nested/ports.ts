import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { StackyardError } from "../../providers/core/errors.ts";
import type { NestedHost } from "./plan.ts";

/** Ports that hosts' sshds are reached by: below those that the kernel gives to outgoing connections. */
const sshPorts = { first: 20_000, last: 29_999 } as const;

/**
 * TCP ports of 127.0.0.1 that nothing listens on, each another one. Labs of other folders begin elsewhere to look.
 * @param taken ports of other labs, which may be off.
 */
export async function findFreePorts(
  count: number,
  folder: string,
  taken: readonly number[],
): Promise<number[]> {
  const size = sshPorts.last - sshPorts.first + 1;
  const start = createHash("sha256").update(folder).digest().readUInt32BE(0) % size;
  const found: number[] = [];
  for (let step = 0; step < size && found.length < count; step++) {
    const port = sshPorts.first + ((start + step) % size);
    if (!taken.includes(port) && (await isFree(port))) found.push(port);
  }
  return found;
}

/** Whether nothing listens on a TCP port of 127.0.0.1. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  server.close();
  return free;
}

/** @throws StackyardError `in-use` when another program listens where the host's sshd is to be reached. */
export async function requirePort(host: Pick<NestedHost, "name" | "sshPort">): Promise<void> {
  if (await isFree(host.sshPort)) return;
  throw new StackyardError("in-use", {
    message: `port ${String(host.sshPort)} of 127.0.0.1, which leads to host ${host.name}, is in use on this machine`,
    field: "sshPort",
    value: String(host.sshPort),
    remedy: "End the program that listens there (`ss -ltnp` names it), or take the lab down and up again.",
  });
}
