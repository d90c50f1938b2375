import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { StackyardError } from "../../../providers/core/errors.ts";
import { findMissingPrograms, requireInstalled } from "../../installed-programs.ts";
import { systemPath } from "../../process.ts";
import { requireProgram } from "../../setup/program.ts";
import { requireSpace } from "../resources.ts";
import { fileSystemTimes } from "./build.ts";
import type { BuildOptions } from "./build.ts";
import type { HostImage } from "./image.ts";

/** Formats that an image can be exported in. */
export const exportFormats = ["qcow2", "raw"] as const;

/** What an export is to be. */
export interface ExportOptions extends BuildOptions {
  readonly format: (typeof exportFormats)[number];
  /** A whole disk with partition table and boot loader, instead of the bare file system. */
  readonly isBootable: boolean;
}

const exportPrograms = ["qemu-img", "cp"];
const bootPrograms = ["grub-mkimage", "sfdisk", "debugfs", "dd"];

/** Modules and boot code of GRUB for BIOS, where Debian's grub-pc-bin has them. */
const grubFolder = "/usr/lib/grub/i386-pc";
const grubModules =
  "biosdisk part_msdos ext2 normal linux configfile search serial terminal echo test minicmd".split(" ");

const sectorBytes = 512;
const mibBytes = 1024 ** 2;
/** Where the partition begins; GRUB's core lies between the boot record and it. */
const partitionStart = 2048;
/** The first bytes of the boot record are code, what follows is the partition table. */
const bootCodeBytes = 440;

const grubConfig = `serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=1
menuentry "Stackyard host" {
  linux /vmlinuz root=/dev/vda1 rw console=tty0 console=ttyS0 net.ifnames=0
  initrd /boot/initrd
}
`;

/** Files that a disk of its own has beside those of the image. */
const bootFiles: Readonly<Record<string, string>> = {
  "/boot/grub/grub.cfg": grubConfig,
  "/etc/fstab": "/dev/vda1 / ext4 defaults,x-systemd.growfs 0 1\n",
  "/etc/systemd/network/90-any.network": "[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\n",
};

/**
 * Writes an image to a file: its file system, or a disk with it that boots by BIOS from virtio. The file is there whole
 * or not at all. No root, no loop device. What boots so has no identity of a lab's host: root logs in on the serial line,
 * DHCP gives addresses, and its sshd wants keys (`ssh-keygen -A`).
 * @throws StackyardError `conflict` when the file exists, `host-unsuitable` when programs are missing,
 * `host-disk-full` with the numbers.
 */
