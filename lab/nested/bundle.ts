import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, cp, link, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { detectFormat } from "../../providers/compute/image-format.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import type { LabOptions } from "../driver.ts";
import { labFiles } from "../folders.ts";
import { withLock } from "../lock.ts";
import { expectProcess } from "../process.ts";
import { parseTopology } from "../topology.ts";
import { hashFile } from "./checksum.ts";
import { diskSlots, nextLayer } from "./disks.ts";
import { machineFiles } from "./files.ts";
import { clearParts } from "./image/build.ts";
import { findManifest } from "./image/image.ts";
import type { HostImage } from "./image/image.ts";
import type { ImageManifest } from "./image/manifest.ts";
import { imagesFolder } from "./image/users.ts";
import { nestedPlanSchema } from "./plan.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import {
  ownSnapshots,
  readSnapshot,
  snapshotFileName,
  snapshotFolder,
  snapshotSchema,
} from "./snapshot-file.ts";
import type { HostSnapshot, Snapshot } from "./snapshot-file.ts";

const bundleSchema = z
  .object({
    version: z.literal(1),
    /** The topology of the lab that it was made of. */
    topology: z.record(z.string(), z.json()),
    plan: nestedPlanSchema,
    snapshot: snapshotSchema,
    /** Every file of the bundle but this one. */
    files: z.record(z.string(), z.object({ bytes: z.int(), sha256: z.string() })),
  })
  .refine(({ topology, plan, snapshot }) => {
    const given = parseTopology(topology);
    const names = (hosts: readonly { readonly name: string }[]): string =>
      hosts.map(({ name }) => name).join(" ");
    return (
      names(plan.hosts) === names(given.hosts) &&
      names(snapshot.hosts) === names(given.hosts) &&
      plan.mirror === given.mirror &&
      snapshot.hosts.every(({ image }) => imageName.test(image))
    );
  }, "its parts are not of one lab");

/** What an image is called. */
const imageName = /^[0-9a-f]{16,64}$/;

/** A whole lab at one moment, as files of a folder: memory, disks, keys, and images where they go along. */
export type Bundle = z.infer<typeof bundleSchema>;

/** Another command may be building the image. */
const imageWaitMs = 45 * 60_000;

const bundleFileName = "bundle.json";
const imageFiles = ["manifest.json", "root.raw", "vmlinuz", "initrd"] as const;

/** Files of a lab that only its user may read, by their names in a bundle. */
function listKeys(plan: NestedPlan): readonly (readonly [string, string])[] {
  const { identity } = labFiles(plan.folder);
  const hosts = plan.hosts.map(
    (host) => [`keys/hosts/${host.name}`, machineFiles(plan, host).hostKey] as const,
  );
  return [["keys/identity", identity] as const, ...hosts].flatMap(
    ([name, path]) =>
      [
        [name, path],
        [`${name}.pub`, `${path}.pub`],
      ] as const,
  );
}

const memoryName = (host: string): string => `memory/${host}`;
const diskName = (host: string, slot: string): string => `disks/${host}/${slot}.qcow2`;

/**
 * Writes a snapshot of a lab with all that it needs into a folder that is not there yet. The lab may run on.
 * @param withImages whether the images go along: another machine may not have them.
 */
export async function writeBundle(
  plan: NestedPlan,
  topology: Bundle["topology"],
  snapshotName: string,
  folder: string,
  images: ReadonlyMap<string, HostImage>,
  withImages: boolean,
  { onProgress }: LabOptions,
): Promise<Bundle> {
  const snapshot = readSnapshot(plan, snapshotName);
  await mkdir(join(folder, "keys", "hosts"), { recursive: true, mode: 0o700 });
  for (const [name, path] of listKeys(plan)) await copyFile(path, join(folder, name));
  for (const host of plan.hosts) {
    const saved = snapshot.hosts.find(({ name }) => name === host.name);
    const image = images.get(host.name);
    if (saved === undefined || image === undefined) throw new TypeError("a snapshot has the lab's hosts");
    if (saved.memory !== null) {
      const target = join(folder, memoryName(host.name));
      await mkdir(dirname(target), { recursive: true });
      await linkOrCopy(join(snapshotFolder(plan, snapshotName), saved.memory.file), target);
    }
    for (const { slot } of diskSlots(host)) {
      onProgress?.(`${host.name}: disk ${slot}`);
      await flattenDisk(
        saved.disks[slot] ?? "",
        slot === "root" ? image.root : undefined,
        join(folder, diskName(host.name, slot)),
      );
    }
    const kept = join(folder, "images", image.hash);
    if (!withImages || existsSync(kept)) continue;
    onProgress?.(`image ${image.hash}`);
    await mkdir(kept, { recursive: true });
    for (const name of imageFiles)
      await expectProcess(
        "copying an image",
        "cp",
        ["--sparse=always", join(image.folder, name), join(kept, name)],
        {
          timeoutMs: 600_000,
        },
      );
  }
  onProgress?.("checksums");
  const bundle: Bundle = { version: 1, topology, plan, snapshot, files: await hashFiles(folder) };
  await writeFile(join(folder, bundleFileName), `${JSON.stringify(bundle, undefined, 2)}\n`, { mode: 0o600 });
  return bundle;
}

