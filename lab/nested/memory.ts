import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { hasCode, StackyardError } from "../../providers/core/errors.ts";
import { runSideBySide } from "../side-by-side.ts";
import type { Qmp } from "./qmp.ts";

const pollMs = 20;
/** Memory streams at the pace of memory and disk; a guest that is still is not to be spared. */
const maxBandwidthBytes = 64 * 1024 ** 3;

const migrationSchema = z.looseObject({
  status: z.string().optional(),
  "error-desc": z.string().optional(),
});

/** A stream that passes on what it hashes and counts. */
function createDigest() {
  const hash = createHash("sha256");
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, result: () => ({ bytes, sha256: hash.digest("hex") }) };
}

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
 * Writes the memory and devices of a host that stands still to a file. A Unix socket between QEMU and us carries them:
 * no shell is at work, and the checksum comes on the way.
 */
export async function saveMemory(
  qmp: Qmp,
  socketPath: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  await rm(socketPath, { force: true });
  const server = createServer();
  const connected = new Promise<Socket>((resolve, reject) => {
    server.once("connection", resolve);
    server.once("error", reject);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  try {
    await qmp.execute("migrate-set-parameters", { "max-bandwidth": maxBandwidthBytes });
    await qmp.execute("migrate", { uri: `unix:${socketPath}` });
    const migrated = waitMigrated(qmp, signal);
    // A migration that fails at once, or is interrupted, may never connect.
    const source = await Promise.race([connected, migrated.then(() => connected)]);
    const { stream, result } = createDigest();
    const failures: unknown[] = [];
    const fail = (error: unknown): void => {
      failures.push(error);
      source.destroy();
    };
    const written = pipeline(source, stream, createWriteStream(file, { flags: "wx", mode: 0o600 }));
    await Promise.all([written.catch(fail), migrated.catch(fail)]);
    if (failures.length > 0) throw failures[0]; // which tells why; the other has ended by it
    return result();
  } catch (error) {
    await cancelMigration(qmp);
    throw error;
  } finally {
    server.close();
    await rm(socketPath, { force: true });
  }
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

/** Hashes a file. */
export async function hashFile(path: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const { stream, result } = createDigest();
  stream.resume();
  await pipeline(createReadStream(path, { highWaterMark: 1024 ** 2 }), stream);
  return result();
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