export async function exportImage(image: HostImage, out: string, options: ExportOptions): Promise<string> {
  const path = resolve(out);
  if (existsSync(path)) {
    throw new StackyardError("conflict", {
      message: "the file that the image is to be exported to exists",
      field: "out",
      value: path,
      remedy: "Name another file, or remove it.",
    });
  }
  if (options.isBootable) requireGrub();
  requireInstalled([...exportPrograms, ...(options.isBootable ? bootPrograms : [])]);
  await mkdir(dirname(path), { recursive: true });
  await requireSpace(dirname(path), exportMib, {
    subject: "the files of an export",
    field: "out",
    remedy: "Free space, or name a file elsewhere.",
  });
  const work = await mkdtemp(`${path}.part-`);
  try {
    const run = async (attempting: string, file: string, args: readonly string[], stdin = "") => {
      const env = { PATH: systemPath, LC_ALL: "C.UTF-8", ...fileSystemTimes };
      const { signal } = options;
      return requireProgram(attempting, file, args, {
        cwd: work,
        env,
        stdin,
        ...(signal === undefined ? {} : { signal }),
      });
    };
    if (options.isBootable) await writeDisk(image, work, run, options);
    options.onProgress?.(`writing ${options.format}`);
    const source = options.isBootable ? "disk.raw" : image.root;
    if (options.isBootable && options.format === "raw") await rename(join(work, source), join(work, "out"));
    else
      await run("converting the image", "qemu-img", [
        ...["convert", "-f", "raw", "-O", options.format, source, "out"],
      ]);
    await rename(join(work, "out"), path);
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The content of the file system twice, while it is changed and copied. */
const exportMib = 2048;

function requireGrub(): void {
  if (existsSync(join(grubFolder, "boot.img")) && findMissingPrograms(["grub-mkimage"]).length === 0) return;
  throw new StackyardError("host-unsuitable", {
    message: "a disk that boots needs GRUB for BIOS, which this machine does not have",
    value: grubFolder,
    remedy: "Install the package grub-pc-bin, or export without --bootable.",
  });
}

type Run = (
  attempting: string,
  file: string,
  args: readonly string[],
  stdin?: string,
) => Promise<{ readonly stdout: string }>;

/** `disk.raw`: boot record, GRUB's core behind it, one partition. */
async function writeDisk(image: HostImage, work: string, run: Run, options: ExportOptions): Promise<void> {
  options.onProgress?.("copying the file system");
  await run("copying the file system", "cp", ["--sparse=always", image.root, "root.raw"]);
  await chmod(join(work, "root.raw"), 0o600);
  await addBootFiles(image, work, run);
  const { size } = await stat(join(work, "root.raw"));
  options.onProgress?.("partition and boot loader");
  await run("placing the partition", "dd", [
    ...["if=root.raw", "of=disk.raw", "bs=1M", "conv=sparse", "status=none"],
    `seek=${String((partitionStart * sectorBytes) / mibBytes)}`,
  ]);
  await rm(join(work, "root.raw"));
  await truncate(join(work, "disk.raw"), partitionStart * sectorBytes + size);
  const table = `label: dos\nlabel-id: 0x5ac7a4d0\nstart=${String(partitionStart)}, size=${String(size / sectorBytes)}, type=83, bootable\n`;
  await run("writing the partition table", "sfdisk", ["--quiet", "disk.raw"], table);
  await run("making the boot loader", "grub-mkimage", [
    ...["--format=i386-pc", "--prefix=(hd0,msdos1)/boot/grub", "--output=core.img"],
    ...grubModules,
  ]);
  const bootRecord = await readFile(join(grubFolder, "boot.img"));
  const core = await readFile(join(work, "core.img"));
  if (core.length > (partitionStart - 1) * sectorBytes)
    throw new TypeError("GRUB's core does not fit in front of the partition");
  // Both are made to lie so: the boot record loads sector 1, which knows that the rest follows it.
  const disk = await open(join(work, "disk.raw"), "r+");
  try {
    await disk.write(bootRecord, 0, bootCodeBytes, 0);
    await disk.write(core, 0, core.length, sectorBytes);
  } finally {
    await disk.close();
  }
}

/** Puts files into the file system without mounting it. */
async function addBootFiles(image: HostImage, work: string, run: Run): Promise<void> {
  await copyFile(image.initrd, join(work, "initrd"));
  // It would wait for a seed, which comes from a lab only.
  const identity = "/etc/systemd/system/sysinit.target.wants/stackyard-identity.service";
  const lines = ["mkdir /boot/grub", "write initrd /boot/initrd", "rm /etc/fstab", `rm ${identity}`];
  for (const [index, [path, content]] of Object.entries(bootFiles).entries()) {
    const name = `file${String(index)}`;
    await writeFile(join(work, name), content, { mode: 0o644 });
    lines.push(`write ${name} ${path}`);
  }
  await writeFile(join(work, "commands"), `${lines.join("\n")}\n`);
  await run("adding the boot files", "debugfs", ["-w", "-f", "commands", "root.raw"]);
  // debugfs ends with 0 whatever has failed.
  for (const [path, content] of Object.entries(bootFiles)) {
    const { stdout } = await run("reading the boot files", "debugfs", ["-R", `cat ${path}`, "root.raw"]);
    if (`${stdout}\n` === content) continue;
    throw new StackyardError("command-failed", {
      message: `debugfs could not write ${path} into the file system`,
      value: image.hash,
    });
  }
}
