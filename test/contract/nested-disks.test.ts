import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  activeLayer,
  ensureDisks,
  listChain,
  makeLayer,
  nextLayer,
  pruneLayers,
} from "../../lab/nested/disks.ts";

let folder: string;
let host: Parameters<typeof ensureDisks>[0];
let image: Parameters<typeof ensureDisks>[1];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stackyard disks\' "x",'));
  const root = join(folder, "root.raw");
  writeFileSync(root, Buffer.alloc(1024 ** 2));
  image = { root };
  host = { name: "h1", diskGib: 4, dataDisksGib: [1], diskFolder: join(folder, "disks") };
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("a host begins with an overlay of its image and an empty disk, and keeps them", async () => {
  await ensureDisks(host, image);
  expect(readdirSync(host.diskFolder).sort()).toEqual(["data1.1.qcow2", "root.1.qcow2"]);
  expect(await listChain(activeLayer(host, "root") ?? "")).toEqual([
    join(host.diskFolder, "root.1.qcow2"),
    image.root,
  ]);
  await ensureDisks(host, image);
  expect(readdirSync(host.diskFolder)).toHaveLength(2);
});

test("the highest layer is the one that is written to; what stands under it or under a kept one stays", async () => {
  await ensureDisks(host, image);
  const first = activeLayer(host, "root") ?? "";
  const grow = async (base: string): Promise<string> => {
    const path = nextLayer(host, "root");
    await makeLayer(path, 4, { path: base, format: "qcow2" });
    return path;
  };
  const second = await grow(first);
  const third = await grow(second);
  const branch = await grow(first);
  expect(activeLayer(host, "root")).toBe(branch);
  await pruneLayers(host, [second]);
  expect([first, second, third, branch].map((path) => existsSync(path))).toEqual([true, true, false, true]);
  await pruneLayers(host, []);
  expect([first, second, branch].map((path) => existsSync(path))).toEqual([true, false, true]);
});

test("a layer that was half made when its maker was killed is none", async () => {
  await ensureDisks(host, image);
  writeFileSync(`${nextLayer(host, "root")}.part`, "half");
  expect(activeLayer(host, "root")).toBe(join(host.diskFolder, "root.1.qcow2"));
  await makeLayer(nextLayer(host, "root"), 4, { path: activeLayer(host, "root") ?? "", format: "qcow2" });
  expect(activeLayer(host, "root")).toBe(join(host.diskFolder, "root.2.qcow2"));
});

test("the tenth layer is over the ninth", async () => {
  await ensureDisks(host, image);
  const base = activeLayer(host, "root") ?? "";
  for (const number of ["9", "10"])
    await makeLayer(join(host.diskFolder, `root.${number}.qcow2`), 4, { path: base, format: "qcow2" });
  expect(activeLayer(host, "root")).toBe(join(host.diskFolder, "root.10.qcow2"));
  expect(nextLayer(host, "root")).toBe(join(host.diskFolder, "root.11.qcow2"));
});
