import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { expectProcess } from "../process.ts";

const sumLimitMs = 600_000;
const sumSchema = z.tuple([z.coerce.number().int(), z.coerce.number().int()]);

/** Hashes a file. */
export async function hashFile(path: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  await pipeline(
    createReadStream(path, { highWaterMark: 1024 ** 2 }),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
      }
    },
  );
  return { bytes, sha256: hash.digest("hex") };
}

/** Size and CRC of a file as `cksum` of POSIX tells them. */
export interface FileSum {
  readonly bytes: number;
  readonly crc: number;
}

/**
 * The CRC of a file: enough to see damage by, and some ten times as fast as a hash. Each file is read by a process of its
 * own, so that several are read side by side. Against somebody who changes a file at will it helps nothing.
 * @throws StackyardError `command-failed` for a file that cannot be read.
 */
export async function sumFile(path: string, signal?: AbortSignal): Promise<FileSum> {
  const output = await expectProcess("reading a file", "cksum", [path], { timeoutMs: sumLimitMs, signal });
  const [crc, bytes] = sumSchema.parse(output.split(" ", 2));
  return { bytes, crc };
}
