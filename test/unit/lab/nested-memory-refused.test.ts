import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadMemory } from "../../../lab/nested/memory.ts";
import type { Qmp } from "../../../lab/nested/qmp.ts";
import { StackyardError } from "../../../providers/core/errors.ts";

let folder: string;
let file: string;
let socketPath: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-memory-"));
  file = join(folder, "memory");
  socketPath = join(folder, "migration");
  writeFileSync(file, Buffer.alloc(8 * 1024 ** 2));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** A QEMU that listens when it is told to, hangs up at the first bytes, and then answers `query-migrate` by `answer`. */
function refusingQemu(answer: () => Awaited<ReturnType<Qmp["execute"]>>): Qmp {
  let hasHungUp = false;
  return {
    async execute(command) {
      if (command === "query-migrate") return hasHungUp ? answer() : {};
      const server = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.once("data", () => {
          hasHungUp = true;
          socket.destroy();
          server.close();
        });
      });
      await new Promise<void>((resolve) => server.listen(socketPath, resolve));
      return {};
    },
    close: () => undefined,
  };
}

test("memory that QEMU does not take is refused by its own words, not by the connection's", async () => {
  const qmp = refusingQemu(() => ({ status: "failed", "error-desc": "Unknown savevm section" }));
  await expect(loadMemory(qmp, socketPath, file, undefined)).rejects.toThrow(
    "QEMU could not move memory: Unknown savevm section",
  );
});

test("a QEMU that ends by the memory is told of as gone", async () => {
  const qmp = refusingQemu(() => {
    throw new StackyardError("command-failed", { message: "QEMU has closed its monitor" });
  });
  await expect(loadMemory(qmp, socketPath, file, undefined)).rejects.toThrow("QEMU has closed its monitor");
});

test("memory that cannot be read is not waited for", async () => {
  const qmp = refusingQemu(() => ({}));
  await expect(loadMemory(qmp, socketPath, join(folder, "none"), undefined)).rejects.toMatchObject({
    code: "ENOENT",
  });
});
