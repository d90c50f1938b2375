import type { PoolContent } from "./ceph.ts";
import type { ResourceId } from "./ids.ts";
import type { ComputeHost } from "./ports.ts";

/** Largest size of a volume, GiB (cinder: `db/constants.py` MAX_INT). */
export const maxVolumeGib = 2_147_483_647;

/** Volumes as qcow2 files in a host's folder, seen by that host alone. */
export interface FilePlace {
  readonly backend: "file";
}

/** Volumes as RBD images of a pool, seen by every host that is a client of the cluster. */
export interface RbdPlace {
  readonly backend: "rbd";
  readonly clusterId: ResourceId;
  /** Monitors of the cluster, as guests' disks name them: `ADDRESS` or `ADDRESS:PORT`. */
  readonly monitors: readonly string[];
  readonly pool: string;
  /** What the pool holds: which of the cloud's users works on it follows from that. */
  readonly content: PoolContent;
}

/** Where a volume lies. Another backend is another entry here, a folder beside the others, and its run of the contract suite. */
export type VolumePlace = FilePlace | RbdPlace;

/**
 * Encryption of a volume as LUKS 1, by QEMU itself (cinder: volume type encryption, provider `luks`, control location `front-end`). No key is in it.
 */
export interface VolumeEncryption {
  /** File with the passphrase, an absolute path on the machine that runs the stack. It is sent by standard input. */
  readonly keyFile: string;
}

/** A volume, by its place and id. */
export interface VolumeRef {
  readonly place: VolumePlace;
  readonly id: ResourceId;
  /**
   * Name of the RBD image, such as nova's `SERVER_disk`. Default `volume-ID` (cinder: `volume_name_template`). A file lies under its id whatever its
   * name.
   */
  readonly name?: string | undefined;
  /** Absent: what is written lies there as it is. */
  readonly encryption?: VolumeEncryption | undefined;
}

/** Limits of what a guest does on a disk, each a second (libvirt: `iotune`; cinder: QoS specs of the consumer `front-end`). */
export interface VolumeQos {
  readonly totalBytesSec?: number | undefined;
  readonly readBytesSec?: number | undefined;
  readonly writeBytesSec?: number | undefined;
  readonly totalIopsSec?: number | undefined;
  readonly readIopsSec?: number | undefined;
  readonly writeIopsSec?: number | undefined;
}

/** A volume as a server has it beside its root disk. */
export interface AttachedVolume {
  readonly volume: VolumeRef;
  /** Device name on the virtio bus: `vdb`. A guest finds the disk by its serial, the volume's id. */
  readonly device: string;
  readonly isReadOnly: boolean;
  /** Whether other servers may have it at the same time. */
  readonly isShared: boolean;
  readonly qos: VolumeQos;
}

/** The encrypted volumes among those that a domain has: its host needs their keys. */
export function listEncrypted({
  rootVolume,
  volumes = [],
}: {
  readonly rootVolume?: VolumeRef | undefined;
  readonly volumes?: readonly AttachedVolume[] | undefined;
}): readonly VolumeRef[] {
  const all = [...(rootVolume === undefined ? [] : [rootVolume]), ...volumes.map(({ volume }) => volume)];
  return all.filter(({ encryption }) => encryption !== undefined);
}

/** What a volume holds at first. */
export type VolumeSource =
  | { readonly kind: "blank" }
  /** An image's file on the host: a base to lie on for a file, copied into RBD. */
  | {
      readonly kind: "image";
      readonly path: string;
      readonly format: "qcow2" | "raw";
      readonly virtualSizeBytes: number;
    }
  /**
   * A protected snapshot of the same cluster, such as {@link VolumesPort.importImage} leaves: cloned, or copied into what is encrypted. For volumes in
   * RBD only.
   */
  | { readonly kind: "parent"; readonly parent: RbdParent }
  /** A snapshot in the same place, encrypted with the same key or not at all: cloned in RBD, copied from a file. */
  | {
      readonly kind: "snapshot";
      readonly volume: Omit<VolumeRef, "place">;
      readonly snapshotId: ResourceId;
    }
  /** Another volume in the same place, encrypted with the same key or not at all: copied. */
  | { readonly kind: "volume"; readonly volume: Omit<VolumeRef, "place"> };

/** A snapshot of an RBD image. */
export interface RbdParent {
  readonly pool: string;
  readonly image: string;
  readonly snapshot: string;
}

/** A volume as it must be. */
export interface VolumeSpec extends VolumeRef {
  /** 0: as large as its source. */
  readonly sizeGib: number;
  readonly source: VolumeSource;
}

/** A snapshot as found. */
export interface SnapshotObservation {
  /** `snapshot-ID` for ours (cinder: `snapshot_name_template`); others' as they are named. */
  readonly name: string;
}

/** A volume as found. */
export interface VolumeObservation {
  /** As guests see it: without the header of an encrypted RBD image. */
  readonly sizeBytes: number;
  readonly format: "qcow2" | "raw";
  /** What it lies on: a path, or `POOL/IMAGE@SNAPSHOT`. */
  readonly parent: string | undefined;
  readonly snapshots: readonly SnapshotObservation[];
  /** Who has it open: `qemu-system-x86 (process 412)` on the host; `client.4123 at 10.0.0.1:0/55` for RBD, up to 30 s after that one died. */
  readonly holders: readonly string[];
}

/** A volume that carries the cloud's mark. */
export interface MarkedVolume {
  readonly id: ResourceId;
  /** Name of the RBD image; `undefined` for a file. */
  readonly name: string | undefined;
  /** Whether it is whole. One that is not is left of a making that was broken off, or is being made. */
  readonly isWhole: boolean;
}

