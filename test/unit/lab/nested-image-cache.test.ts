import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { findFreeRanges } from "../../../lab/addresses.ts";
import { labFolder } from "../../../lab/folders.ts";
import { withLock } from "../../../lab/lock.ts";
import { makeLayer, nextLayer } from "../../../lab/nested/disks.ts";
import { archivesFolder } from "../../../lab/nested/image/download.ts";
import { ensureImages } from "../../../lab/nested/image/host-images.ts";
import { ensureImage, findImage, findImageFolder, openUsedImage } from "../../../lab/nested/image/image.ts";
import { collectImages, listImages } from "../../../lab/nested/image/images.ts";
import type { ImageManifest } from "../../../lab/nested/image/manifest.ts";
import { hashRecipe } from "../../../lab/nested/image/recipe.ts";
import type { ImageRecipe } from "../../../lab/nested/image/recipe.ts";
import { imagesFolder, registerUser } from "../../../lab/nested/image/users.ts";
import { planNestedLab } from "../../../lab/nested/plan.ts";
import type { NestedHost, NestedPlan } from "../../../lab/nested/plan.ts";
import { snapshotFolder } from "../../../lab/nested/snapshot-file.ts";
import { makeFolder } from "../../../lab/state-files.ts";
import { writeState } from "../../../lab/state.ts";
import { parseTopology } from "../../../lab/topology.ts";

const compute: ImageRecipe = { distribution: "debian-12", roles: ["compute"] };
const folderOf = (recipe: ImageRecipe): string => join(imagesFolder(), hashRecipe(recipe));

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "stackyard-images-"));
  vi.stubEnv("XDG_CACHE_HOME", join(home, "cache"));
  vi.stubEnv("XDG_STATE_HOME", join(home, "state"));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

let builds = 0;

