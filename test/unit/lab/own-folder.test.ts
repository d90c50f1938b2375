import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requireEmptyDiskFolder } from "../../../lab/disk-folder.ts";
import { ensureRunFolder } from "../../../lab/nested/run-folder.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "stackyard-own-"))));
afterEach(() => rmSync(folder, { recursive: true }));

describe("the folder of a lab's sockets", () => {
  test("is made for its user alone", async () => {
    await ensureRunFolder(join(folder, "stackyard/lab"), "h1.qmp");
    expect(readdirSync(join(folder, "stackyard"))).toEqual(["lab"]);
    await ensureRunFolder(join(folder, "stackyard/lab"), "h1.qmp");
  });

  test("is not made behind a link, which somebody else may have put there", async () => {
    mkdirSync(join(folder, "target"), { mode: 0o700 });
    symlinkSync("target", join(folder, "stackyard"));
    await expect(ensureRunFolder(join(folder, "stackyard/lab"), "h1.qmp")).rejects.toMatchObject({
      code: "forbidden",
      value: join(folder, "stackyard"),
    });
    expect(readdirSync(join(folder, "target"))).toEqual([]);
  });

  test("is not made where others can exchange it", async () => {
    mkdirSync(join(folder, "stackyard"));
    chmodSync(join(folder, "stackyard"), 0o777);
    await expect(ensureRunFolder(join(folder, "stackyard/lab"), "h1.qmp")).rejects.toThrow("alone");
    expect(readdirSync(join(folder, "stackyard"))).toEqual([]);
  });
});

describe("a lab's part of a folder for disks", () => {
  test("may be missing or empty", () => {
    requireEmptyDiskFolder(join(folder, "lab"));
    mkdirSync(join(folder, "lab"), { mode: 0o711 });
    requireEmptyDiskFolder(join(folder, "lab"));
    writeFileSync(join(folder, "lab/root.1.qcow2"), "");
    expect(() => requireEmptyDiskFolder(join(folder, "lab"))).toThrow(
      expect.objectContaining({ code: "conflict", field: "diskFolder" }),
    );
  });

  test("is no link, not even one that leads nowhere, and nobody else writes to it", () => {
    symlinkSync("nowhere", join(folder, "lab"));
    const refusal = expect.objectContaining({ code: "forbidden", field: "diskFolder" }) as Error;
    expect(() => requireEmptyDiskFolder(join(folder, "lab"))).toThrow(refusal);
    mkdirSync(join(folder, "open"));
    chmodSync(join(folder, "open"), 0o777);
    expect(() => requireEmptyDiskFolder(join(folder, "open"))).toThrow(refusal);
  });
});
