import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { StackyardError } from "../../providers/core/errors.ts";
import { cacheFolder } from "../folders.ts";
import { expectProcess } from "../process.ts";

/** Loaded at every boot, in this order. ext4, serial line and keyboard are built into the cloud kernel. */
export const bootModules = [
  "virtio_ring",
  "virtio",
  "virtio_pci_modern_dev",
  "virtio_pci_legacy_dev",
  "virtio_pci",
  "failover",
  "net_failover",
  "virtio_net",
  "virtio_blk",
  "scsi_common",
  "scsi_mod",
  "virtio_scsi",
  "sd_mod",
  "cdrom",
  "sr_mod",
  "isofs",
  "fat",
  "vfat",
  "nls_ascii",
  "nls_cp437",
  "nls_iso8859-1",
  "virtio-rng",
  "button",
  "evdev",
];

/** Loaded only where no seed was found without them. */
export const ideModules = ["libata", "ata_piix"];

const metaPackage = "linux-image-cloud-amd64";

/** A folder with `vmlinuz` and a `.ko` file for each module. */
export interface GuestKernel {
  /** Name and version of the distribution's package. */
  readonly version: string;
  readonly folder: string;
}

async function findNewest(folder: string): Promise<GuestKernel | undefined> {
  const versions = existsSync(folder)
    ? (await readdir(folder)).filter((name) => name.startsWith("linux-image-"))
    : [];
  const version = versions.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  return version === undefined ? undefined : { version, folder: join(folder, version) };
}

async function unpackKernel(packageFile: string, target: string): Promise<void> {
  const tree = `${target}.tree`;
  await expectProcess("unpacking the kernel package", "dpkg-deb", ["-x", packageFile, tree]);
  const files = await readdir(tree, { recursive: true });
  await mkdir(target);
  const wanted = [
    ["vmlinuz", /(^|\/)boot\/vmlinuz-[^/]+$/] as const,
    ...[...bootModules, ...ideModules].map((name) => [`${name}.ko`, new RegExp(`/${name}\\.ko$`)] as const),
  ];
  for (const [name, pattern] of wanted) {
    const source = files.find((file) => pattern.test(file));
    if (source === undefined) {
      throw new StackyardError("host-unsuitable", {
        message: `the kernel package has no ${name}`,
        value: packageFile,
        remedy: "Use the cloud kernel of Debian 12.",
      });
    }
    await copyFile(join(tree, source), join(target, name));
  }
}

/**
 * The distribution's cloud kernel, from the user's cache; the first time it is downloaded with apt and unpacked, not installed.
 * @throws StackyardError `host-unsuitable` when apt does not know or cannot fetch the package.
 */
export async function findKernel(onProgress: (message: string) => void): Promise<GuestKernel> {
  const cache = join(cacheFolder(), "guest", "kernel");
  const cached = await findNewest(cache);
  if (cached !== undefined) return cached;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "download-"));
  try {
    onProgress(`downloading the kernel of ${metaPackage} (27 MB)`);
    const depends = await expectProcess("looking for a kernel package", "apt-cache", [
      "depends",
      metaPackage,
    ]);
    const [, name] = /Depends: (linux-image-\S+)/.exec(depends) ?? [];
    if (name === undefined) throw new Error(`${metaPackage} depends on no kernel`);
    await expectProcess(
      "downloading the kernel",
      "apt-get",
      ["download", "-q", "-o", "APT::Sandbox::User=root", name],
      {
        cwd: work,
      },
    );
    const [file] = (await readdir(work)).filter((entry) => entry.endsWith(".deb"));
    if (file === undefined) throw new Error("apt-get has left no package");
    const version = file.replace(/_[^_]+\.deb$/, "").replaceAll("%3a", ":");
    await unpackKernel(join(work, file), join(work, version));
    await rename(join(work, version), join(cache, version)).catch((error: unknown) => {
      if (!existsSync(join(cache, version))) throw error; // Otherwise another build was quicker.
    });
    return { version, folder: join(cache, version) };
  } catch (cause) {
    throw new StackyardError("host-unsuitable", {
      message: `the test guest's kernel cannot be had from package ${metaPackage}`,
      remedy: "Run `apt-get update`, check the machine's package sources, then run again.",
      cause,
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
