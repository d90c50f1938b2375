import { createHash } from "node:crypto";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { StackyardError } from "../../providers/core/errors.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";

/** Ports that hosts' sshds are reached by: below those that the kernel gives to outgoing connections. */
const sshPorts = { first: 20_000, last: 29_999 } as const;

/** Somebody in the same network who has an address is heard of within a fraction of it. */
const silenceLimitMs = 1_500;
const endLimitMs = 2_000;
const pollMs = 50;

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

/** Whether the host's sshd, which does not run, leaves its place to be taken: nobody else is there. */
export async function isPlaceFree(plan: NestedPlan, host: NestedHost): Promise<boolean> {
  if (plan.networks.management.bridge === undefined) return isFree(host.sshPort);
  return !(await accepts(host.sshAddress, host.sshPort));
}

/** Whether something takes a TCP connection, or refuses one itself. An address that nobody has says nothing. */
function accepts(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(silenceLimitMs, () => end(false));
    socket.on("connect", () => end(true));
    socket.on("error", (error) => end("code" in error && error.code === "ECONNREFUSED"));
  });
}

/** @throws StackyardError `in-use` when somebody else is where the host's sshd is to be reached. */
export async function requirePlace(plan: NestedPlan, host: NestedHost): Promise<void> {
  // Threads of a QEMU that was killed hold it for a moment, when the process itself is no more to be seen.
  const deadline = performance.now() + endLimitMs;
  do {
    if (await isPlaceFree(plan, host)) return;
    await sleep(pollMs);
  } while (performance.now() < deadline);
  const { bridge } = plan.networks.management;
  if (bridge !== undefined) {
    throw new StackyardError("in-use", {
      message: `address ${host.sshAddress}, which is to be host ${host.name}'s, is another one's on bridge ${bridge}`,
      field: "networks.management.cidr",
      value: plan.networks.management.cidr,
      remedy: "Find who has it (`ip neighbour` names the MAC address), or give the lab another range.",
    });
  }
  throw new StackyardError("in-use", {
    message: `port ${String(host.sshPort)} of 127.0.0.1, which leads to host ${host.name}, is in use on this machine`,
    field: "sshPort",
    value: String(host.sshPort),
    remedy: "End the program that listens there (`ss -ltnp` names it), or take the lab down and up again.",
  });
}