/** The same file twice where the file system can: neither is written to. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to));
}

/** A disk as one file: what differs from the image, or all of a disk without one. It names no other file. */
async function flattenDisk(layer: string, image: string | undefined, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const backing = image === undefined ? [] : ["-B", image, "-F", "raw"];
  await expectProcess(
    "copying a disk",
    "qemu-img",
    ["convert", "-U", "-O", "qcow2", ...backing, layer, target],
    {
      timeoutMs: 1_800_000,
    },
  );
  if (image !== undefined)
    await expectProcess("letting a disk stand alone", "qemu-img", [
      "rebase",
      "-u",
      "-f",
      "qcow2",
      "-b",
      "",
      target,
    ]);
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((name) => name !== bundleFileName)
    .sort();
}

async function hashFiles(folder: string): Promise<Bundle["files"]> {
  const hashed = await Promise.all(
    listFiles(folder).map(async (name) => [name, await hashFile(join(folder, name))] as const),
  );
  return Object.fromEntries(hashed);
}

function damaged(what: string): StackyardError {
  return new StackyardError("image-checksum", {
    message: `the exported lab is damaged: ${what}`,
    field: "file",
    remedy: "Nothing was changed. Copy the file again, or export the lab anew.",
  });
}

/**
 * Reads a bundle that may come from elsewhere. Its files are what it says, whole, and plain files; its disks name no file of this machine.
 * @throws StackyardError `image-checksum` when it is not so.
 */
export async function openBundle(folder: string): Promise<Bundle> {
  const bundle = readBundle(folder);
  const names = listFiles(folder);
  const strange = names.find((name) => !lstatSync(join(folder, name)).isFile());
  if (strange !== undefined) throw damaged(`${strange} is no plain file`);
  const found = await hashFiles(folder);
  for (const name of new Set([...names, ...Object.keys(bundle.files)])) {
    if (bundle.files[name] === undefined) throw damaged(`${name} is not of it`);
    if (found[name]?.sha256 !== bundle.files[name].sha256) throw damaged(`${name} is not as it was written`);
  }
  for (const host of bundle.plan.hosts) {
    for (const { slot } of diskSlots(host)) await requireAlone(join(folder, diskName(host.name, slot)));
  }
  return bundle;
}

function readBundle(folder: string): Bundle {
  const file = join(folder, bundleFileName);
  try {
    // A link or a pipe would have us read something else, or wait.
    if (!lstatSync(file).isFile()) throw new TypeError(`${bundleFileName} is no plain file`);
    return bundleSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new StackyardError("invalid-input", {
      message: "this is no exported lab",
      field: "file",
      remedy: "Name a file that stackyard lab export has written, of a version like this one.",
      cause,
    });
  }
}

/** More than what its header says of other files. */
const diskHeadBytes = 4096;

/** A disk whose header names another file would have QEMU open that, even to tell of it. */
async function requireAlone(path: string): Promise<void> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(diskHeadBytes);
    await file.read(head);
    const found = detectFormat(head, Buffer.alloc(0));
    if (found.kind !== "qcow2") throw damaged(`${path} is no disk of qcow2`);
    if (found.header.hasBackingFile || found.header.hasDataFile) throw damaged(`${path} names another file`);
  } finally {
    await file.close();
  }
}

/**
 * Lays the files of a bundle where a lab of this plan has them: keys, disks, a snapshot. The lab has no record yet.
 * @throws StackyardError `not-found` when an image is neither in the cache nor in the bundle.
 */
