import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cancelMigration, loadMemory, saveMemory } from "../../../lab/nested/memory.ts";
import type { Qmp } from "../../../lab/nested/qmp.ts";
import { StackyardError } from "../../../providers/core/errors.ts";
import { listChildren } from "../../support/child-processes.ts";

const memory = Buffer.alloc(300_000, "memory of a host");

let folder: string;
let socket: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-memory-"));
  socket = join(folder, "mig");
  file = join(folder, "h1.memory");
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A monitor that writes down what it is told. `states` are those of a migration, one a question; the last stays. */
function openMonitor(
  states: readonly (string | undefined)[],
  more: Readonly<Record<string, (given: unknown) => void>> = {},
): { readonly qmp: Qmp; readonly told: string[]; readonly end: (state: string) => void } {
  const told: string[] = [];
  const left = [...states];
  const qmp: Qmp = {
    execute: (command, given) => {
      told.push(command);
      more[command]?.(given);
      if (command !== "query-migrate") return Promise.resolve({});
      const status = left.length > 1 ? left.shift() : left[0];
      return Promise.resolve(status === undefined ? {} : { status, "error-desc": "no room" });
    },
    close: () => undefined,
  };
  return { qmp, told, end: (state) => void left.splice(0, left.length, state) };
}

/** As QEMU does; the other end may be closed before all is sent. */
function send(): void {
  connect(socket)
    .on("error", () => undefined)
    .end(memory);
}

/** Sends without end, as a QEMU of much memory does, until the other end hangs up. */
async function pour(): Promise<void> {
  await pipeline(function* () {
    for (;;) yield memory;
  }, connect(socket)).catch(() => undefined);
}

/** The processes that write memory to files. */
const listWriters = (): number[] =>
  listChildren(process.pid).filter((pid) => readFileSync(`/proc/${String(pid)}/comm`, "utf8") === "cat\n");

test("memory is saved whole, for its user alone, as fast as it comes", async () => {
  const asked: unknown[] = [];
  const { qmp, told } = openMonitor(["active", "completed"], {
    "migrate-set-parameters": (given) => asked.push(given),
    migrate: (given) => {
      asked.push(given);
      send();
    },
  });
  await saveMemory(qmp, socket, file, undefined);
  expect(asked).toEqual([{ "max-bandwidth": 64 * 1024 ** 3 }, { uri: `unix:${socket}` }]);
  expect(readFileSync(file)).toEqual(memory);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(told).not.toContain("migrate_cancel");
  expect(existsSync(socket)).toBe(false);
});

test.each(["failed", "cancelled"])(
  "memory whose saving has %s is an error, and no migration is left",
  async (end) => {
    const { qmp, told } = openMonitor(["active", end], { migrate: send });
    await expect(saveMemory(qmp, socket, file, undefined)).rejects.toMatchObject({
      code: "command-failed",
      message: expect.stringContaining("no room") as unknown,
    });
    expect(told).toContain("migrate_cancel");
    expect(existsSync(socket)).toBe(false);
  },
);

test("memory whose saving fails before QEMU has connected is an error, and so is one that is interrupted", async () => {
  const { qmp, told } = openMonitor(["setup", "failed"]);
  await expect(saveMemory(qmp, socket, file, undefined)).rejects.toThrow("no room");
  expect(told).toContain("migrate_cancel");
  const abort = new AbortController();
  const monitor = openMonitor(["setup"], {
    "query-migrate": () => abort.abort(),
    migrate_cancel: () => monitor.end("cancelled"),
  });
  await expect(saveMemory(monitor.qmp, socket, `${file}.2`, abort.signal)).rejects.toMatchObject({
    name: "AbortError",
  });
  expect(existsSync(socket)).toBe(false);
});

test("memory that cannot be written is an error that says so, and QEMU is not left with nobody to take it", async () => {
  let poured: Promise<void> | undefined;
  const monitor = openMonitor(["active"], {
    migrate: () => {
      poured = pour().then(() => monitor.end("failed"));
    },
    "query-migrate": () => listWriters().forEach((pid) => process.kill(pid, "SIGKILL")),
  });
  await expect(saveMemory(monitor.qmp, socket, file, undefined)).rejects.toMatchObject({
    code: "command-failed",
    message: "memory could not be written",
  });
  await poured;
});

test("nobody goes on writing the memory of a QEMU that hangs", async () => {
  let poured: Promise<void> | undefined;
  const hang = (): void => {
    if (listWriters().length > 0) throw new StackyardError("command-timeout", { message: "it hangs" });
  };
  const { qmp } = openMonitor(["active"], {
    migrate: () => {
      poured = pour();
    },
    "query-migrate": hang,
    migrate_cancel: hang,
  });
  await expect(saveMemory(qmp, socket, file, undefined)).rejects.toMatchObject({ code: "command-timeout" });
  expect(listWriters()).toEqual([]);
  await poured;
});

test("memory for which there can be no socket is an error", async () => {
  const { qmp, told } = openMonitor(["completed"]);
  const elsewhere = join(folder, "none", "mig");
  await expect(saveMemory(qmp, elsewhere, file, undefined)).rejects.toThrow(/listen/);
  expect(told).toEqual([]);
});

test("memory is saved over no other file", async () => {
  writeFileSync(file, "theirs");
  const { qmp, told } = openMonitor(["completed"], { migrate: send });
  await expect(saveMemory(qmp, socket, file, undefined)).rejects.toMatchObject({ code: "EEXIST" });
  expect(readFileSync(file, "utf8")).toBe("theirs");
  expect(told).toEqual([]);
  expect(existsSync(socket)).toBe(false);
});

test("a migration that is cancelled is waited for: until then it would stop the host", async () => {
  const { qmp, told } = openMonitor(["cancelling", "cancelling", "cancelled"]);
  await cancelMigration(qmp);
  expect(told).toEqual(["migrate_cancel", "query-migrate", "query-migrate", "query-migrate"]);
  await cancelMigration(openMonitor([undefined]).qmp); // There was none.
});

test("a migration of a QEMU that is gone is none, and one that hangs is told of", async () => {
  const raise = (code: "command-failed" | "command-timeout") =>
    openMonitor([], {
      migrate_cancel: () => {
        throw new StackyardError(code, { message: "it is gone" });
      },
    }).qmp;
  await cancelMigration(raise("command-failed"));
  await expect(cancelMigration(raise("command-timeout"))).rejects.toMatchObject({ code: "command-timeout" });
});

test("memory is fed to a host that waits for it, and the socket goes", async () => {
  writeFileSync(file, memory);
  let server: Server | undefined;
  const received = new Promise<Buffer>((resolve, reject) => {
    server = createServer((from) => void buffer(from).then(resolve, reject));
  });
  const listen = (): void => void server?.listen(socket);
  const { qmp } = openMonitor(["active", "completed"], { "migrate-incoming": listen });
  await loadMemory(qmp, socket, file, undefined);
  expect(await received).toEqual(memory);
  expect(existsSync(socket)).toBe(false);
  server?.close();
});
