import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runTar } from "../../../lab/tar.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-tar-"));
  file = join(folder, "file.tar.zst");
  writeFileSync(join(folder, "content"), "content");
});

afterEach(() => rmSync(folder, { recursive: true }));

const pack = (name: string, target = file) =>
  runTar(["-c", "-f", "-", "-C", folder, name], "out", target, undefined);

test("what is packed is its user's alone, and comes out as it was", async () => {
  await pack("content");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const other = join(folder, "other");
  mkdirSync(other);
  await runTar(["-x", "-f", "-", "-C", other], "in", file, undefined);
  expect(readFileSync(join(other, "content"), "utf8")).toBe("content");
});

test("a file that cannot be written, or is there already, is an error, though tar has nothing to say", async () => {
  await expect(pack("content", join(folder, "none", "file"))).rejects.toMatchObject({
    code: "command-failed",
    cause: { code: "ENOENT" },
  });
  writeFileSync(file, "theirs");
  await expect(pack("content")).rejects.toMatchObject({ code: "command-failed", cause: { code: "EEXIST" } });
  expect(readFileSync(file, "utf8")).toBe("theirs");
});

test("a disk that is full is told apart by what tar says", async () => {
  await expect(pack("none")).rejects.toMatchObject({ code: "command-failed" });
  rmSync(file);
  await expect(pack("No space left on device")).rejects.toMatchObject({ code: "host-disk-full" });
});

test("a file that is no archive cannot be unpacked", async () => {
  writeFileSync(file, "no archive");
  const unpacking = runTar(["-x", "-f", "-", "-C", folder], "in", file, undefined);
  await expect(unpacking).rejects.toMatchObject({ code: "invalid-input", field: "file", value: file });
});
