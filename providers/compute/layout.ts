import { posix } from "node:path";

/** Where things lie under a host's folder. All paths are absolute, on the host. */

export { volumeFile, volumeFolder, volumesFolder } from "../core/volume-location.ts";

/** File that says which cloud the host belongs to. */
export function cloudFile(folder: string): string {
  return posix.join(folder, "cloud.json");
}

/** Folder of what brings the host back after a boot. */
export function bootFolder(folder: string): string {
  return posix.join(folder, "boot");
}

/** File that names the Debian packages that were installed on the host for the cloud, a line each. */
export function packagesFile(folder: string): string {
  return posix.join(folder, "packages");
}

/** Folder of a server's disks, config drive and console log. */
export function serverFolder(folder: string, serverId: string): string {
  return posix.join(serversFolder(folder), serverId);
}

/** Root disk of a server. */
export function diskFile(folder: string, serverId: string): string {
  return posix.join(serverFolder(folder, serverId), "disk");
}

/** Folder of all servers on a host. */
export function serversFolder(folder: string): string {
  return posix.join(folder, "servers");
}

/** Folder of an image's files. */
export function imageFolder(folder: string, imageId: string): string {
  return posix.join(imagesFolder(folder), imageId);
}

/** Folder of all images on a host. */
export function imagesFolder(folder: string): string {
  return posix.join(folder, "images");
}

/** Folder of a network's DHCP server: settings, a file a port, leases. */
export function networkFolder(folder: string, networkId: string): string {
  return posix.join(networksFolder(folder), networkId);
}

/** Serial console of a server, since its last start. */
export function consoleFile(folder: string, serverId: string): string {
  return posix.join(serverFolder(folder, serverId), "console.log");
}

/** Config drive of a server, of the last apply. What a guest has in its drive may be an older one, whose name this file took. */
export function configDriveFile(folder: string, serverId: string): string {
  return posix.join(serverFolder(folder, serverId), "config-drive.iso");
}

/** `PID BYTES`: how long the console of this process was when its guest rebooted last. */
export function lastRebootFile(folder: string, serverId: string): string {
  return posix.join(serverFolder(folder, serverId), "last-reboot");
}

/** Folder of all networks on a host; their changes are made one at a time, under its lock. */
export function networksFolder(folder: string): string {
  return posix.join(folder, "networks");
}

/** Folder of what a client of Ceph clusters needs; beside the host's own folder, since tools of the host read it. */
export const cephFolder = "/etc/stackyard/ceph";

/** Folder of one cluster's `ceph.conf`, keyrings and mark. */
export function cephClientFolder(clusterId: string): string {
  return posix.join(cephFolder, clusterId);
}

/** What `rbd --conf` and QEMU's `conf=` are given. */
export function cephConfFile(clusterId: string): string {
  return posix.join(cephClientFolder(clusterId), "ceph.conf");
}
