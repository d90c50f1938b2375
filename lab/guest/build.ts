import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import {
  copyFile,
  cp,
  mkdtemp,
  open,
  readFile,
  realpath,
  rename,
  rm,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join, resolve } from "node:path";
import { StackyardError } from "../../providers/core/errors.ts";
import { cacheFolder, labAsset } from "../folders.ts";
import { expectProcess } from "../process.ts";
import { writeArchive } from "./archive.ts";
import type { ArchiveEntry } from "./archive.ts";
import { bootModules, findKernel, ideModules } from "./kernel.ts";
import type { GuestKernel } from "./kernel.ts";

/** The test guest in all its shapes, as absolute paths. Kernel and initrd boot directly; the disks boot by BIOS. */
export interface GuestFiles {
  readonly kernel: string;
  readonly initrd: string;
  readonly raw: string;
  readonly qcow2: string;
}

/** Kernel command line of the guest. `panic=-1`: a guest that cannot boot resets at once instead of hanging. */
export const guestCommandLine = "console=ttyS0 quiet panic=-1";

const fileNames = { kernel: "kernel", initrd: "initrd", raw: "guest.raw", qcow2: "guest.qcow2" } as const;

/** Raised when the build itself changes in a way that its inputs do not show. */
const recipeVersion = 1;

const busyboxPath = "/bin/busybox";
const dropbearPath = "/usr/sbin/dropbear";
const mbrPath = "/usr/lib/syslinux/mbr/mbr.bin";

const sectorBytes = 512;
const bootStart = 2048;
const bootSectors = 61_440;
const dataStart = bootStart + bootSectors;
const dataSectors = 16_384;

/** Any fixed values do: they make two builds of one input equal. */
const fixedTime = 1_700_000_000;
const fixedUuid = "5ac7a4d0-0000-4000-8000-000000000001";

async function readTool(path: string, packageName: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new StackyardError("host-unsuitable", {
      message: `the test guest needs ${path}, which this machine does not have`,
      remedy: `Install the package ${packageName} (stackyard doctor lists all).`,
      cause,
    });
  }
}

/** Runs a tool that writes times into what it makes: each of them honours one of these. */
async function runAtFixedTime(attempting: string, file: string, args: readonly string[]): Promise<void> {
  const time = String(fixedTime);
  await expectProcess(attempting, file, args, {
    env: { SOURCE_DATE_EPOCH: time, E2FSPROGS_FAKE_TIME: time, TZ: "UTC" },
  });
}

