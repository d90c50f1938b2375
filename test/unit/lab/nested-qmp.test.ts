import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { openQmp } from "../../../lab/nested/qmp.ts";

const requestSchema = z.object({ execute: z.string(), arguments: z.json().optional() });

let folder: string;
let server: Server;
let asked: z.infer<typeof requestSchema>[];

/** A monitor that answers each command by the lines that `answer` gives, or ends. */
function listen(answer: (command: string) => readonly object[] | "end"): Promise<string> {
  const path = join(folder, "qmp");
  server = createServer((socket) => {
    socket.write(`${JSON.stringify({ QMP: { version: {}, capabilities: [] } })}\n`);
    createInterface(socket).on("line", (line) => {
      const request = requestSchema.parse(JSON.parse(line));
      asked.push(request);
      const lines = request.execute === "qmp_capabilities" ? [{ return: {} }] : answer(request.execute);
      if (lines === "end") socket.destroy();
      else for (const each of lines) socket.write(`${JSON.stringify(each)}\n`);
    });
    socket.on("error", () => undefined);
  });
  return new Promise((resolve) => server.listen(path, () => resolve(path)));
}

const connections = (): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-qmp-"));
  asked = [];
});

afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

test("a command's answer is found among events", async () => {
  const path = await listen(() => [{ event: "STOP", timestamp: {} }, { return: { status: "paused" } }]);
  const qmp = await openQmp(path);
  expect(await qmp.execute("query-status", { a: 1 })).toEqual({ status: "paused" });
  expect(asked.at(-1)).toEqual({ execute: "query-status", arguments: { a: 1 } });
  qmp.close();
});

test("a monitor is asked for its capabilities first, and is free for the next when it is closed", async () => {
  const path = await listen(() => [{ return: {} }]);
  const qmp = await openQmp(path);
  expect(asked).toEqual([{ execute: "qmp_capabilities" }]);
  qmp.close();
  await expect.poll(() => connections(), { timeout: 10_000 }).toBe(0);
});

test("a QEMU that ends while it is asked is an error", async () => {
  const path = await listen((command) => (command === "quit" ? "end" : []));
  const qmp = await openQmp(path);
  await expect(qmp.execute("quit")).rejects.toMatchObject({
    code: "command-failed",
    message: "QEMU has closed its monitor",
  });
});

test("a refusal carries QEMU's words", async () => {
  const path = await listen(() => [{ error: { class: "GenericError", desc: "no such device" } }]);
  const qmp = await openQmp(path);
  await expect(qmp.execute("set_link")).rejects.toThrow(/set_link: no such device/);
  qmp.close();
});

test("a monitor that is silent is given up", async () => {
  const qmp = await openQmp(await listen(() => []));
  await expect(qmp.execute("query-status", undefined, 20)).rejects.toMatchObject({ code: "command-timeout" });
  qmp.close();
});

test("a monitor that does not greet, as that of a QEMU that was halted, is given up", async () => {
  const path = join(folder, "qmp");
  server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await expect(openQmp(path, { greetingMs: 20 })).rejects.toMatchObject({
    code: "command-timeout",
    message: "QEMU has not greeted within 0.02 s",
  });
  await expect.poll(() => connections(), { timeout: 10_000 }).toBe(0);
});

test("a monitor that is not there yet is waited for, one whose QEMU has ended is not", async () => {
  const path = join(folder, "qmp");
  const opened = openQmp(path, { waitMs: 5_000 });
  await listen(() => [{ return: {} }]);
  const qmp = await opened;
  qmp.close();
  server.close();
  await expect(openQmp(join(folder, "none"), { waitMs: 60_000, isAlive: () => false })).rejects.toMatchObject(
    {
      code: "command-failed",
    },
  );
});

test("QEMU that ends before it has read a command is an error of the lab's", async () => {
  const path = join(folder, "qmp");
  server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.write(`${JSON.stringify({ QMP: {} })}\n${JSON.stringify({ return: {} })}\n`);
    setTimeout(() => socket.destroy(), 100);
  });
  await once(server.listen(path), "listening");
  const qmp = await openQmp(path);
  await expect(qmp.execute("query-status")).rejects.toMatchObject({ code: "command-failed" });
});
