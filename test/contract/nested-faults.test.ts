import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { labFiles, labFolder } from "../../lab/folders.ts";
import { bringUp, describeLab, removeLabSnapshot, restoreLab, snapshotLab, tearDown } from "../../lab/lab.ts";
import { activeLayer, listChain } from "../../lab/nested/disks.ts";
import type { ImageManifest } from "../../lab/nested/image/manifest.ts";
import { hashRecipe, recipeOf } from "../../lab/nested/image/recipe.ts";
import { imagesFolder } from "../../lab/nested/image/users.ts";
import { findSwitch } from "../../lab/nested/network.ts";
import type { NestedHost, NestedPlan } from "../../lab/nested/plan.ts";
import { readSnapshot } from "../../lab/nested/snapshot-file.ts";
import { runProcess } from "../../lab/process.ts";
import { sshArguments } from "../../lab/ssh.ts";
import { findState } from "../../lab/state.ts";
import { parseTopology } from "../../lab/topology.ts";
import { exportLab, importLab } from "../../lab/transfer.ts";
import { sweepWorkFolders, withWorkFolder } from "../../lab/work-folders.ts";

/** Labs of one virtual machine whose image is three small files: QEMU refuses its kernel. */
const topology = parseTopology({
  name: "trial",
  driver: "nested",
  virtualization: "tcg",
  hosts: [{ name: "h1", ramMib: 768 }],
});
const hash = hashRecipe(recipeOf(topology, ["compute"]));

let home: string;
let image: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "stackyard-nested-"));
  vi.stubEnv("XDG_CACHE_HOME", join(home, "cache"));
  vi.stubEnv("XDG_STATE_HOME", join(home, "state"));
  vi.stubEnv("XDG_RUNTIME_DIR", home);
  image = join(imagesFolder(), hash);
  mkdirSync(image, { recursive: true });
  const write = (name: string): { bytes: number; sha256: string } => {
    const content = Buffer.alloc(1024 ** 2, name);
    writeFileSync(join(image, name), content);
    return { bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
  };
  const manifest: ImageManifest = {
    ...{ version: 1, hash, distribution: "debian-12", roles: ["compute"], builtAt: "2026-01-01T00:00:00Z" },
    ...{ treeSha256: "", packages: [] },
    files: { "root.raw": write("root.raw"), vmlinuz: write("vmlinuz"), initrd: write("initrd") },
  };
  writeFileSync(join(image, "manifest.json"), JSON.stringify(manifest));
});

