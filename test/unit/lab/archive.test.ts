import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeArchive } from "../../../lab/guest/archive.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-archive-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("an archive is one that busybox unpacks", () => {
  const archive = writeArchive([
    { kind: "folder", path: "bin", mode: 0o750 },
    { kind: "file", path: "bin/tool", mode: 0o755, content: Buffer.from("12345") },
    { kind: "link", path: "bin/alias", target: "tool" },
  ]);
  execFileSync("busybox", ["cpio", "-i"], { cwd: folder, input: archive, stdio: ["pipe", "pipe", "ignore"] });
  expect(readFileSync(join(folder, "bin/tool"), "utf8")).toBe("12345");
  expect(statSync(join(folder, "bin/tool")).mode & 0o777).toBe(0o755);
  expect(statSync(join(folder, "bin")).mode & 0o777).toBe(0o750);
  expect(readlinkSync(join(folder, "bin/alias"))).toBe("tool");
});
