import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { constants as zlib, createZstdCompress, createZstdDecompress } from "node:zlib";
import { z } from "zod";
import { StackyardError } from "../providers/core/errors.ts";
import { isDiskFull } from "./file-faults.ts";
import { systemPath } from "./process.ts";

/**
 * tar with zstd between it and a file: `out` writes the file, which is not there yet, `in` reads it.
 * @throws StackyardError `host-disk-full`, `invalid-input` for a file that cannot be unpacked, `command-failed`.
 */
export async function runTar(
  args: readonly string[],
  direction: "in" | "out",
  file: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const child = spawn("tar", args, {
    stdio: [direction === "in" ? "pipe" : "ignore", direction === "out" ? "pipe" : "ignore", "pipe"],
    env: { PATH: systemPath, LC_ALL: "C" },
    ...(signal === undefined ? {} : { signal }),
  });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const closed = once(child, "close");
  const streamed =
    direction === "out" && child.stdout !== null
      ? pipeline(
          child.stdout,
          createZstdCompress({ params: { [zlib.ZSTD_c_compressionLevel]: 3 } }),
          createWriteStream(file, { flags: "wx", mode: 0o600 }),
        )
      : child.stdin === null
        ? Promise.resolve()
        : pipeline(createReadStream(file), createZstdDecompress(), child.stdin);
  const [ended, failure] = await Promise.all([
    closed.then((values) => z.tuple([z.int().nullable()]).rest(z.unknown()).parse(values)),
    streamed.then(
      () => undefined,
      (error: unknown) => error,
    ),
  ]);
  // tar leaves unread what follows the end of the archive; the checksums of its files tell whether all came.
  if (ended[0] === 0 && (failure === undefined || direction === "in")) return;
  const isFull = isDiskFull(new Error(said, { cause: failure }));
  throw new StackyardError(
    isFull ? "host-disk-full" : direction === "in" ? "invalid-input" : "command-failed",
    {
      message: direction === "in" ? "the file cannot be unpacked" : "the lab cannot be packed",
      field: "file",
      value: file,
      remedy: isFull
        ? "Free space, and run again: nothing of it is left."
        : direction === "in"
          ? "Name a file that stackyard lab export has written, and that is whole."
          : "See what tar says.",
      notes: said === "" ? [] : [said.trim().slice(-500)],
      cause: failure,
    },
  );
}
