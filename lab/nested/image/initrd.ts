import { readFile } from "node:fs/promises";
import { writeArchive } from "../../guest/archive.ts";
import type { ArchiveEntry } from "../../guest/archive.ts";

/** What a kernel needs before it finds its root on a virtio disk, in the order of loading. */
export const diskModules = [
  "virtio_ring",
  "virtio",
  "virtio_pci_modern_dev",
  "virtio_pci_legacy_dev",
  "virtio_pci",
  "virtio_blk",
] as const;

/** PID 1 until the root is there. */
export const init = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for word in $(/bin/busybox cat /proc/cmdline); do
  case $word in root=*) root=\${word#root=} ;; esac
done
for module in ${diskModules.join(" ")}; do [ ! -e /modules/$module.ko ] || /bin/busybox insmod /modules/$module.ko; done
tries=0
until [ -b "$root" ] || [ "$tries" -ge 100 ]; do /bin/busybox sleep 0.1; tries=$((tries + 1)); done
/bin/busybox mount -t ext4 "$root" /root || { echo "the root file system cannot be mounted"; /bin/busybox sleep 5; }
/bin/busybox umount /proc
/bin/busybox mount -o move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
`;

/**
 * The initial RAM file system of hosts: it mounts the virtio disk that `root=` names, and goes. A tenth of what initramfs-tools makes.
 * @param modules content of those of {@link diskModules} that the kernel has not built in.
 */
export async function writeInitrd(
  busybox: string,
  modules: ReadonlyMap<string, Uint8Array>,
): Promise<Buffer> {
  const folder = (path: string): ArchiveEntry => ({ kind: "folder", path, mode: 0o755 });
  const file = (path: string, content: Uint8Array, mode: number): ArchiveEntry => ({
    kind: "file",
    path,
    mode,
    content,
  });
  return writeArchive([
    ...["bin", "dev", "modules", "proc", "root"].map(folder),
    file("init", Buffer.from(init), 0o755),
    file("bin/busybox", await readFile(busybox), 0o755),
    ...[...modules].map(([name, content]) => file(`modules/${name}.ko`, content, 0o644)),
  ]);
}