afterEach(async () => {
  await tearDown("trial");
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

function planOf(): NestedPlan {
  const state = findState("trial");
  if (state?.driver !== "nested") throw new Error("no lab of virtual machines");
  return state.plan;
}

function hostOf(): NestedHost {
  const [host] = planOf().hosts;
  if (host === undefined) throw new Error("no host");
  return host;
}

/** Brings the lab so far that its host has disks. */
const begin = () => expect(bringUp(topology)).rejects.toMatchObject({ code: "host-unsuitable" });

describe("an up", () => {
  test("of a host that QEMU does not take says what QEMU says, and down leaves nothing of it", async () => {
    await expect(bringUp(topology)).rejects.toMatchObject({
      code: "host-unsuitable",
      message: expect.stringMatching(/^host h1 does not start: QEMU ended with/) as unknown,
      notes: [expect.stringMatching(/^qemu/) as unknown],
    });
    expect((await describeLab("trial")).hosts[0]).toMatchObject({ state: "down", pid: null });
    const plan = planOf();
    expect(findSwitch(plan)).toBeDefined();
    await tearDown("trial");
    expect(findSwitch(plan)).toBeUndefined();
    expect(readdirSync(home)).toEqual(["cache"]);
  });

  test("of more memory than there is is refused with the numbers before anything is made", async () => {
    const large = parseTopology({ ...topology, hosts: [{ name: "h1", ramMib: 1_048_576 }] });
    await expect(bringUp(large)).rejects.toMatchObject({
      code: "host-unsuitable",
      field: "hosts.ramMib",
      message: expect.stringMatching(/need 1048776 MiB of memory, and \d+ MiB are free/) as unknown,
    });
    expect(readdirSync(home)).toEqual(["cache"]);
  });

  test("on a range of the machine's own is refused with a free one before anything is made", async () => {
    const cidr = "127.0.0.0/24";
    const taken = parseTopology({ ...topology, networks: { data: { cidr } } });
    await expect(bringUp(taken)).rejects.toMatchObject({
      code: "in-use",
      field: "networks.data.cidr",
      value: cidr,
      remedy: expect.stringMatching(/^Use a free one: [\d.]+\/24/) as unknown,
    });
    expect(readdirSync(home)).toEqual(["cache"]);
  });

  test.each<[string, (path: string) => void]>([
    ["shorter", (path) => truncateSync(path, 1024)],
    ["another one of the same size", (path) => writeFileSync(path, Buffer.alloc(1024 ** 2, "other"))],
    ["missing", (path) => rmSync(path)],
  ])(
    "is refused while the kernel of its image is %s, and nothing is built under its disks",
    async (_, damage) => {
      await begin();
      const disks = readFileSync(activeLayer(hostOf(), "root") ?? "");
      damage(join(image, "vmlinuz"));
      await expect(bringUp(topology)).rejects.toMatchObject({
        code: "image-checksum",
        field: "image",
        value: hash,
        remedy: expect.stringContaining("stackyard lab down") as unknown,
      });
      expect((await describeLab("trial")).state).toBe("down");
      expect(readFileSync(activeLayer(hostOf(), "root") ?? "")).toEqual(disks);
      expect(existsSync(join(image, "root.raw"))).toBe(true);
    },
  );

  test("names the port of a host that another program listens on", async () => {
    await begin();
    const { sshPort } = hostOf();
    const listener = createServer().listen(sshPort, "127.0.0.1");
    await once(listener, "listening");
    await expect(bringUp(topology)).rejects.toMatchObject({
      code: "in-use",
      field: "sshPort",
      value: String(sshPort),
      message: expect.stringContaining(`port ${String(sshPort)} of 127.0.0.1`) as unknown,
    });
    listener.close();
  });

  test("makes all anew in a folder that one has left which was killed before it had a record", async () => {
    const stale = join(labFolder("trial"), "disks", "h1", "root.7.qcow2");
    mkdirSync(join(stale, ".."), { recursive: true });
    writeFileSync(stale, "half of a disk");
    await begin();
    expect(existsSync(stale)).toBe(false);
  });

  test("by its name alone is of the lab on record, whatever file it was made of", async () => {
    await begin();
    const words = ["providers/main.ts", "lab", "up", "--name", "trial"];
    const { exitCode, stderr } = await runProcess(process.execPath, words, {
      cwd: process.cwd(),
      timeoutMs: 25_000, // It ends by itself: no timer of a monitor that is gone keeps it.
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("host h1 does not start");
  });

  test("takes no disks of a lab of that name elsewhere, and leaves them be", async () => {
    const diskFolder = join(home, "disks");
    const theirs = join(diskFolder, "trial", "h1", "root.1.qcow2");
    mkdirSync(join(theirs, ".."), { recursive: true });
    writeFileSync(theirs, "theirs");
    await expect(bringUp(parseTopology({ ...topology, diskFolder }))).rejects.toMatchObject({
      code: "conflict",
      field: "diskFolder",
      value: join(diskFolder, "trial"),
    });
    expect(await tearDown("trial")).toBe(false);
    expect(readFileSync(theirs, "utf8")).toBe("theirs");
  });

  test("names the folder for disks that cannot be made, and leaves nothing", async () => {
    const diskFolder = join(home, "file", "disks");
    writeFileSync(join(home, "file"), "");
    await expect(bringUp(parseTopology({ ...topology, diskFolder }))).rejects.toMatchObject({
      code: "invalid-input",
      field: "diskFolder",
      value: diskFolder,
    });
    expect(await tearDown("trial")).toBe(false);
  });
});

test("a snapshot of a lab that is off is of its disks alone, and is refused when one of them is lost", async () => {
  await begin();
  const before = activeLayer(hostOf(), "root") ?? "";
  await snapshotLab("trial", "moment");
  expect(readSnapshot(planOf(), "moment").hosts).toMatchObject([{ memory: null, disks: { root: before } }]);
  const written = activeLayer(hostOf(), "root") ?? "";
  expect(written).not.toBe(before);
  await restoreLab("trial", "moment");
  expect(existsSync(written)).toBe(false);
  expect((await listChain(activeLayer(hostOf(), "root") ?? "")).slice(1)).toEqual([
    before,
    join(image, "root.raw"),
  ]);
  const layers = readdirSync(hostOf().diskFolder);
  renameSync(before, `${before}.lost`);
  await expect(restoreLab("trial", "moment")).rejects.toMatchObject({
    code: "image-checksum",
    message: expect.stringContaining(`${before} is missing`) as unknown,
  });
  renameSync(`${before}.lost`, before);
  expect(readdirSync(hostOf().diskFolder)).toEqual(layers);
});

describe("a file of a lab that is damaged", () => {
  test("is the record of a snapshot: it is refused by its name, removed by it, and in nobody's way", async () => {
    await begin();
    const snapshots = join(planOf().folder, "snapshots");
    for (const name of ["whole", "broken"]) await snapshotLab("trial", name);
    const itsLayer = readSnapshot(planOf(), "broken").hosts[0]?.disks["root"] ?? "";
    await restoreLab("trial", "whole"); // No disk of the host stands on it any more.
    writeFileSync(join(snapshots, "broken", "snapshot.json"), '{ "version": 1, "na');
    const layers = readdirSync(hostOf().diskFolder);
    await expect(restoreLab("trial", "broken")).rejects.toMatchObject({
      code: "image-checksum",
      field: "snapshot",
      value: "broken",
      remedy: expect.stringContaining("snapshot broken --remove --name trial") as unknown,
    });
    await expect(snapshotLab("trial", "broken")).rejects.toMatchObject({ code: "conflict" });
    await begin();
    await removeLabSnapshot("trial", "whole");
    expect(readdirSync(hostOf().diskFolder)).toEqual(layers);
    await removeLabSnapshot("trial", "broken");
    expect(existsSync(itsLayer)).toBe(false);
    expect(readdirSync(snapshots)).toEqual([]);
  });

  test("is the record of the lab: the file is named", async () => {
    await begin();
    const record = labFiles(labFolder("trial")).state;
    const text = readFileSync(record, "utf8");
    writeFileSync(record, text.slice(0, 100));
    await expect(describeLab("trial")).rejects.toMatchObject({ code: "invalid-input", value: record });
    await expect(tearDown("trial")).rejects.toMatchObject({ code: "invalid-input", value: record });
    writeFileSync(record, text);
  });
});

describe("the folder of a copy", () => {
  const listFolders = (): string[] => {
    const parent = join(home, "state", "stackyard", "transfers");
    return existsSync(parent) ? readdirSync(parent) : [];
  };

  test("goes with its copy, and one that was killed is removed by whoever comes next", async () => {
    const left = join(home, "state", "stackyard", "transfers", "left");
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, "memory"), "gigabytes");
    await withWorkFolder(async (mine) => {
      expect(listFolders()).toHaveLength(1);
      await sweepWorkFolders();
      await withWorkFolder(async () => {
        await sweepWorkFolders();
        expect(listFolders()).toHaveLength(2);
      });
      expect(existsSync(mine)).toBe(true);
    });
    expect(listFolders()).toEqual([]);
  });
});

test("a lab that is off goes into one file, and comes back of it with its disks and keys of its own", async () => {
  await begin();
  const disk = activeLayer(hostOf(), "root") ?? "";
  execFileSync("qemu-io", ["-f", "qcow2", "-c", "write -P 0xab 64k 64k", disk]);
  const file = join(home, "a lab's.tar.zst");
  await exportLab("trial", file);
  expect(statSync(file).mode & 0o077).toBe(0);
  await expect(exportLab("trial", file)).rejects.toMatchObject({ code: "conflict", field: "file" });
  const identityOf = (name: string): string => readFileSync(labFiles(labFolder(name)).identity, "utf8");
  const before = identityOf("trial");

  const copy = await importLab(file, "other");

  expect(copy).toMatchObject({ name: "other", state: "down" });
  const state = findState("other");
  const [host] = state?.driver === "nested" ? state.plan.hosts : [];
  if (host === undefined) throw new Error("no host");
  const found = execFileSync("qemu-io", [
    ...["-f", "qcow2", "-c", "read -P 0xab 64k 64k"],
    activeLayer(host, "root") ?? "",
  ]);
  expect(found.toString()).not.toContain("failed");
  expect(identityOf("other")).not.toBe(before);
  await expect(importLab(file, "other")).rejects.toMatchObject({ code: "conflict", field: "name" });
  await tearDown("other");
  truncateSync(file, Math.floor(statSync(file).size / 2));
  await expect(importLab(file, "other")).rejects.toMatchObject({ field: "file" });
  expect(existsSync(labFolder("other"))).toBe(false);
  expect(identityOf("trial")).toBe(before);
});

test("ssh finds keys in folders whose names have blanks, quotes and percent signs", () => {
  const identity = `${home}/a b'c"d\\e%h/id_ed25519`;
  const knownHosts = `${home}/a b'c"d\\e%h/known_hosts`;
  const words = sshArguments({ identity, knownHosts }, { address: "127.0.0.1", port: 22 });
  const settings = execFileSync("ssh", ["-G", ...words]).toString();
  expect(settings).toContain(`\nidentityfile ${identity.replace("%", "%%")}\n`); // of which the use makes one
  expect(settings).toContain(`\nuserknownhostsfile ${knownHosts}\n`);
});
