import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { arch, release } from "node:os";
import { join } from "node:path";
import { cacheFolder, labFiles } from "../folders.ts";
import type { LabHost, LabPlan } from "./plan.ts";

/** QEMU's name of this machine's architecture. */
const qemuArch = arch() === "arm64" ? "aarch64" : "x86_64";

/**
 * Everything that libvirt's cache of QEMU's capabilities depends on (libvirt: src/qemu/qemu_capabilities.c,
 * virQEMUCapsIsValid): the two programs, the kernel, /dev/kvm. libvirt checks again; a wrong key costs time only.
 */
function capabilityKey(): string {
  const facts = [`/usr/sbin/libvirtd`, `/usr/bin/qemu-system-${qemuArch}`, "/dev/kvm"].map((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined
      ? "absent"
      : `${String(stat.size)} ${String(stat.mtimeMs)} ${String(stat.ctimeMs)}`;
  });
  return createHash("sha256")
    .update(JSON.stringify([release(), ...facts]))
    .digest("hex")
    .slice(0, 16);
}

function cachedFolder(): string {
  return join(cacheFolder(), "lab", "capabilities", capabilityKey());
}

/** The cached capabilities of this machine's QEMU: probing them takes libvirtd over a second, copying them none. */
export function findCapabilities(): string | undefined {
  const folder = cachedFolder();
  return existsSync(folder) ? folder : undefined;
}

/** Keeps what a ready host's libvirtd has probed, for all later hosts of this machine. */
export async function saveCapabilities(plan: LabPlan, host: LabHost): Promise<void> {
  const folder = cachedFolder();
  const probed = join(labFiles(plan.folder).roots, host.name, "upper/var/cache/libvirt/qemu/capabilities");
  if (existsSync(folder) || !existsSync(probed)) return;
  await mkdir(join(folder, ".."), { recursive: true });
  const part = await mkdtemp(`${folder}.`);
  await cp(probed, part, { recursive: true, preserveTimestamps: true });
  try {
    await rename(part, folder);
  } catch {
    // Another lab was quicker with the same content.
    await rm(part, { recursive: true, force: true });
  }
}
