import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parseRange } from "../../lab/addresses.ts";
import { labFiles } from "../../lab/folders.ts";
import { openBundle, placeKeys, unpackBundle, writeBundle } from "../../lab/nested/bundle.ts";
import { sumFile } from "../../lab/nested/checksum.ts";
import { activeLayer, ensureDisks, listChain, makeLayer, nextLayer } from "../../lab/nested/disks.ts";
import { machineFiles } from "../../lab/nested/files.ts";
import { manifestSchema } from "../../lab/nested/image/manifest.ts";
import { findManifest } from "../../lab/nested/image/image.ts";
import type { HostImage } from "../../lab/nested/image/image.ts";
import { imagesFolder } from "../../lab/nested/image/users.ts";
import { copyPlan, planNestedLab } from "../../lab/nested/plan.ts";
import type { NestedPlan } from "../../lab/nested/plan.ts";
import { ownSnapshots, readSnapshot, snapshotFolder } from "../../lab/nested/snapshot-file.ts";
import { parseTopology } from "../../lab/topology.ts";
import { makeQcow2 } from "../support/qcow2.ts";

const hash = "0123456789abcdef";
const topology = { name: "trial", driver: "nested", hosts: [{ name: "h1", disks: [{ sizeGib: 1 }] }] };

let folder: string;
let plan: NestedPlan;
let images: ReadonlyMap<string, HostImage>;
let bundle: string;

function rangeOf(cidr: string) {
  const range = parseRange(cidr);
  if (range === undefined) throw new Error(cidr);
  return range;
}

const choices = () => ({ sshPorts: [2301], runtimeFolder: join(folder, "run") });

const qemuIo = (path: string, command: string) =>
  execFileSync("qemu-io", ["-f", "qcow2", "-c", command, path]);
const sha256Of = (content: Buffer | string): string => createHash("sha256").update(content).digest("hex");