/** Builds an image of three small files; no two builds make the same. */
function build(recipe: ImageRecipe, folder: string): Promise<void> {
  builds += 1;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const write = (name: string): { bytes: number; sha256: string } => {
    const content = `${name} of build ${String(builds)}`.padEnd(512);
    writeFileSync(join(folder, name), content);
    return { bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
  };
  const manifest: ImageManifest = {
    version: 1,
    hash: hashRecipe(recipe),
    distribution: recipe.distribution,
    roles: [...recipe.roles],
    builtAt: new Date().toISOString(),
    treeSha256: "0",
    packages: [{ name: "zlib1g", version: "1:1.2" }],
    files: { "root.raw": write("root.raw"), vmlinuz: write("vmlinuz"), initrd: write("initrd") },
  };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  return Promise.resolve();
}

const ensure = (recipe: ImageRecipe, refresh = false) => ensureImage(recipe, { build, refresh });

/** Puts a lab of one host on record, which has not been started. */
async function recordLab(name: string): Promise<{ plan: NestedPlan; host: NestedHost }> {
  const ranges = findFreeRanges([]);
  if (ranges === undefined) throw new Error("unreachable: nothing is in use");
  const topology = parseTopology({ name, driver: "nested", hosts: 1 });
  const folder = labFolder(name);
  const plan = planNestedLab(topology, folder, {
    ranges,
    storage: ranges.management,
    sshPorts: [2222],
    acceleration: "tcg",
    runtimeFolder: join(home, "run"),
  });
  await makeFolder(folder, 0o700);
  await writeState({ version: 1, topology: {}, madeFolders: [], driver: "nested", plan });
  const [host] = plan.hosts;
  if (host === undefined) throw new Error("unreachable: the lab has a host");
  return { plan, host };
}

/** Gives a host a disk that stands on an image. */
async function addDisk(host: NestedHost, root: string): Promise<void> {
  await makeLayer(nextLayer(host, "root"), 1, { path: root, format: "raw" });
}

describe("an image", () => {
  test("is built once", async () => {
    const before = builds;
    const first = await ensure(compute);
    expect(await ensure(compute)).toEqual(first);
    expect(builds).toBe(before + 1);
    expect(await findImage(compute)).toEqual(first);
  });

  test.each([
    ["another content", (folder: string) => writeFileSync(join(folder, "root.raw"), "rot")],
    ["a file less", (folder: string) => rmSync(join(folder, "initrd"))],
    ["a manifest cut short", (folder: string) => writeFileSync(join(folder, "manifest.json"), '{"version":')],
  ])("with %s is found damaged after it was whole, and built anew", async (_what, damage) => {
    await ensure(compute);
    expect(await findImage(compute)).toBeDefined();
    damage(folderOf(compute));
    expect(await findImage(compute)).toBeUndefined();
    const progress: string[] = [];
    await ensureImage(compute, { build, onProgress: (message) => progress.push(message) });
    expect(progress).toContainEqual(expect.stringContaining("damaged"));
    expect(await findImage(compute)).toBeDefined();
  });

  test("is read once, and again when it was touched", async () => {
    const checked = async (): Promise<number> => {
      const progress: string[] = [];
      expect(await findImage(compute, (message) => progress.push(message))).toBeDefined();
      return progress.length;
    };
    const { root } = await ensure(compute);
    expect([await checked(), await checked()]).toEqual([1, 0]);
    utimesSync(root, 1, 1);
    expect([await checked(), await checked()]).toEqual([1, 0]);
  });

  test("that is damaged before any disk stands on it is built anew, though a lab waits for it", async () => {
    await ensure(compute);
    await recordLab("ci");
    rmSync(join(folderOf(compute), "initrd"));
    await ensure(compute);
    expect(await findImage(compute)).toBeDefined();
  });

  test("that is damaged under the disks of a lab is left to its user", async () => {
    const { root } = await ensure(compute);
    const { host } = await recordLab("ci");
    await addDisk(host, root);
    rmSync(join(folderOf(compute), "initrd"));
    await expect(ensure(compute)).rejects.toMatchObject({
      code: "image-checksum",
      message: expect.stringContaining("lab ci") as unknown,
    });
    await expect(openUsedImage(folderOf(compute), host)).rejects.toMatchObject({ code: "image-checksum" });
    expect(existsSync(root)).toBe(true);
  });

  test("is built anew when that is asked for, but not under a lab", async () => {
    const before = builds;
    await ensure(compute);
    await ensure(compute, true);
    expect(builds).toBe(before + 2);
    await recordLab("ci");
    await expect(ensure(compute, true)).rejects.toMatchObject({ code: "in-use", value: hashRecipe(compute) });
    expect(builds).toBe(before + 2);
  });

  test("stays that of a host whose recipe has changed since", async () => {
    const old = await ensure({ ...compute, mirror: "http://old.example.org" });
    const { host } = await recordLab("ci");
    expect(await findImageFolder(host)).toBeUndefined();
    await addDisk(host, old.root);
    expect(await findImageFolder(host)).toBe(old.folder);
    expect(await openUsedImage(old.folder, host)).toEqual(old);
  });

  test("is that of each host's disks, and that of the recipe for a host without", async () => {
    const [old, current] = [
      await ensure({ ...compute, mirror: "http://old.example.org" }),
      await ensure(compute),
    ];
    const { plan, host } = await recordLab("ci");
    const second = { ...host, name: "h2", diskFolder: join(home, "h2") };
    await addDisk(second, old.root);
    expect([...(await ensureImages(plan, [host, second], {}))]).toEqual([
      ["h1", current],
      ["h2", old],
    ]);
  });
});

describe("collecting images", () => {
  const collect = (dryRun = false) => collectImages({ dryRun });

  test("removes those that nothing uses, and tells what it frees", async () => {
    await ensure(compute);
    const told = await collect(true);
    expect(existsSync(folderOf(compute))).toBe(true);
    expect(told.images).toEqual([
      { hash: hashRecipe(compute), bytes: expect.any(Number) as unknown, kept: null },
    ]);
    expect(told.freedBytes).toBeGreaterThan(0);
    expect(await collect()).toEqual(told);
    expect(readdirSync(imagesFolder())).toEqual([]);
  });

  test("leaves the image of a lab on record, with disks of its own or none yet", async () => {
    const image = await ensure(compute);
    const old = await ensure({ ...compute, mirror: "http://old.example.org" });
    const { host } = await recordLab("ci");
    expect(await collect()).toMatchObject({
      images: expect.arrayContaining([
        { hash: image.hash, bytes: expect.any(Number) as unknown, kept: "used by lab ci" },
      ]) as unknown,
    });
    expect(existsSync(old.root)).toBe(false);
    const again = await ensure({ ...compute, mirror: "http://old.example.org" });
    await addDisk(host, again.root);
    await collect();
    expect(existsSync(again.root)).toBe(true);
    expect(existsSync(image.root)).toBe(false); // the host has no use for it any more
    expect((await listImages()).map(({ users }) => users)).toEqual([["lab ci"]]);
  });

  test("leaves the image of a lab that has its state elsewhere, until the lab is gone", async () => {
    await ensure(compute);
    const { plan } = await recordLab("ci");
    await registerUser(plan.folder);
    vi.stubEnv("XDG_STATE_HOME", join(home, "elsewhere"));
    expect(await collect()).toMatchObject({ freedBytes: 0, images: [{ kept: "used by lab ci" }] });
    rmSync(plan.folder, { recursive: true });
    expect(await collect()).toMatchObject({ images: [{ kept: null }] });
  });

  test("leaves the image that a snapshot stands on, though the host's disks do not any more", async () => {
    const old = await ensure({ ...compute, mirror: "http://old.example.org" });
    const { plan } = await recordLab("ci");
    const folder = snapshotFolder(plan, "moment");
    mkdirSync(folder, { recursive: true });
    const hosts = [{ name: "h1", image: old.hash, memory: null, disks: {} }];
    const snapshot = { version: 1, name: "moment", takenAt: "2026-01-01T00:00:00Z", hosts, links: [] };
    writeFileSync(join(folder, "snapshot.json"), JSON.stringify(snapshot));
    expect(await collect()).toMatchObject({ images: [{ hash: old.hash, kept: "used by lab ci" }] });
    rmSync(folder, { recursive: true });
    expect(await collect()).toMatchObject({ images: [{ kept: null }] });
  });

  test("leaves the image that a process stands on whose lab is on no record", async () => {
    const { root, hash } = await ensure(compute);
    const child = spawn("tail", ["-f", root], { stdio: "ignore" });
    await once(child, "spawn");
    await expect
      .poll(() => collect(true), { timeout: 10_000 })
      .toMatchObject({ images: [{ hash, kept: `used by process ${String(child.pid)}` }] });
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    expect(await collect()).toMatchObject({ images: [{ kept: null }] });
  });

  test("leaves the registration of a lab that is there, and all that it would remove on trial", async () => {
    await ensure(compute);
    const { plan } = await recordLab("ci");
    await registerUser(plan.folder);
    await registerUser(join(home, "gone"));
    const registered = join(home, "cache/stackyard/lab/image-users");
    const part = `${folderOf(compute)}.part-a1b2c3`;
    mkdirSync(part, { recursive: true });
    writeFileSync(join(part, "root.raw"), "x".repeat(100_000));
    mkdirSync(archivesFolder(), { recursive: true });
    const unused = join(archivesFolder(), "vim_9_amd64.deb");
    writeFileSync(unused, "x".repeat(5000));
    const { images } = await collect(true);
    expect(images.map(({ bytes }) => bytes)).toEqual([expect.any(Number)]);
    expect(images[0]?.bytes).toBeGreaterThan(100_000);
    expect([part, unused].map((path) => existsSync(path))).toEqual([true, true]);
    expect(readdirSync(registered)).toHaveLength(2);
    await collect();
    expect([part, unused].map((path) => existsSync(path))).toEqual([false, false]);
    expect(readdirSync(registered)).toHaveLength(1);
  });

  test("leaves what another build has begun", async () => {
    await ensure(compute);
    const other = join(imagesFolder(), "ffffffffffffffff");
    mkdirSync(`${other}.part-a1b2c3`);
    await withLock(other, { waitMs: 0 }, () => collect());
    expect(readdirSync(imagesFolder())).toEqual(["ffffffffffffffff.part-a1b2c3"]);
  });

  test("leaves one that is being built, and removes what a killed build has left", async () => {
    const part = `${folderOf(compute)}.part-a1b2c3`;
    mkdirSync(part, { recursive: true });
    await withLock(folderOf(compute), { waitMs: 0 }, async () => {
      expect(await collect()).toMatchObject({ images: [{ kept: "being built, or taken by a lab" }] });
    });
    expect(existsSync(part)).toBe(true);
    expect(await collect()).toMatchObject({ images: [{ kept: null }] });
    expect(existsSync(part)).toBe(false);
  });

  test("removes packages that none of the images has that stay", async () => {
    await ensure(compute);
    await recordLab("ci");
    mkdirSync(join(archivesFolder(), "partial"), { recursive: true });
    const packages = ["zlib1g_1%3a1.2_amd64.deb", "zlib1g_1%3a1.1_amd64.deb", "partial/vim_9_amd64.deb"];
    for (const name of packages) writeFileSync(join(archivesFolder(), name), "x".repeat(5000));
    const { packageBytes } = await collect();
    expect(packageBytes).toBeGreaterThanOrEqual(2 * 5000);
    expect(packages.map((name) => existsSync(join(archivesFolder(), name)))).toEqual([true, false, false]);
  });
});
