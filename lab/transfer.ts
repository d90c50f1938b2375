import { constants, existsSync } from "node:fs";
import { access, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { StackyardError } from "../providers/core/errors.ts";
import type { LabDescription } from "./lab.ts";
import { describe, findReserved, withLab, withNetworks, writeInventory } from "./lab.ts";
import type { LabOptions } from "./driver.ts";
import { labFolder } from "./folders.ts";
import { withLock } from "./lock.ts";
import { requireNoBridges } from "./nested/bridges.ts";
import { openBundle, unpackBundle, writeBundle } from "./nested/bundle.ts";
import type { Bundle } from "./nested/bundle.ts";
import { beginCopy } from "./nested/copy.ts";
import { ensureImages } from "./nested/image/host-images.ts";
import { copyPlan } from "./nested/plan.ts";
import { findFreePorts } from "./nested/ports.ts";
import { requireResources } from "./nested/resources.ts";
import { runtimeFolder } from "./nested/run-folder.ts";
import { ownSnapshots } from "./nested/snapshot-file.ts";
import { removeSnapshot } from "./nested/removal.ts";
import { takeSnapshot } from "./nested/snapshot.ts";
import { makeFolder } from "./state-files.ts";
import { findState, readState, writeState } from "./state.ts";
import type { LabState } from "./state.ts";
import { runTar } from "./tar.ts";
import { parseLabName } from "./topology.ts";
import { withWorkFolder } from "./work-folders.ts";

/** Which moment of a lab is copied. */
export interface TransferOptions extends LabOptions {
  /** Name of a snapshot; by default one is taken, and removed again. */
  readonly snapshot?: string | undefined;
}

const sameFileWaitMs = 120_000;

/** The record of a lab of virtual machines. Raises `invalid-input` for a lab of another driver. */
function readNested(name: string): Extract<LabState, { driver: "nested" }> {
  const state = readState(name);
  if (state.driver === "nested") return state;
  throw new StackyardError("invalid-input", {
    message: `lab "${name}" is of the driver ${state.driver}, whose hosts cannot be copied`,
    field: "driver",
    value: state.driver,
    remedy: "Make the lab with --driver nested, or bring another one up from the same topology.",
  });
}

function requireNew(name: string): void {
  if (findState(parseLabName(name)) === undefined) return;
  throw new StackyardError("conflict", {
    message: `there is a lab "${name}" already`,
    field: "name",
    value: name,
    remedy: `Choose another name, or take it down: stackyard lab down --name ${name}`,
  });
}

/** Writes one moment of a lab as a bundle, whatever becomes of the snapshot that was taken for it. */
async function bundleLab(
  name: string,
  folder: string,
  withImages: boolean,
  options: TransferOptions,
): Promise<Bundle> {
  const { plan, topology } = readNested(name);
  const given = z.record(z.string(), z.json()).parse(topology);
  return withLab(name, options, async () => {
    const images = await ensureImages(plan, plan.hosts, options);
    const write = (moment: string): Promise<Bundle> =>
      writeBundle(plan, given, moment, folder, images, withImages, options);
    if (options.snapshot !== undefined) return write(options.snapshot);
    await takeSnapshot(plan, ownSnapshots.passing, images, options);
    try {
      return await write(ownSnapshots.passing);
    } finally {
      await removeSnapshot(plan, ownSnapshots.passing);
    }
  });
}

/**
 * Makes a second lab of the moment of a lab: hosts go on in it where they were in that moment, with servers that run in
 * them, with keys of its own. Both run side by side; networks between hosts are each lab's own.
 * @throws StackyardError `conflict` when there is a lab of the new name or one of the networks is a bridge, `host-unsuitable` without memory for it,
 * `host-disk-full`, `not-found`.
 */
export async function cloneLab(
  name: string,
  newName: string,
  options: TransferOptions = {},
): Promise<LabDescription> {
  requireNew(newName);
  const state = readNested(name);
  requireNoBridges(state.plan);
  await requireResources(state.plan.hosts);
  return withWorkFolder(async (folder) => {
    // Written here and now: only a bundle from elsewhere is read and judged anew.
    return openCopy(folder, await bundleLab(name, folder, false, options), newName, options);
  });
}

/**
 * Writes a whole lab with its images into one file, for another machine or a later day. It holds the keys of the lab.
 * @throws StackyardError `conflict` when the file is there or a network is a bridge, `not-found`, `host-disk-full`.
 */
export async function exportLab(name: string, file: string, options: TransferOptions = {}): Promise<void> {
  requireNoBridges(readNested(name).plan);
  const target = resolve(file);
  const part = `${target}.part`;
  await withLock(target, { waitMs: sameFileWaitMs, signal: options.signal }, async () => {
    await requireNewFile(file);
    await withWorkFolder(async (folder) => {
      await rm(part, { force: true }); // of an export that was killed
      await bundleLab(name, folder, true, options);
      options.onProgress?.("packing");
      try {
        await runTar(["--create", "--sparse", "--directory", folder, "."], "out", part, options.signal);
        await rename(part, target);
      } finally {
        await rm(part, { force: true });
      }
    });
  });
}

/** Refuses a file that is there, or has no folder, before anything is copied. */
async function requireNewFile(file: string): Promise<void> {
  const target = resolve(file);
  if (existsSync(target)) {
    throw new StackyardError("conflict", {
      message: "there is such a file already",
      field: "file",
      value: file,
      remedy: "Choose another name, or remove the file.",
    });
  }
  try {
    await access(dirname(target), constants.W_OK);
  } catch (cause) {
    throw new StackyardError("invalid-input", {
      message: "the folder of the file is not there, or cannot be written to",
      field: "file",
      value: file,
      remedy: "Name a file in a folder that this user can write to.",
      cause,
    });
  }
}

/**
 * Makes a lab of a file that {@link exportLab} has written. QEMU must be of the version, and the processor of the kind, that
 * the lab ran on: memory is taken as it is.
 * @param newName of the lab; default: the name that it had.
 * @throws StackyardError `not-found`, `invalid-input` for a file that is none, `image-checksum` for a damaged one,
 * `conflict` when there is a lab of that name, `host-unsuitable` without memory for it.
 */
export async function importLab(
  file: string,
  newName: string | undefined,
  options: LabOptions = {},
): Promise<LabDescription> {
  if (newName !== undefined) requireNew(newName);
  const source = resolve(file);
  if (!existsSync(source)) {
    throw new StackyardError("not-found", {
      message: "the file is not there",
      field: "file",
      value: file,
      remedy: "Name a file that stackyard lab export has written.",
    });
  }
  return withWorkFolder(async (folder) => {
    options.onProgress?.("unpacking");
    await runTar(
      ["--extract", "--sparse", "--no-same-owner", "--no-same-permissions", "--directory", folder],
      "in",
      source,
      options.signal,
    );
    options.onProgress?.("checking");
    const bundle = await openBundle(folder);
    requireNoBridges(bundle.plan);
    requireNew(newName ?? bundle.plan.name);
    await requireResources(bundle.plan.hosts);
    return openCopy(folder, bundle, newName ?? bundle.plan.name, options);
  });
}

/** Brings up the lab of a bundle. Its record is written when all its files are there: until then nothing runs. */
async function openCopy(
  folder: string,
  bundle: Bundle,
  newName: string,
  options: LabOptions,
): Promise<LabDescription> {
  return withLab(newName, options, async () => {
    requireNew(newName);
    const target = labFolder(newName);
    await rm(target, { recursive: true, force: true }); // of a copy that was killed before it had a record
    const madeFolders = await makeFolder(target, 0o700);
    const plan = await withNetworks(async () =>
      copyPlan(bundle.plan, newName, target, {
        sshPorts: await findFreePorts(bundle.plan.hosts.length, target, findReserved().ports),
        runtimeFolder: runtimeFolder(),
      }),
    );
    options.onProgress?.("disks and memory");
    await unpackBundle(folder, bundle, plan);
    // A copy's disks are in its own folder.
    const topology = Object.fromEntries(
      Object.entries(bundle.topology).filter(([field]) => field !== "diskFolder"),
    );
    const state: LabState = {
      version: 1,
      driver: "nested",
      topology: { ...topology, name: newName },
      plan,
      madeFolders,
    };
    await writeState(state);
    await beginCopy(plan, options);
    await writeInventory(state);
    return describe(state, "answering");
  });
}
