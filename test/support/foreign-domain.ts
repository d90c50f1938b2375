import type { ForeignDomain } from "../../providers/core/adoption.ts";
import { deriveId } from "../../providers/core/ids.ts";

/** A domain that somebody else defined: one qcow2 disk of one GiB, one interface, shut off. It can be adopted. */
export const foreignDomain: Omit<ForeignDomain, "serverDiskPath"> = {
  id: deriveId<"resource">("somebody's domain"),
  name: "legacy",
  state: "shut-off",
  vcpus: 2,
  ramMib: 512,
  machine: "pc-i440fx-7.2",
  disks: [
    {
      target: "vda",
      bus: "virtio",
      source: "/srv/legacy.qcow2",
      isFile: true,
      format: "qcow2",
      file: {
        sizeBytes: 1024 ** 3,
        fileBytes: 1024 ** 2,
        basePaths: [],
        isEncrypted: false,
        transfer: "move",
        copyBytes: 0,
      },
      usedBy: [],
    },
  ],
  interfaces: [{ mac: "52:54:00:aa:bb:cc", source: "bridge br0", model: "virtio" }],
  devices: ["graphics vnc"],
  isAutostarted: true,
  isPersistent: true,
  hasSavedMemory: false,
  ties: [],
  fingerprint: "0123456789abcdef".repeat(4),
  freeBytes: 100 * 1024 ** 3,
};

/** The same with a disk of another size. */
export function foreignOfSize(sizeBytes: number): typeof foreignDomain {
  return {
    ...foreignDomain,
    disks: foreignDomain.disks.map((disk) => ({
      ...disk,
      ...(disk.file === undefined ? {} : { file: { ...disk.file, sizeBytes } }),
    })),
  };
}

/** The same with a raw disk, which is copied. */
export const foreignRaw: typeof foreignDomain = {
  ...foreignDomain,
  disks: foreignDomain.disks.map((disk) => ({
    ...disk,
    source: "/srv/legacy.img",
    format: "raw",
    ...(disk.file === undefined ? {} : { file: { ...disk.file, transfer: "copy", copyBytes: 1024 ** 2 } }),
  })),
};
