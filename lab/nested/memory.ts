import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { hasCode, StackyardError } from "../../providers/core/errors.ts";
import { systemPath } from "../process.ts";
import { runSideBySide } from "../side-by-side.ts";
import type { Qmp } from "./qmp.ts";

const pollMs = 20;
/** Memory streams at the pace of memory and disk; a guest that is still is not to be spared. */
const maxBandwidthBytes = 64 * 1024 ** 3;

const migrationSchema = z.looseObject({
  status: z.string().optional(),
  "error-desc": z.string().optional(),
});

/** Waits until a migration has ended. Raises `command-failed` with QEMU's own words. */
async function waitMigrated(qmp: Qmp, signal: AbortSignal | undefined): Promise<void> {
  for (;;) {
    const { status, "error-desc": reason } = migrationSchema.parse(await qmp.execute("query-migrate"));
    if (status === "completed") return;
    if (status === "failed" || status === "cancelled") {
      throw new StackyardError("command-failed", {
        message: `QEMU could not move memory: ${reason ?? status}`,
      });
    }
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}

/**
 * Writes the memory and devices of a host that stands still to a file that is not there yet. QEMU sends them by a Unix
 * socket, which a process of its own empties: no shell is at work, and hosts are saved as fast as the machine can.
 * @throws StackyardError `command-failed` with QEMU's words, or those of who writes the file.
 */
export async function saveMemory(
  qmp: Qmp,
  socketPath: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await rm(socketPath, { force: true });
  const server = createServer({ pauseOnConnect: true });
  await once(server.listen(socketPath), "listening"); // raises `error` first
  const connected = new Promise<Socket>((resolve, reject) => {
    server.once("connection", resolve);
    server.once("error", reject);
  });
  try {
    await using target = await open(file, "wx", 0o600);
    await qmp.execute("migrate-set-parameters", { "max-bandwidth": maxBandwidthBytes });
    const hung = new AbortController();
    const migrated = migrate(qmp, socketPath, signal).catch(async (error: unknown) => {
      await cancelMigration(qmp).catch((cause: unknown) => {
        hung.abort();
        throw cause;
      });
      throw error;
    });
    // A migration that fails at once, or is interrupted, may never connect.
    const copied = Promise.race([connected, migrated.then(() => connected)]).then((source) =>
      copyBytes(source, target, hung.signal),
    );
    // QEMU's failure is that its connection is closed, where the other's tells why.
    for (const end of await Promise.allSettled([copied, migrated]))
      if (end.status === "rejected") throw end.reason;
  } finally {
    server.close();
    await rm(socketPath, { force: true });
  }
}

async function migrate(qmp: Qmp, socketPath: string, signal: AbortSignal | undefined): Promise<void> {
  await qmp.execute("migrate", { uri: `unix:${socketPath}` });
  await waitMigrated(qmp, signal);
}

/** Has `cat` write all that comes by a connection, which is the child's alone from then on. `hung` ends it. */
async function copyBytes(source: Socket, target: FileHandle, hung: AbortSignal): Promise<void> {
  let child;
  try {
    child = spawn("cat", [], {
      stdio: [source, target.fd, "pipe"],
      env: { PATH: systemPath, LC_ALL: "C" },
    });
  } finally {
    source.destroy();
  }
  hung.addEventListener("abort", () => child.kill("SIGKILL"));
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await once(child, "close"); // raises `error` first
  if (child.exitCode === 0 || hung.aborted) return;
  throw new StackyardError("command-failed", {
    message: "memory could not be written",
    notes: [said.trim().slice(-500)],
  });
}

/**
 * Ends a migration, and waits until QEMU has: it would stop the host at the end of one that goes on. QEMU that is gone has
 * none.
 */
export async function cancelMigration(qmp: Qmp): Promise<void> {
  try {
    await qmp.execute("migrate_cancel");
    for (;;) {
      const { status } = migrationSchema.parse(await qmp.execute("query-migrate"));
      if (status === undefined || ["none", "completed", "failed", "cancelled"].includes(status)) return;
      await sleep(pollMs);
    }
  } catch (error) {
    if (!hasCode(error, "command-failed")) throw error;
  }
}

/** Whether QEMU has hung up. Why, its monitor says. */
function isHungUp(error: unknown): boolean {
  return ["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE"].some(
    (code) => error instanceof Error && "code" in error && error.code === code,
  );
}

/**
 * Feeds a host that waits for it with the memory of a file.
 * @throws StackyardError `command-failed` when QEMU does not take it, with its own words where it has not ended by it: then
 * they are in its log.
 */
export async function loadMemory(
  qmp: Qmp,
  socketPath: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await rm(socketPath, { force: true });
  await qmp.execute("migrate-incoming", { uri: `unix:${socketPath}` });
  try {
    await runSideBySide(
      [
        (ending) =>
          pipeline(createReadStream(file, { highWaterMark: 1024 ** 2 }), connect(socketPath), {
            signal: ending,
          }).catch((error: unknown) => {
            if (!isHungUp(error)) throw error;
          }),
        (ending) => waitMigrated(qmp, ending),
      ],
      signal,
    );
  } finally {
    await rm(socketPath, { force: true });
  }
}