/** The shared libraries that a program needs, by the path it looks for them. */
async function readLibraries(
  program: string,
): Promise<{ readonly path: string; readonly content: Buffer }[]> {
  const listing = await expectProcess("listing libraries", "ldd", [program]);
  const paths = [...listing.matchAll(/(?:=> )?(\/\S+) \(0x/g)]
    .map((match) => match[1])
    .filter((path) => path !== undefined);
  return Promise.all(paths.map(async (path) => ({ path, content: await readFile(await realpath(path)) })));
}

/** Adds the folders above each entry, once, before their content. */
function withFolders(entries: readonly ArchiveEntry[]): ArchiveEntry[] {
  const known = new Set(entries.filter((entry) => entry.kind === "folder").map((entry) => entry.path));
  return entries.flatMap((entry) => {
    const names = entry.path.split("/").slice(0, -1);
    const folders = names
      .map((_, index) => names.slice(0, index + 1).join("/"))
      .filter((path) => !known.has(path));
    for (const path of folders) known.add(path);
    return [...folders.map((path): ArchiveEntry => ({ kind: "folder", path, mode: 0o755 })), entry];
  });
}

async function listEntries(kernel: GuestKernel): Promise<ArchiveEntry[]> {
  const file = (path: string, content: Uint8Array | string, mode = 0o644): ArchiveEntry => ({
    kind: "file",
    path,
    mode,
    content: Buffer.from(content),
  });
  const folder = (path: string, mode = 0o755): ArchiveEntry => ({ kind: "folder", path, mode });
  const applets = (await expectProcess("listing applets", busyboxPath, ["--list"])).trim().split("\n");
  const modules = await Promise.all(
    [...bootModules, ...ideModules].map(async (name) =>
      file(`modules/${name}.ko`, await readFile(join(kernel.folder, `${name}.ko`))),
    ),
  );
  return withFolders([
    ...["bin", "dev", "proc", "sys", "etc", "etc/dropbear", "data", "seed", "run", "var"].map((path) =>
      folder(path),
    ),
    folder("root", 0o700),
    folder("root/.ssh", 0o700),
    folder("tmp", 0o1777),
    { kind: "link", path: "sbin", target: "bin" },
    { kind: "link", path: "var/run", target: "/run" },
    file("init", await readFile(labAsset("guest", "rootfs", "init")), 0o755),
    file("etc/udhcpc/default.script", await readFile(labAsset("guest", "rootfs", "udhcpc.script")), 0o755),
    file("etc/passwd", "root:*:0:0:root:/root:/bin/sh\n"),
    file("etc/group", "root:x:0:\n"),
    file("etc/shells", "/bin/sh\n"),
    file("bin/busybox", await readTool(busyboxPath, "busybox-static"), 0o755),
    ...applets
      .filter((name) => name !== "busybox")
      .map((name): ArchiveEntry => ({ kind: "link", path: `bin/${name}`, target: "busybox" })),
    file("bin/dropbear", await readTool(dropbearPath, "dropbear-bin"), 0o755),
    ...(await readLibraries(dropbearPath)).map(({ path, content }) => file(path.slice(1), content, 0o755)),
    file("modules/order", `${bootModules.join("\n")}\n`),
    file("modules/ide", `${ideModules.join("\n")}\n`),
    ...modules,
  ]);
}

/** A disk of two partitions: FAT with syslinux, kernel and initrd, and ext4 for what a guest keeps. Needs no root and no loop device. */
async function writeDisk(folder: string): Promise<void> {
  const disk = join(folder, fileNames.raw);
  const handle = await open(disk, "w");
  await handle.truncate((dataStart + dataSectors) * sectorBytes);
  await handle.close();
  await expectProcess("partitioning the guest's disk", "sfdisk", ["--quiet", disk], {
    stdin: `label: dos\nlabel-id: 0x5ac7a4d0\nstart=${String(bootStart)}, size=${String(bootSectors)}, type=c, bootable\nstart=${String(dataStart)}, size=${String(dataSectors)}, type=83\n`,
  });
  const bootCode = (await readTool(mbrPath, "syslinux-common")).subarray(0, 440);
  const mbr = await open(disk, "r+");
  await mbr.write(bootCode, 0, bootCode.length, 0);
  await mbr.close();
  await runAtFixedTime("formatting the guest's boot partition", "mkfs.vfat", [
    ..."--invariant -F 16 -n BOOT --offset".split(" "),
    String(bootStart),
    disk,
    String((bootSectors * sectorBytes) / 1024),
  ]);
  const settings = join(folder, "syslinux.cfg");
  const lines = [
    "DEFAULT guest",
    "PROMPT 0",
    "TIMEOUT 0",
    "SERIAL 0 115200",
    "LABEL guest",
    " KERNEL /kernel",
    " INITRD /initrd",
  ];
  await writeFile(settings, `${lines.join("\n")}\n APPEND ${guestCommandLine}\n`);
  const content = [join(folder, fileNames.kernel), join(folder, fileNames.initrd), settings];
  for (const path of content) await utimes(path, fixedTime, fixedTime);
  const at = String(bootStart * sectorBytes);
  await runAtFixedTime("filling the guest's boot partition", "mcopy", [
    "-m",
    "-i",
    `${disk}@@${at}`,
    ...content,
    "::/",
  ]);
  await runAtFixedTime("installing the guest's boot loader", "syslinux", ["-t", at, "--install", disk]);
  await rm(settings);
  // A journal, small as it is: without one a guest that was killed finds its disk damaged.
  await runAtFixedTime("formatting the guest's data partition", "mke2fs", [
    ..."-q -F -t ext4 -O ^metadata_csum -J size=1 -L DATA -U".split(" "),
    fixedUuid,
    "-E",
    `offset=${String(dataStart * sectorBytes)},hash_seed=${fixedUuid},lazy_itable_init=0,root_owner=0:0`,
    disk,
    `${String((dataSectors * sectorBytes) / 1024)}k`,
  ]);
  await expectProcess("making the guest's qcow2 disk", "qemu-img", [
    ..."convert -f raw -O qcow2".split(" "),
    disk,
    join(folder, fileNames.qcow2),
  ]);
}

function filesIn(folder: string): GuestFiles {
  return {
    kernel: join(folder, fileNames.kernel),
    initrd: join(folder, fileNames.initrd),
    raw: join(folder, fileNames.raw),
    qcow2: join(folder, fileNames.qcow2),
  };
}

/**
 * Builds the test guest: the distribution's cloud kernel, busybox and dropbear, 128 MiB of memory, ssh three to four seconds
 * after power-on in plain emulation. It reads a config drive or NoCloud seed, runs `#!` user data and then prints
 * `STACKYARD-GUEST ready` to its console. Equal inputs give equal files, kept in the user's cache.
 * @param options.outDir where to copy the files; without it the cached ones are named, which are not to be written to.
 * @throws StackyardError `host-unsuitable` when a package is missing or the kernel cannot be downloaded.
 */
export async function buildGuest(
  options: { readonly outDir?: string; readonly onProgress?: (message: string) => void } = {},
): Promise<GuestFiles> {
  const onProgress = options.onProgress ?? (() => undefined);
  if (process.arch !== "x64") {
    throw new StackyardError("host-unsuitable", {
      message: "the test guest is for x86-64",
      value: process.arch,
      remedy: "Build it on an x86-64 machine and use its files as an image.",
    });
  }
  const kernel = await findKernel(onProgress);
  const initrd = writeArchive(await listEntries(kernel));
  const hash = createHash("sha256")
    .update(JSON.stringify([recipeVersion, kernel.version, guestCommandLine]))
    .update(initrd)
    .digest("hex")
    .slice(0, 16);
  const cached = join(cacheFolder(), "guest", hash);
  if (!existsSync(cached)) {
    onProgress("building kernel, initrd and disks");
    const work = await mkdtemp(`${cached}.`);
    try {
      await writeFile(join(work, fileNames.initrd), initrd);
      await copyFile(join(kernel.folder, "vmlinuz"), join(work, fileNames.kernel));
      await writeDisk(work);
      await rename(work, cached).catch((error: unknown) => {
        if (!existsSync(cached)) throw error; // Otherwise another build was quicker.
      });
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  if (options.outDir === undefined) return filesIn(cached);
  const outDir = resolve(options.outDir);
  await cp(cached, outDir, { recursive: true });
  onProgress(`written to ${outDir}`);
  return filesIn(outDir);
}
