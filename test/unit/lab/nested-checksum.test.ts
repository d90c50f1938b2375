import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hashFile, sumFile } from "../../../lab/nested/checksum.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-checksum-"));
  file = join(folder, "a name with blanks\\and more");
});

afterEach(() => rmSync(folder, { recursive: true }));

test("a file's CRC is that of POSIX", async () => {
  writeFileSync(file, "123456789");
  expect(await sumFile(file)).toEqual({ bytes: 9, crc: 930766865 });
});

test("a file's hash is that of its content", async () => {
  const content = Buffer.alloc(3 * 1024 ** 2 + 1, "content");
  writeFileSync(file, content);
  const sha256 = createHash("sha256").update(content).digest("hex");
  expect(await hashFile(file)).toEqual({ bytes: content.length, sha256 });
});

test("a file that is not there has neither", async () => {
  await expect(sumFile(file)).rejects.toMatchObject({ code: "command-failed" });
  await expect(hashFile(file)).rejects.toMatchObject({ code: "ENOENT" });
});
