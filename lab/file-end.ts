import { existsSync } from "node:fs";
import { open } from "node:fs/promises";

const tailBytes = 2000;

/** The last 2000 bytes of a text file; empty when there is none. */
export async function readTail(path: string): Promise<string> {
  return (await readEnd(path, tailBytes)).text.trim();
}

/**
 * The end of a text file; empty when there is none. A guest writes to its console what and as much as it likes.
 * @param most in bytes.
 * @param start nothing before this byte.
 */
export async function readEnd(
  path: string,
  most: number,
  start = 0,
): Promise<{ readonly text: string; readonly leftOutBytes: number }> {
  if (!existsSync(path)) return { text: "", leftOutBytes: 0 };
  const { bytes, leftOutBytes } = await readLastBytes(path, most, start);
  return { text: bytes.toString(), leftOutBytes };
}

/** The same of a file that is there, as bytes. */
export async function readLastBytes(
  path: string,
  most: number,
  start = 0,
): Promise<{ readonly bytes: Buffer; readonly leftOutBytes: number }> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const from = Math.max(start, size - most);
    const length = Math.max(0, size - from);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    return { bytes: buffer.subarray(0, bytesRead), leftOutBytes: from }; // It may be shorter by now.
  } finally {
    await file.close();
  }
}