/** An image's file on a host, for RBD. */
export interface ImportedImage {
  readonly id: ResourceId;
  /** Name of the RBD image. */
  readonly name: string;
  /** Absolute path on the host. */
  readonly path: string;
  readonly format: "qcow2" | "raw";
  readonly virtualSizeBytes: number;
}

/**
 * Volumes, whatever they lie on. All calls may be repeated, and come from several processes at a time; what is not whole never has a volume's name.
 * RBD images carry the mark in their metadata (`stackyard-owner`, `CLOUD:ID`), files by lying in the host's folder. Where what is done takes the key
 * of an encrypted volume it is read from its file. Raises, beside what work on hosts may: `invalid-input` (encryption.keyFile) for that file, and for
 * a key that does not open the volume; `not-ours` for an RBD image of the name without the mark; `ceph-unreachable` and `ceph-refused` of RBD; `not-found` for a pool that is
 * not there.
 */
export interface VolumesPort {
  /**
   * Makes the volume, or grows one that is there. Raises `invalid-input` (sizeGib) where that would be smaller than it is or than its source,
   * `not-found` for a source that is not there, `wrong-state` while a process holds the source file, or another host makes the same RBD volume,
   * `host-disk-full`.
   */
  ensureVolume(
    host: ComputeHost,
    spec: VolumeSpec,
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** `undefined`: the folder, or the pool, answered that it has none. */
  observeVolume(
    host: ComputeHost,
    volume: VolumeRef,
    signal: AbortSignal,
  ): Promise<VolumeObservation | undefined>;
  /** Also what a broken making has left. Tolerates absence. Raises `in-use` with its snapshots and what lies on them, or who has it open. */
  removeVolume(host: ComputeHost, volume: VolumeRef, signal: AbortSignal): Promise<void>;
  /**
   * What a making that was broken off has left of it, and nothing that is whole. Tolerates absence. Raises `wrong-state` while another host makes it
   * in RBD.
   */
  removeHalfMade(host: ComputeHost, volume: VolumeRef, signal: AbortSignal): Promise<void>;
  /**
   * Of an RBD volume at any time (cinder: `rbd.py create_snapshot`, protected); of a file within it. Raises `not-found` without the volume,
   * `wrong-state` while a process holds the file.
   */
  ensureSnapshot(
    host: ComputeHost,
    volume: VolumeRef,
    snapshotId: ResourceId,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Tolerates absence, of the volume too. Raises `in-use` with the clones that lie on it (cinder flattens them; that takes long and is asked for
   * here), `wrong-state` while a process holds the file.
   */
  removeSnapshot(
    host: ComputeHost,
    volume: VolumeRef,
    snapshotId: ResourceId,
    signal: AbortSignal,
  ): Promise<void>;
  /** What lies on the volume's snapshots, `POOL/IMAGE`. Always empty for files: what comes from a snapshot is a copy. Raises `not-found`. */
  listChildren(host: ComputeHost, volume: VolumeRef, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Gives the volume all data of what it lies on, which it then needs no more. In RBD at any time. Raises `not-found`, `wrong-state` while a process
   * holds the file.
   */
  flattenVolume(
    host: ComputeHost,
    volume: VolumeRef,
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * In RBD at any time; a guest is told by `virsh blockresize`, which also is the way to grow a file that is held: else `wrong-state`. Raises
   * `not-found`, and `invalid-input` (sizeGib) where it would shrink.
   */
  growVolume(host: ComputeHost, volume: VolumeRef, sizeGib: number, signal: AbortSignal): Promise<void>;
  /**
   * Gives the libvirt of `host` the key of an encrypted volume, as a secret of its own, before a domain there opens it (nova: `virt/libvirt/driver.py`
   * `_attach_encryptor`). It outlives the host's reboots, and nobody can read it from libvirt. Repeatable; nothing to do for a volume that is not
   * encrypted.
   */
  attachEncryptor(host: ComputeHost, volume: VolumeRef, signal: AbortSignal): Promise<void>;
  /** Takes the secret back (nova: `_detach_encryptor`). Tolerates absence. */
  detachEncryptor(host: ComputeHost, volumeId: ResourceId, signal: AbortSignal): Promise<void>;
  /** All that carries the mark of the host's cloud, for gc, and nothing without it. */
  listVolumes(host: ComputeHost, place: VolumePlace, signal: AbortSignal): Promise<readonly MarkedVolume[]>;
  /**
   * Brings a file of a host's image cache into a pool, once, as an image with a protected snapshot `snap` (glance_store: `_drivers/rbd.py`) that
   * volumes are cloned from. Only data is sent, not holes; what arrived is compared with the file, byte for byte, before it gets its name. Raises
   * `host-disk-full` when the pool has less space than the image's virtual size, where the cluster tells.
   */
  importImage(
    host: ComputeHost,
    place: RbdPlace,
    image: ImportedImage,
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<RbdParent>;
  /** The snapshot that {@link VolumesPort.importImage} left; `undefined`: the pool answered that the image is not there, or not whole. */
  findImage(
    host: ComputeHost,
    place: RbdPlace,
    image: Pick<ImportedImage, "id" | "name">,
    signal: AbortSignal,
  ): Promise<RbdParent | undefined>;
  /** Removes it, and what a broken import has left. Tolerates absence. Raises `in-use` with the disks and volumes that lie on it. */
  removeImage(
    host: ComputeHost,
    place: RbdPlace,
    image: Pick<ImportedImage, "id" | "name">,
    signal: AbortSignal,
  ): Promise<void>;
}