export async function unpackBundle(folder: string, bundle: Bundle, plan: NestedPlan): Promise<void> {
  for (const host of plan.hosts)
    await mkdir(machineFiles(plan, host).folder, { recursive: true, mode: 0o700 });
  const hosts: HostSnapshot[] = [];
  const snapshotAt = snapshotFolder(plan, ownSnapshots.imported);
  await mkdir(join(snapshotAt, "keys", "hosts"), { recursive: true, mode: 0o700 });
  for (const [name] of listKeys(plan)) await copyFile(join(folder, name), join(snapshotAt, name));
  for (const saved of bundle.snapshot.hosts) {
    const host = plan.hosts.find(({ name }) => name === saved.name);
    if (host === undefined) throw new TypeError("a bundle has its plan's hosts");
    const image = await placeImage(folder, saved.image, bundle.files);
    const disks = await placeDisks(folder, host, join(imagesFolder(), image, "root.raw"));
    if (saved.memory === null) hosts.push({ ...saved, image, disks });
    else {
      const file = `${saved.name}.memory`;
      await rename(join(folder, memoryName(saved.name)), join(snapshotAt, file)).catch(async () => {
        await copyFile(join(folder, memoryName(saved.name)), join(snapshotAt, file));
      });
      hosts.push({ ...saved, image, memory: { ...saved.memory, file }, disks });
    }
  }
  const snapshot: Snapshot = { ...bundle.snapshot, name: ownSnapshots.imported, hosts };
  await writeFile(join(snapshotAt, snapshotFileName), `${JSON.stringify(snapshot, undefined, 2)}\n`, {
    mode: 0o600,
  });
}

/** Gives the lab the keys that the memory of its hosts knows: those of the lab that it was copied of. */
export async function placeKeys(plan: NestedPlan): Promise<void> {
  const folder = snapshotFolder(plan, ownSnapshots.imported);
  for (const [name, path] of listKeys(plan)) await copyFile(join(folder, name), path);
}

/** Disks of a host as they were, each the first layer of its slot. */
async function placeDisks(folder: string, host: NestedHost, root: string): Promise<Record<string, string>> {
  const disks: Record<string, string> = {};
  await mkdir(host.diskFolder, { recursive: true, mode: 0o700 });
  for (const { slot } of diskSlots(host)) {
    const path = nextLayer(host, slot);
    await rename(join(folder, diskName(host.name, slot)), path).catch(async () => {
      await cp(join(folder, diskName(host.name, slot)), path);
    });
    if (slot === "root")
      await expectProcess("giving a disk its image", "qemu-img", [
        ...["rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", root, path],
      ]);
    disks[slot] = path;
  }
  return disks;
}

/**
 * Has the image of a bundle in the cache, under a name of its content: longer than those of recipes, so that no lab but this one
 * is ever built of what came from elsewhere, nor stands on an image that was built here at another time.
 * @param hash names the image in the bundle, or in the cache for a bundle that has none.
 * @returns its name in the cache.
 */
async function placeImage(folder: string, hash: string, files: Bundle["files"]): Promise<string> {
  const source = join(folder, "images", hash);
  const manifest = findManifest(source);
  const known = findManifest(join(imagesFolder(), hash));
  if (known?.hash === hash && (manifest === undefined || isSameImage(known, manifest))) return hash;
  if (manifest?.hash !== hash) {
    throw new StackyardError("not-found", {
      message: `the lab stands on image ${hash}, which is neither in the cache nor in the file`,
      field: "image",
      value: hash,
      remedy: "Export the lab anew where it is.",
    });
  }
  for (const [name, { sha256 }] of Object.entries(manifest.files))
    if (files[`images/${hash}/${name}`]?.sha256 !== sha256) throw damaged(`image ${hash} is another one`);
  const contents = Object.entries(manifest.files).map(([name, { sha256 }]) => `${name} ${sha256}`);
  const name = createHash("sha256").update(contents.sort().join("\n")).digest("hex").slice(0, 32);
  const target = join(imagesFolder(), name);
  // Under the lock of those who build and collect images.
  await withLock(target, { waitMs: imageWaitMs }, async () => {
    if (findManifest(target)?.hash === name) return;
    await mkdir(dirname(target), { recursive: true });
    await clearParts(target);
    const part = `${target}.part-import`;
    await mkdir(part);
    for (const file of imageFiles.filter((each) => each !== "manifest.json"))
      await expectProcess(
        "keeping an image",
        "cp",
        ["--sparse=always", join(source, file), join(part, file)],
        {
          timeoutMs: 600_000,
        },
      );
    await writeFile(
      join(part, "manifest.json"),
      `${JSON.stringify({ ...manifest, hash: name }, undefined, 2)}\n`,
    );
    await rm(target, { recursive: true, force: true });
    await rename(part, target);
  });
  return name;
}

/** Whether disks that stand on the one can stand on the other. */
function isSameImage(one: ImageManifest, other: ImageManifest): boolean {
  return one.files["root.raw"].sha256 === other.files["root.raw"].sha256;
}
