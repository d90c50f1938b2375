import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readEnd, readTail } from "../../../lab/file-end.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-file-end-"));
  file = join(folder, "log");
});

afterEach(() => rmSync(folder, { recursive: true }));

test("the end of a file is no longer than wanted, and none of it is from before the start", async () => {
  writeFileSync(file, "0123456789");
  expect(await readEnd(file, 10)).toEqual({ text: "0123456789", leftOutBytes: 0 });
  expect(await readEnd(file, 4)).toEqual({ text: "6789", leftOutBytes: 6 });
  expect(await readEnd(file, 4, 8)).toEqual({ text: "89", leftOutBytes: 8 });
  expect(await readEnd(file, 4, 3)).toEqual({ text: "6789", leftOutBytes: 6 });
  expect((await readEnd(file, 4, 20)).text).toBe("");
});

test("the tail of a file is its last 2000 bytes", async () => {
  writeFileSync(file, `${"a".repeat(3000)}${"b".repeat(1999)}\n`);
  expect(await readTail(file)).toBe("b".repeat(1999));
});

test("a file that is not there, or is empty, has an empty end", async () => {
  expect(await readEnd(file, 10)).toEqual({ text: "", leftOutBytes: 0 });
  writeFileSync(file, "");
  expect(await readTail(file)).toBe("");
});

test("of a file that is shorter than its size says there is what can be read", async () => {
  expect((await readEnd("/sys/class/net/lo/mtu", 8192)).text).toMatch(/^\d+\n$/);
});