/** Changes what a bundle says of itself. */
function rewrite(change: (text: string) => string): void {
  const file = join(bundle, "bundle.json");
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

/** Makes the checksum of a file fit again. */
function changeSum(name: string): void {
  rewrite((text) => {
    const at = text.indexOf('"sha256": "', text.indexOf(`"${name}"`)) + '"sha256": "'.length;
    return `${text.slice(0, at)}${sha256Of(readFileSync(join(bundle, name)))}${text.slice(at + 64)}`;
  });
}

/** Makes a lab of a bundle, as far as its files go. */
async function unpackAs(name: string, from: string): Promise<NestedPlan> {
  const opened = await openBundle(from);
  const copy = copyPlan(opened.plan, name, join(folder, "labs", name), choices());
  await unpackBundle(from, opened, copy);
  return copy;
}

const patternOf = (path: string, offset: string, byte: string) =>
  qemuIo(path, `read -P ${byte} ${offset} 64k`).toString();

/** A lab of one host that is off, with something on its disks, and a snapshot of it. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stackyard bundle\' "x",'));
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
  plan = planNestedLab(parseTopology(topology), join(folder, "labs/trial"), {
    ranges: { management: rangeOf("10.77.0.0/24"), data: rangeOf("10.78.0.0/24") },
    storage: rangeOf("10.79.0.0/24"),
    sshPorts: [2201],
    acceleration: "tcg",
    runtimeFolder: join(folder, "run"),
  });
  const imageFolder = join(imagesFolder(), hash);
  mkdirSync(imageFolder, { recursive: true });
  const content = {
    "root.raw": Buffer.alloc(1024 ** 2, 7),
    vmlinuz: Buffer.from("kernel"),
    initrd: Buffer.from("initrd"),
  };
  const files = Object.fromEntries(
    Object.entries(content).map(([name, bytes]) => {
      writeFileSync(join(imageFolder, name), bytes);
      return [name, { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") }];
    }),
  );
  const manifest = manifestSchema.parse({
    ...{ version: 1, hash, distribution: "debian-12", roles: [], builtAt: "2026-01-01T00:00:00Z" },
    ...{ treeSha256: "", packages: [], files },
  });
  writeFileSync(join(imageFolder, "manifest.json"), JSON.stringify(manifest));
  const root = join(imageFolder, "root.raw");
  images = new Map([["h1", { hash, folder: imageFolder, root, kernel: "", initrd: "", manifest }]]);
  const [host] = plan.hosts;
  if (host === undefined) throw new Error("no host");
  await ensureDisks(host, { root });
  qemuIo(activeLayer(host, "root") ?? "", "write -P 0xaa 128k 64k");
  qemuIo(activeLayer(host, "data1") ?? "", "write -P 0xbb 0 64k");
  const disks = { root: activeLayer(host, "root") ?? "", data1: activeLayer(host, "data1") ?? "" };
  for (const slot of ["root", "data1"] as const)
    await makeLayer(nextLayer(host, slot), 20, { path: disks[slot], format: "qcow2" });
  qemuIo(activeLayer(host, "root") ?? "", "write -P 0xcc 128k 64k"); // after the snapshot
  const taken = snapshotFolder(plan, "moment");
  mkdirSync(taken, { recursive: true });
  writeFileSync(join(taken, "h1.memory"), "memory");
  const memory = { file: "h1.memory", ...(await sumFile(join(taken, "h1.memory"))) };
  const saved = { name: "h1", image: hash, memory, disks };
  const snapshot = { version: 1, name: "moment", takenAt: "2026-01-02T00:00:00Z", hosts: [saved], links: [] };
  writeFileSync(join(taken, "snapshot.json"), JSON.stringify(snapshot));
  const { identity } = labFiles(plan.folder);
  const { hostKey, folder: hostFolder } = machineFiles(plan, host);
  mkdirSync(hostFolder, { recursive: true });
  for (const path of [identity, hostKey])
    for (const end of ["", ".pub"]) writeFileSync(`${path}${end}`, `${path}${end}`);
  bundle = join(folder, "bundle");
  await writeBundle(plan, topology, "moment", bundle, images, true, {});
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe("a bundle", () => {
  test("has a lab's moment, which another lab begins with, on a machine without its image", async () => {
    rmSync(imagesFolder(), { recursive: true });
    const opened = await openBundle(bundle);
    const copy = copyPlan(opened.plan, "copy", join(folder, "labs/copy"), choices());
    await unpackBundle(bundle, opened, copy);
    await placeKeys(copy);
    const [host] = copy.hosts;
    const [original] = plan.hosts;
    if (host === undefined || original === undefined) throw new Error("no host");
    expect(host).toMatchObject({ sshPort: 2301, macs: original.macs, tunnelAddress: original.tunnelAddress });
    expect([host.uuid, copy.runFolder]).not.toContain(original.uuid);
    const root = activeLayer(host, "root") ?? "";
    const [image = ""] = readdirSync(imagesFolder());
    expect(await listChain(root)).toEqual([root, join(imagesFolder(), image, "root.raw")]);
    expect(patternOf(root, "128k", "0xaa")).not.toContain("failed"); // and not what came later
    expect(patternOf(root, "0", "7")).not.toContain("failed"); // the image's
    expect(patternOf(activeLayer(host, "data1") ?? "", "0", "0xbb")).not.toContain("failed");
    const { hosts } = readSnapshot(copy, ownSnapshots.imported);
    expect(hosts).toEqual([
      {
        ...{ name: "h1", image, disks: { root, data1: activeLayer(host, "data1") } },
        memory: readSnapshot(plan, "moment").hosts[0]?.memory,
      },
    ]);
    const memory = join(snapshotFolder(copy, ownSnapshots.imported), hosts[0]?.memory?.file ?? "");
    expect(readFileSync(memory, "utf8")).toBe("memory");
    expect(findManifest(join(imagesFolder(), image))?.hash).toBe(image);
    expect(readFileSync(labFiles(copy.folder).identity, "utf8")).toBe(labFiles(plan.folder).identity);
  });

  test("brings its image whole, whatever an import has left that was killed while it copied it", async () => {
    const copied = readFileSync(join(imagesFolder(), hash, "root.raw"));
    const again = join(folder, "again");
    cpSync(bundle, again, { recursive: true });
    rmSync(imagesFolder(), { recursive: true });
    await unpackAs("copy", bundle);
    const [image = ""] = readdirSync(imagesFolder());
    rmSync(imagesFolder(), { recursive: true });
    const half = join(imagesFolder(), `${image}.part-import`);
    mkdirSync(half, { recursive: true });
    writeFileSync(join(half, "root.raw"), "half");
    await unpackAs("other", again);
    expect(readdirSync(imagesFolder())).toEqual([image]);
    expect(readdirSync(join(imagesFolder(), image)).sort()).toEqual([
      "initrd",
      "manifest.json",
      "root.raw",
      "vmlinuz",
    ]);
    expect(readFileSync(join(imagesFolder(), image, "root.raw"))).toEqual(copied);
  });

  test("leaves its image to no lab that is built here", async () => {
    rmSync(imagesFolder(), { recursive: true });
    await unpackAs("copy", bundle);
    expect(readdirSync(imagesFolder())).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  });

  test("stands on its own image where this machine has another build of the recipe", async () => {
    const built = join(imagesFolder(), hash);
    const root = Buffer.alloc(1024 ** 2, 8);
    writeFileSync(join(built, "root.raw"), root);
    const manifest = images.get("h1")?.manifest;
    if (manifest === undefined) throw new Error("no manifest");
    const files = { ...manifest.files, "root.raw": { bytes: root.length, sha256: sha256Of(root) } };
    writeFileSync(join(built, "manifest.json"), JSON.stringify({ ...manifest, files }));
    const [host] = (await unpackAs("copy", bundle)).hosts;
    if (host === undefined) throw new Error("no host");
    expect(patternOf(activeLayer(host, "root") ?? "", "0", "7")).not.toContain("failed");
    expect(readFileSync(join(built, "root.raw"))).toEqual(root);
  });

  test("shares the image of this machine where it is the same one", async () => {
    const copy = await unpackAs("copy", bundle);
    expect(readdirSync(imagesFolder())).toEqual([hash]);
    expect(readSnapshot(copy, ownSnapshots.imported).hosts).toMatchObject([{ image: hash }]);
  });

  test("whose image is not what its manifest says is refused", async () => {
    rmSync(imagesFolder(), { recursive: true });
    const name = `images/${hash}/root.raw`;
    writeFileSync(join(bundle, name), "another");
    rewrite((text) =>
      text.replace(images.get("h1")?.manifest.files["root.raw"].sha256 ?? "", sha256Of("another")),
    );
    await expect(unpackAs("copy", bundle)).rejects.toMatchObject({ code: "image-checksum" });
    expect(existsSync(imagesFolder())).toBe(false);
  });

  test.each<[string, string, string]>([
    ["a host's name that leads elsewhere", '"name": "h1"', '"name": "../../../h1"'],
    ["a host's name of two words of QEMU", '"name": "h1"', '"name": "h1,debug-threads=on"'],
    ["an image that leads elsewhere", `"image": "${hash}"`, '"image": "../packages"'],
    ["a network of two lines", '"cidr": "10.78.0.0/24"', String.raw`"cidr": "10.78.0.0/24\nDHCP=yes"`],
    [
      "an address of two lines",
      '"tunnelAddress": "10.78.0.11/24"',
      String.raw`"tunnelAddress": "10.78.0.11/24\nx"`,
    ],
    ["an address that is a name", '"managementAddress": "10.77.0.11"', '"managementAddress": "evil.example"'],
    [
      "a mirror that the topology has not",
      '"packages": "roles"',
      String.raw`"packages": "roles", "mirror": "http://x y\ndeb [trusted=yes] http://evil"`,
    ],
    [
      "a snapshot of another host",
      '"takenAt": "2026-01-02T00:00:00Z",\n    "hosts": [',
      '"takenAt": "2026-01-02T00:00:00Z",\n    "hosts": [], "more": [',
    ],
    ["a topology that is none", '"driver": "nested"', '"driver": "vagrant"'],
  ])("with %s is refused, though its checksums fit", async (_, from, to) => {
    rewrite((text) => {
      expect(text).toContain(from);
      return text.replaceAll(from, to);
    });
    await expect(openBundle(bundle)).rejects.toMatchObject({ code: "invalid-input", field: "file" });
  });

  test("whose description is a link is refused", async () => {
    const file = join(bundle, "bundle.json");
    renameSync(file, join(folder, "elsewhere"));
    symlinkSync(join(folder, "elsewhere"), file);
    await expect(openBundle(bundle)).rejects.toMatchObject({ code: "invalid-input", field: "file" });
  });

  test("has hosts that this machine alone reaches, whatever it says", async () => {
    rewrite((text) => text.replace('"sshAddress": "127.0.0.1"', '"sshAddress": "0.0.0.0"'));
    expect((await unpackAs("copy", bundle)).hosts).toMatchObject([{ sshAddress: "127.0.0.1" }]);
  });

  test("leaves an image that the machine has as it is: disks of other labs stand on it", async () => {
    const opened = await openBundle(bundle);
    const root = join(imagesFolder(), hash, "root.raw");
    const { ino } = statSync(root);
    await unpackBundle(bundle, opened, copyPlan(opened.plan, "copy", join(folder, "labs/copy"), choices()));
    expect(statSync(root).ino).toBe(ino);
  });

  test("without its image is of no use to a machine that has none", async () => {
    const lean = join(folder, "lean");
    await writeBundle(plan, topology, "moment", lean, images, false, {});
    expect(existsSync(join(lean, "images"))).toBe(false);
    rmSync(imagesFolder(), { recursive: true });
    const opened = await openBundle(lean);
    const copy = copyPlan(opened.plan, "copy", join(folder, "labs/copy"), choices());
    await expect(unpackBundle(lean, opened, copy)).rejects.toMatchObject({
      code: "not-found",
      field: "image",
      value: hash,
    });
    expect(existsSync(join(imagesFolder(), hash))).toBe(false);
  });

  test("has keys that nobody else can read", () => {
    expect(statSync(join(bundle, "keys")).mode & 0o077).toBe(0);
    expect(statSync(join(bundle, "bundle.json")).mode & 0o077).toBe(0);
  });

  test.each<[string, (path: string) => void, string]>([
    [
      "a file that was changed",
      (path) => writeFileSync(join(path, "keys/identity"), "other"),
      "not as it was written",
    ],
    ["a file that is missing", (path) => rmSync(join(path, "disks/h1/data1.qcow2")), "not as it was written"],
    ["a file more", (path) => writeFileSync(join(path, "disks/h1/more"), ""), "is not of it"],
    [
      "a link in place of a file",
      (path) => {
        rmSync(join(path, "keys/identity"));
        symlinkSync("/etc/passwd", join(path, "keys/identity"));
      },
      "is no plain file",
    ],
  ])("with %s is refused, and nothing comes of it", async (_, damage, message) => {
    damage(bundle);
    await expect(openBundle(bundle)).rejects.toMatchObject({ code: "image-checksum" });
    await expect(openBundle(bundle)).rejects.toThrow(message);
  });

  test("whose disk would have QEMU read another file is refused, though its checksums fit", async () => {
    const disk = join(bundle, "disks/h1/data1.qcow2");
    execFileSync("qemu-img", ["rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", disk]);
    changeSum("disks/h1/data1.qcow2");
    await expect(openBundle(bundle)).rejects.toThrow("names another file");
  });

  test("whose disk has its content in another file is refused before QEMU looks at it", async () => {
    writeFileSync(join(bundle, "disks/h1/data1.qcow2"), makeQcow2({ incompatible: 0b100 }));
    changeSum("disks/h1/data1.qcow2");
    await expect(openBundle(bundle)).rejects.toThrow("names another file");
    writeFileSync(join(bundle, "disks/h1/data1.qcow2"), "raw");
    changeSum("disks/h1/data1.qcow2");
    await expect(openBundle(bundle)).rejects.toThrow("is no disk of qcow2");
  });

  test("that is none is refused", async () => {
    writeFileSync(join(bundle, "bundle.json"), "{}");
    await expect(openBundle(bundle)).rejects.toMatchObject({ code: "invalid-input", field: "file" });
    expect(existsSync(join(folder, "labs/copy"))).toBe(false);
  });
});
