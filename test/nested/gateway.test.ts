import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import {
  bringUp,
  changePower,
  cutLink,
  describeLab,
  mendLink,
  restoreLab,
  runOnHost,
  snapshotLab,
} from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

/**
 * A host whose only way out is another one. What is outside is this machine: nothing is sent further. It listens on its loopback,
 * which is the machine as each host's management network has it, and on an address of its own, which is no network of the lab.
 */
const name = "gateway";
const patience = { timeout: 60_000, interval: 1_000 };
const greeting = "outside";

let labs: LabFolder;
let servers: readonly Server[];
let ownAddress: string;
let port: number;
let gatewayAddress: string;

async function listen(address: string, at: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined); // a host that has been cut off
    socket.end(`${greeting}\n`);
  });
  await once(server.listen(at, address), "listening");
  return server;
}

beforeAll(async () => {
  ownAddress =
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "";
  const first = await listen(ownAddress, 0);
  ({ port } = z.object({ port: z.int() }).parse(first.address()));
  servers = [first, await listen("127.0.0.1", port)];
  labs = openLabFolder("gateway-test");
  const lab = await bringUp(
    parseTopology({
      name,
      driver: "nested",
      hosts: [
        { name: "h1", vcpus: 1, ramMib: 1024 },
        { name: "g1", roles: ["gateway"], vcpus: 1, ramMib: 768 },
      ],
    }),
  );
  gatewayAddress = lab.hosts[1]?.tunnelAddress.replace(/\/.*/, "") ?? "";
});

afterAll(async () => {
  await labs.close();
  for (const server of servers) server.close();
});

async function onHost(host: string, script: string): Promise<string> {
  return (await runOnHost(name, host, ["sh", "-c", script])).stdout;
}

/** What a host reads from a server on this machine; empty when there is no way. */
function reach(host: string, address: string): Promise<string> {
  return onHost(host, `timeout 5 bash -c 'head -n 1 < /dev/tcp/${address}/${String(port)}' 2> /dev/null`);
}

async function machineAddress(): Promise<string> {
  return (await describeLab(name)).networks.management.gateway;
}

test("a host reaches what is outside of the lab by the gateway, whose cable is the only way", async () => {
  expect(await onHost("h1", "ip route show default")).toContain(`default via ${gatewayAddress} dev eth1`);
  expect(await reach("h1", ownAddress)).toBe(`${greeting}\n`);
  await cutLink(name, "g1", "data");
  expect(await reach("h1", ownAddress)).toBe("");
  expect(await reach("g1", ownAddress)).toBe(`${greeting}\n`);
  await mendLink(name, "g1", "data");
  await expect.poll(() => reach("h1", ownAddress), patience).toBe(`${greeting}\n`);
});

test("a host's management network leads nowhere, whatever its routes say, and this machine still comes in", async () => {
  const machine = await machineAddress();
  expect(await reach("g1", machine)).toBe(`${greeting}\n`);
  expect(await reach("h1", machine)).toBe("");
  await onHost("h1", `ip route add ${ownAddress} via ${machine} dev eth0`);
  expect(await reach("h1", ownAddress)).toBe("");
  await onHost("h1", `ip route delete ${ownAddress}`);
  expect(await reach("h1", ownAddress)).toBe(`${greeting}\n`);
});

test("questions for names go to the gateway, and from there to the resolver of its own network", async () => {
  const resolver = (await onHost("g1", "cat /etc/resolv.conf")).replace("nameserver ", "").trim();
  expect(await onHost("h1", "cat /etc/resolv.conf")).toBe(`nameserver ${gatewayAddress}\n`);
  // Counted, and held back: what it answers would come from elsewhere.
  const watch = `nft 'table ip watch { chain out { type filter hook forward priority 100; ip daddr ${resolver} udp dport 53 counter drop; }; }'`;
  await onHost("g1", watch);
  await onHost("h1", `bash -c 'echo question > /dev/udp/${gatewayAddress}/53'`);
  const count = () => onHost("g1", "nft list table ip watch");
  await expect.poll(count, patience).toMatch(/counter packets [1-9]/);
  await onHost("g1", "nft delete table ip watch");
});

test("the way is there again when the gateway was without power, and when the lab goes back to a moment", async () => {
  await snapshotLab(name, "moment");
  await changePower(name, "g1", "cut");
  expect(await reach("h1", ownAddress)).toBe("");
  await changePower(name, "g1", "on");
  await expect.poll(() => reach("h1", ownAddress), patience).toBe(`${greeting}\n`);
  await onHost("g1", "nft flush ruleset");
  expect(await reach("h1", ownAddress)).toBe("");
  await restoreLab(name, "moment");
  await expect.poll(() => reach("h1", ownAddress), patience).toBe(`${greeting}\n`);
});
