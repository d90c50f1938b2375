import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { machineFiles } from "../../lab/nested/files.ts";
import type { Segment } from "../../lab/nested/files.ts";
import { endSwitch, ensureSwitch, findSwitch, saveLink } from "../../lab/nested/network.ts";
import type { NestedPlan } from "../../lab/nested/plan.ts";
import { createFrameReader } from "../../lab/nested/switch.ts";
import { planBelow } from "../support/nested-plan.ts";

const broadcast = "ffffffffffff";
const macOf = (name: string): string => `0200000000${name.slice(1).padStart(2, "0")}`;

let home: string;
let plan: NestedPlan;
const nics: Nic[] = [];

/** A NIC as QEMU has it: it listens, and the lab's switch connects to it. */
interface Nic {
  readonly received: string[];
  readonly sockets: Socket[];
  send(text: string, target?: string): void;
  close(): void;
}

async function openNic(name: string, segment: Segment = "data"): Promise<Nic> {
  const host = plan.hosts.find((each) => each.name === name) ?? expect.fail();
  const path = machineFiles(plan, host).nic(segment);
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on(
      "data",
      createFrameReader((framed) => void received.push(framed.subarray(16).toString())),
    );
    sockets.push(socket);
  }).listen(path);
  await once(server, "listening");
  const nic: Nic = {
    received,
    sockets,
    send: (text, target = broadcast) => {
      const body = Buffer.concat([Buffer.from(target + macOf(name), "hex"), Buffer.from(text)]);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      sockets.at(-1)?.write(Buffer.concat([length, body]));
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(path, { force: true });
    },
  };
  nics.push(nic);
  return nic;
}

const limits = { timeout: 15_000, interval: 20 };

/** Sends a frame again and again until the other end has it: until then the switch may not have connected. */
async function reach(from: Nic, to: Nic, text: string, target?: string): Promise<void> {
  await expect
    .poll(() => {
      from.send(text, target);
      return to.received.includes(text);
    }, limits)
    .toBe(true);
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "stackyard-switch-"));
  plan = planBelow(home, { hosts: 3, networks: { storage: {} } });
  mkdirSync(plan.folder, { recursive: true });
  mkdirSync(plan.runFolder, { recursive: true });
});

afterEach(async () => {
  await endSwitch(plan);
  for (const nic of nics.splice(0)) nic.close();
  rmSync(home, { recursive: true });
});

test("the switch of a lab connects the NICs of a segment, and one whose QEMU is started anew", async () => {
  const [first, second] = [await openNic("h1"), await openNic("h2")];
  const storage = await openNic("h3", "storage");
  await ensureSwitch(plan);
  await reach(first, second, "one");
  await reach(second, first, "two");
  expect(first.received).not.toContain("one");
  second.close();
  const again = await openNic("h2");
  await reach(first, again, "three", macOf("h2")); // It has said nothing yet.
  expect(storage.received).toEqual([]);
});

test("the switch is one process however often it is asked for, and is ended by its lab", async () => {
  await ensureSwitch(plan);
  const running = findSwitch(plan);
  await ensureSwitch(plan);
  expect(running).toBeDefined();
  expect(findSwitch(plan)).toEqual(running);
  const other = { ...plan, runFolder: join(home, "other") };
  expect(findSwitch(other)).toBeUndefined();
  await endSwitch(other);
  expect(findSwitch(plan)).toEqual(running);
  await endSwitch(plan);
  expect(findSwitch(plan)).toBeUndefined();
});

test("the switch that runs hears of a cable that is bad, and of its mending", async () => {
  const [first, second, third] = [await openNic("h1"), await openNic("h2"), await openNic("h3")];
  await ensureSwitch(plan);
  await reach(first, second, "before");
  await reach(first, third, "before");
  const cable = { host: "h2", network: "data", cut: false, delayMs: 0 } as const;
  await saveLink(plan, { ...cable, lossPercent: 100 });
  first.send("lost");
  await reach(first, third, "lost"); // Frames of one cable are in order.
  await reach(first, third, "after it");
  expect(second.received).not.toContain("lost");
  await saveLink(plan, { ...cable, lossPercent: 0 });
  await reach(first, second, "mended");
});
