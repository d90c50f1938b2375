import { once } from "node:events";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { findFreePorts, isFree, isPlaceFree, requirePlace } from "../../../lab/nested/ports.ts";
import { planBelow } from "../../support/nested-plan.ts";

/** Listens on a TCP port of 127.0.0.1 until the test ends. */
async function listen(port: number): Promise<{ readonly end: () => Promise<void>; readonly port: number }> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  const end = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  onTestFinished(end);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { end, port: address.port };
}

test("the ports of a lab are free ones, each another, and none that another lab has", async () => {
  const ports = await findFreePorts(3, "/labs/a", []);
  expect(new Set(ports).size).toBe(3);
  for (const port of ports) expect(port).toBeGreaterThanOrEqual(20_000);
  for (const port of ports) expect(port).toBeLessThan(30_000);
  const [first = 0, second = 0, third = 0] = ports;
  await listen(second);
  const others = await findFreePorts(2, "/labs/a", [first]);
  expect(others[0]).toBe(third);
  expect(others).not.toEqual(expect.arrayContaining([first]));
  expect(await Promise.all(ports.map(isFree))).toEqual([true, false, true]);
});

test("the ports of labs of other folders are looked for elsewhere", async () => {
  const starts: number[][] = [];
  for (const each of ["/labs/a", "/labs/b", "/labs/c"]) starts.push(await findFreePorts(1, each, []));
  expect(new Set(starts.flat()).size).toBe(3);
});

test("the place of a host on a bridge is taken where somebody answers, or refuses", async () => {
  const plan = planBelow("/x", { networks: { management: { cidr: "10.77.0.0/24", bridge: "br0" } } });
  const [host = expect.fail()] = plan.hosts;
  const { port, end } = await listen(0);
  const there = { ...host, sshAddress: "127.0.0.1", sshPort: port };
  expect(await isPlaceFree(plan, there)).toBe(false);
  await end();
  expect(await isPlaceFree(plan, there)).toBe(false); // The address is somebody's, who has no such port.
  await expect(requirePlace(plan, there)).rejects.toMatchObject({
    code: "in-use",
    field: "networks.management.cidr",
  });
});

test("a place that is let go of in a moment is waited for", async () => {
  const plan = planBelow("/x");
  const [host = expect.fail()] = plan.hosts;
  const { port, end } = await listen(0);
  const waiting = requirePlace(plan, { ...host, sshPort: port });
  expect(await isFree(port)).toBe(false); // It has looked once.
  await end();
  await waiting;
});
