import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isWithinGuest } from "../../../lab/nested/memory-file.ts";
import { describeMigration } from "../../support/migration-stream.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-memory-"));
  file = join(folder, "h1.memory");
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const outside = { withinGuest: false };
const within = { withinGuest: true };

test.each([
  ["no processor", [outside, outside], false],
  ["the only one", [within], true],
  ["the last one", [outside, within], true],
  ["the first one", [within, outside], true],
])("a host of which %s was within a guest", async (_, processors, found) => {
  writeFileSync(file, describeMigration(processors));
  expect(await isWithinGuest(file)).toBe(found);
});

test("a description is found whose length has the byte that begins it", async () => {
  writeFileSync(file, describeMigration([within], "memory", 0x0606));
  expect(await isWithinGuest(file)).toBe(true);
});

test("memory that looks like a processor, and more of it than is read, changes nothing", async () => {
  const page = describeMigration([within]).toString("latin1");
  writeFileSync(file, describeMigration([outside], page.repeat(8000)));
  expect(await isWithinGuest(file)).toBe(false);
});

test.each([
  ["is empty", Buffer.alloc(0)],
  ["has no description", Buffer.from("memory")],
  ["is cut off", describeMigration([outside]).subarray(0, -1)],
  ["has no processor", describeMigration([])],
])("memory that %s is none of QEMU's", async (_, bytes) => {
  writeFileSync(file, bytes);
  await expect(isWithinGuest(file)).rejects.toMatchObject({ code: "command-failed" });
});
