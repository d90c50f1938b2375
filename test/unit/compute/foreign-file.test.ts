import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../../../lab/setup/program.ts";
import {
  identifyFiles,
  readFile,
  readIdentities,
  readNeeds,
} from "../../../providers/compute/foreign-file.ts";

const declared = { format: "qcow2", isShared: false };

function image(filename: string, more: object = {}): object {
  return { filename, format: "qcow2", "virtual-size": 1024, "actual-size": 512, ...more };
}

function look(how: string, ...chain: readonly object[]): ReturnType<typeof readFile> {
  return readFile(declared, how, JSON.stringify(chain), JSON.stringify({ required: 700 }));
}

test("a disk that is whole in itself is moved; one on a base is copied, and tells all of it", () => {
  expect(look("move", image("/a"))).toEqual({
    sizeBytes: 1024,
    fileBytes: 512,
    basePaths: [],
    isEncrypted: false,
    transfer: "move",
    copyBytes: 0,
  });
  expect(look("move", image("/a"), image("/b"), image("/c", { format: "raw" }))).toMatchObject({
    basePaths: ["/b", "/c"],
    transfer: "copy",
    copyBytes: 700,
  });
  expect(look("copy", image("/a"))).toMatchObject({ transfer: "copy" });
  expect(look("move")).toBeUndefined();
});

test.each<readonly [string, string, object, RegExp]>([
  ["data in another file", "move", { "format-specific": { data: { "data-file": "/etc/shadow" } } }, /shadow/],
  ["a format that names others", "move", { format: "vmdk" }, /is vmdk/],
  ["no file below", "move", { filename: "nbd://elsewhere/a" }, /no file: nbd:/],
  ["a place in the cloud's folder", "ours", {}, /own folder/],
])("%s is an obstacle, wherever in the chain it is", (_what, how, change, obstacle) => {
  expect(look(how, image("/a"), image("/b", change))?.obstacle).toMatch(obstacle);
  expect(look("move", image("/a"), image("/b"))).not.toHaveProperty("obstacle");
});

test("of an encrypted disk it is told that it is encrypted, whatever its format", () => {
  expect(look("copy", image("/a", { format: "luks", encrypted: true }))).toMatchObject({
    isEncrypted: true,
  });
});

test("what another domain lies on is the paths below its own disk", () => {
  const chain = JSON.stringify([image("/a"), image("/x/../b"), image("nbd://elsewhere/a")]);
  expect(readNeeds(["uuid-1\n1:2", chain, "uuid-2\n1:3", "not readable"])).toEqual([
    { uuid: "uuid-1", identity: "1:2", bases: ["/x/../b"] },
    { uuid: "uuid-2", identity: "1:3", bases: [] },
  ]);
});

test("paths of one file have one identity, and what is not there has none", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-files-"));
  try {
    const file = join(folder, "größe 'a'\n<<>>");
    writeFileSync(file, "");
    mkdirSync(join(folder, "in"));
    symlinkSync(file, join(folder, "link"));
    const paths = [file, `${folder}/in/../link`, join(folder, "absent"), join(folder, "in")];
    const { stdout } = await runProgram("sh", ["-c", identifyFiles(paths).text]);
    const [first, second, third, fourth] = readIdentities(stdout);
    expect(first).toMatch(/^\d+:\d+$/);
    expect(second).toBe(first);
    expect(third).toBe("");
    expect(fourth).not.toBe(first);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
