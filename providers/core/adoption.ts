import type { Preview } from "./cloud.ts";
import type { ResourceId } from "./ids.ts";
import type { JsonObject } from "./json.ts";
import type { ComputeHost, DomainObservation } from "./ports.ts";

/** A domain on a host, as its adoption looks at it. Everything is as the host says. */
export interface ForeignDomain {
  readonly id: ResourceId;
  readonly name: string;
  readonly state: DomainObservation["state"];
  readonly vcpus: number;
  readonly ramMib: number;
  /** As libvirt writes it: `pc-i440fx-7.2`. */
  readonly machine: string;
  /** Kernel that the host boots it with; absent for one that boots from its disk. */
  readonly kernelPath?: string;
  /** Disks proper, in order: neither CD-ROM nor floppy. */
  readonly disks: readonly ForeignDisk[];
  readonly interfaces: readonly ForeignInterface[];
  /** Other devices that a server of ours does not have: `graphics vnc`, `cdrom sda`. */
  readonly devices: readonly string[];
  /** Whether libvirt starts it with the host. */
  readonly isAutostarted: boolean;
  /** Whether libvirt keeps it when it stops. */
  readonly isPersistent: boolean;
  /** Whether its memory was saved, and its next start goes on from there (libvirt: `virsh managedsave`). */
  readonly hasSavedMemory: boolean;
  /** What it has beside disk and definition, so that it cannot be taken over: `2 snapshots`, `TPM`. */
  readonly ties: readonly string[];
  /** Whose it is by its mark: a cloud of ours, or another manager by name. Absent without a mark that we know. */
  readonly owner?: { readonly cloudId: string } | { readonly manager: string };
  /** Digest of its definition: it tells whether it is still what was looked at. */
  readonly fingerprint: string;
  /** Free where servers' disks lie on the host, bytes. */
  readonly freeBytes: number;
  /** Where the disk of a server of its uuid lies on the host. */
  readonly serverDiskPath: string;
}

/** A disk of a {@link ForeignDomain}. */
export interface ForeignDisk {
  /** Name in the guest's order: `vda`. */
  readonly target: string;
  /** `virtio`, `sata`, …; absent where the definition does not say. */
  readonly bus?: string;
  /** Where it is: a path, or what else it is, in words. */
  readonly source: string;
  /** Whether {@link ForeignDisk.source} is the path of a file on the host. */
  readonly isFile: boolean;
  /** As the definition says that QEMU is to read it: `qcow2`, `raw`, … */
  readonly format: string;
  /** What the file itself tells; absent where it is not there or cannot be read. */
  readonly file?: ForeignFile;
  /** Other domains that have the same file, or lie on it, by name. */
  readonly usedBy: readonly string[];
}

/** The file of a {@link ForeignDisk}. */
export interface ForeignFile {
  /** As the guest sees it. */
  readonly sizeBytes: number;
  /** What it takes of the host's disk. */
  readonly fileBytes: number;
  /** Files that it lies on, each on the next. */
  readonly basePaths: readonly string[];
  readonly isEncrypted: boolean;
  /** Why it cannot be taken, in words that go on after its path; absent where it can. */
  readonly obstacle?: string;
  /** How it comes to a server's folder: renamed, or copied into a qcow2 without a base, the original left where it is. */
  readonly transfer: "move" | "copy";
  /** What a copy takes of the host's disk at most, bytes; 0 for a move. */
  readonly copyBytes: number;
}

/** An interface of a {@link ForeignDomain}. */
export interface ForeignInterface {
  /** In lower case. */
  readonly mac: string;
  /** `bridge br0`, `network default`, … */
  readonly source: string;
  /** `virtio`, `e1000`, …; absent where the definition does not say. */
  readonly model?: string;
}

/** What is kept of a domain to take it over, to go on with that, and to give it back. */
export interface Adoption {
  readonly hostId: string;
  /** Name of the domain. Its uuid is the server's id. */
  readonly domain: string;
  readonly fingerprint: string;
  /** Where its disk was. */
  readonly diskPath: string;
  readonly diskFormat: string;
  readonly transfer: "move" | "copy";
  /** Size of the disk as it was, bytes. */
  readonly diskBytes: number;
}

/** Takes domains over that others made, and gives them back. */
export interface AdoptionPort {
  /** A domain by uuid or name. `undefined`: libvirt answered that there is no such domain. */
  lookAtForeign(host: ComputeHost, nameOrId: string, signal: AbortSignal): Promise<ForeignDomain | undefined>;
  /**
   * Keeps the domain's definition, undefines it, and brings its disk to where that of the server `id` is, so that `spawn` finds it there. Repeatable,
   * also once our own domain is built. Raises `wrong-state` when it runs or is not what was looked at, `not-found` when there is neither the domain
   * nor what was kept of it, `not-ours` for a disk or a domain in the server's place, all of them before anything is changed; `host-disk-full`.
   */
  takeOver(
    host: ComputeHost,
    id: ResourceId,
    adoption: Adoption,
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Takes the server's own domain away, shut down within `graceMs`, and puts the domain that was taken over back, with its disk where it was.
   * Repeatable; a domain that was not taken stays as it is. A disk that has grown and was booted since stays grown. Raises `conflict` when there is
   * something in the disk's old place.
   */
  giveBack(
    host: ComputeHost,
    id: ResourceId,
    adoption: Adoption,
    graceMs: number,
    signal: AbortSignal,
  ): Promise<void>;
}

/** What is to be adopted, and as what. */
export interface AdoptionRequest {
  /** Host by id or name. */
  readonly host: string;
  /** Domain on it by uuid or name. */
  readonly domain: string;
  /** Inputs of the server that it becomes, without an id: that is the domain's. */
  readonly inputs: JsonObject;
}

/** Something about a domain that its adoption changes. */
export interface AdoptionChange {
  readonly field: string;
  readonly found: string;
  readonly declared: string;
}

/** What adopting a domain would do. */
export interface AdoptionPreview extends Preview {
  /** Name of the host. */
  readonly host: string;
  /** Absent where an adoption that was broken off is taken up: the domain may be gone already. */
  readonly found?: ForeignDomain;
  readonly adoption: Adoption;
  readonly changes: readonly AdoptionChange[];
}
