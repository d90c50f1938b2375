import { arch } from "node:os";
import { StackyardError } from "../../providers/core/errors.ts";
import { requireInstalled } from "../installed-programs.ts";
import { systemPath } from "../process.ts";

/** Every program that a lab host or the making of one starts. */
const programs = [
  "bash",
  "dumb-init",
  "ip",
  "libvirtd",
  "mount",
  "ovs-vsctl",
  "ovs-vswitchd",
  "ovsdb-server",
  "ovsdb-tool",
  arch() === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64",
  "ssh",
  "ssh-keygen",
  "sshd",
  "unshare",
  "virsh",
  "virtlogd",
];

/** What the host of a Ceph starts beside. */
const cephPrograms = ["ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool"];

/** The programs that a lab of namespaces needs. */
export function namespacePrograms(withCeph: boolean): readonly string[] {
  return [...programs, ...(withCeph ? cephPrograms : [])];
}

/** @throws StackyardError `host-unsuitable` with the programs that are missing in the folders of `path`. */
export function requirePrograms(path = systemPath, withCeph = false): void {
  requireInstalled(namespacePrograms(withCeph), path);
}

/**
 * @param lab whether it is still to be made, and may be of another driver.
 * @throws StackyardError `forbidden`: namespaces, bridges and mounts are root's on Linux.
 */
export function requireRoot(lab: "new" | "known"): void {
  if (process.platform === "linux" && process.getuid?.() === 0) return;
  throw new StackyardError("forbidden", {
    message:
      "a lab of driver `namespace` needs root on Linux: it makes network namespaces, bridges and mounts",
    remedy:
      lab === "known"
        ? "Run the command as root, for example with sudo -E."
        : "Run the command as root, for example with sudo -E, or make hosts as virtual machines, which needs no root: --driver nested.",
  });
}
