import { digest } from "../../providers/compute/ceph-client.ts";
import { readVolumeKey } from "../../providers/compute/volumes/volume-key.ts";
import {
  hasSnapshots,
  heldOpen,
  nameSnapshot,
  notFound,
  readSize,
  tooSmall,
} from "../../providers/compute/volumes/volume-backend.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import { brandId, isUuid } from "../../providers/core/ids.ts";
import type { ComputeHost, MarkedThing } from "../../providers/core/ports.ts";
import type {
  MarkedVolume,
  VolumeObservation,
  VolumePlace,
  VolumeRef,
  VolumeSource,
  VolumeSpec,
  VolumesPort,
} from "../../providers/core/volume-backend.ts";
import type { FakeCeph } from "./ceph.ts";
import { listServersWith } from "./domain.ts";
import type { ComputeMethod } from "./fault.ts";
import type { FakeHost } from "./host.ts";
import { requireEnrolled } from "./mark.ts";
import { findImported, importInto, openRbdShelf, removeImported, type PoolReach } from "./rbd.ts";

/** A volume of the fake, a file or an RBD image, as plain data. */
export interface FakeVolume {
  sizeBytes: number;
  /** What it lies on: a path, or `POOL/IMAGE@SNAPSHOT`. */
  parent?: string | undefined;
  /** The byte that fills each MiB, by its number, with what it has of its parent; the rest is blank. */
  bytes: Record<string, number>;
  /** By name. */
  readonly snapshots: Record<string, FakeSnapshot>;
  /** Who has it open. */
  holders: readonly string[];
  /** Digest of the key that opens it; absent for one that is not encrypted. */
  readonly key?: string | undefined;
}

export type FakeSnapshot = Pick<FakeVolume, "sizeBytes" | "bytes" | "key">;

/** Folder of a volume that is a file; without `disk` it is half-made. */
export interface FakeVolumeFolder {
  disk?: FakeVolume | undefined;
}

/** What a new volume has of its source. */
export interface Filling extends FakeSnapshot {
  readonly parent?: string | undefined;
}

/** A place for volumes, as one host reaches it. */
export interface Shelf {
  readonly format: VolumeObservation["format"];
  /** Whether snapshots and sizes change while somebody has a volume open. */
  readonly isLive: boolean;
  /** `on host h1` */
  readonly where: string;
  find(volume: VolumeRef): FakeVolume | undefined;
  /** Puts it there whole, over what is half-made. */
  put(volume: VolumeRef, made: FakeVolume): void;
  drop(volume: VolumeRef): void;
  /** What is half-made of it. */
  dropHalf(volume: VolumeRef): void;
  /** Servers whose process has it open. */
  listServers(volume: VolumeRef): readonly string[];
  /** `POOL/IMAGE` of all that lie on it, or on one snapshot of it. */
  listChildren(volume: VolumeRef, snapshot?: string): readonly string[];
  list(): readonly MarkedVolume[];
  /** Raises `not-found`. */
  fill(source: Exclude<VolumeSource, { kind: "blank" }>, spec: VolumeSpec): Filling;
}

/** How the port reaches what the fake holds. */
interface Reach {
  readonly onHost: <T>(
    method: ComputeMethod,
    host: ComputeHost,
    signal: AbortSignal,
    work: (machine: FakeHost) => T,
  ) => Promise<T>;
  readonly listCephs: () => readonly FakeCeph[];
  readonly listHosts: () => readonly FakeHost[];
}

export function openFakeVolumes({ onHost, listCephs, listHosts }: Reach): VolumesPort {
  const open = (machine: FakeHost, host: ComputeHost, place: VolumePlace): Shelf =>
    openShelf({ machine, host, cephs: listCephs(), hosts: listHosts() }, place);
  const at = <T>(
    method: ComputeMethod,
    host: ComputeHost,
    place: VolumePlace,
    signal: AbortSignal,
    work: (shelf: Shelf) => T,
  ): Promise<T> => onHost(method, host, signal, (machine) => work(open(machine, host, place)));
  /** What opens the volume: a file takes its key. */
  const opened = async (
    method: ComputeMethod,
    host: ComputeHost,
    volume: VolumeRef,
    signal: AbortSignal,
    work: (shelf: Shelf, found: FakeVolume) => void,
  ): Promise<void> => {
    const key = volume.place.backend === "file" ? await readKey(volume) : undefined;
    await at(method, host, volume.place, signal, (shelf) => {
      const found = requireVolume(shelf, volume);
      if (volume.place.backend === "file" && found.key !== key) throw wrongKey(`open volume ${volume.id}`);
      work(shelf, found);
    });
  };
  return {
    ensureVolume: async (host, spec, _progress, signal) => {
      const key = await readKey(spec);
      return onHost("volumes.ensureVolume", host, signal, (machine) => {
        requireEnrolled(host, machine);
        makeVolume(open(machine, host, spec.place), spec, key);
      });
    },
    observeVolume: (host, volume, signal) =>
      at("volumes.observeVolume", host, volume.place, signal, (shelf) => observeOn(shelf, volume)),
    removeVolume: (host, volume, signal) =>
      at("volumes.removeVolume", host, volume.place, signal, (shelf) => dropVolume(shelf, volume)),
    removeHalfMade: (host, volume, signal) =>
      at("volumes.removeHalfMade", host, volume.place, signal, (shelf) => shelf.dropHalf(volume)),
    ensureSnapshot: (host, volume, snapshotId, signal) =>
      opened("volumes.ensureSnapshot", host, volume, signal, (shelf, found) => {
        const name = nameSnapshot(snapshotId);
        if (found.snapshots[name] !== undefined) return;
        requireFree(shelf, volume, found, "make a snapshot of volume");
        const { sizeBytes, bytes, key } = found;
        found.snapshots[name] = { sizeBytes, bytes: { ...bytes }, key };
      }),
    removeSnapshot: (host, volume, snapshotId, signal) =>
      at("volumes.removeSnapshot", host, volume.place, signal, (shelf) => {
        const found = shelf.find(volume);
        if (found !== undefined) dropSnapshot(shelf, volume, found, nameSnapshot(snapshotId));
      }),
    listChildren: (host, volume, signal) =>
      at("volumes.listChildren", host, volume.place, signal, (shelf) => {
        requireVolume(shelf, volume);
        return shelf.listChildren(volume);
      }),
    flattenVolume: (host, volume, _progress, signal) =>
      opened("volumes.flattenVolume", host, volume, signal, (shelf, found) => {
        if (found.parent === undefined) return;
        requireFree(shelf, volume, found, "flatten volume");
        found.parent = undefined;
      }),
    growVolume: (host, volume, sizeGib, signal) =>
      opened("volumes.growVolume", host, volume, signal, (shelf, found) =>
        growVolume(shelf, { ...volume, sizeGib }, found),
      ),
    attachEncryptor: async (host, volume, signal) => {
      const key = await readKey(volume);
      if (key === undefined) return;
      await onHost("volumes.attachEncryptor", host, signal, (machine) => {
        machine.volumeSecrets[volume.id] = { cloudId: host.cloudId, key };
      });
    },
    detachEncryptor: (host, volumeId, signal) =>
      onHost("volumes.detachEncryptor", host, signal, (machine) => {
        Reflect.deleteProperty(machine.volumeSecrets, volumeId);
      }),
    listVolumes: (host, place, signal) =>
      at("volumes.listVolumes", host, place, signal, (shelf) => shelf.list()),
    importImage: (host, place, image, _progress, signal) =>
      onHost("volumes.importImage", host, signal, (machine) => {
        requireEnrolled(host, machine);
        return importInto({ machine, host, place, cephs: listCephs(), hosts: listHosts() }, image);
      }),
    findImage: (host, place, image, signal) =>
      onHost("volumes.findImage", host, signal, (machine) =>
        findImported({ machine, host, place, cephs: listCephs(), hosts: listHosts() }, image),
      ),
    removeImage: (host, place, image, signal) =>
      onHost("volumes.removeImage", host, signal, (machine) =>
        removeImported({ machine, host, place, cephs: listCephs(), hosts: listHosts() }, image),
      ),
  };
}

/** As the real port does, by kind and wholeness. */
export function removeMarkedVolume(
  machine: FakeHost,
  host: ComputeHost,
  { id, image, isHalfMade = false }: MarkedThing,
  reach: Pick<PoolReach, "cephs" | "hosts">,
): void {
  const volume: VolumeRef = image ?? { place: { backend: "file" }, id: brandId(id) };
  const { place, name } = volume;
  if (place.backend === "rbd" && name === volume.id && !isHalfMade)
    removeImported({ machine, host, place, ...reach }, { id: volume.id, name });
  else {
    const shelf = openShelf({ machine, host, ...reach }, place);
    if (isHalfMade) shelf.dropHalf(volume);
    else dropVolume(shelf, volume);
  }
}

function openShelf(reach: Omit<PoolReach, "place">, place: VolumePlace): Shelf {
  return place.backend === "file"
    ? openFileShelf(reach.machine, reach.host)
    : openRbdShelf({ ...reach, place });
}

/** Digest of the key of an encrypted volume, from the file on the machine of the tests. */
async function readKey({ encryption }: Pick<VolumeRef, "encryption">): Promise<string | undefined> {
  return encryption === undefined ? undefined : digest(await readVolumeKey(encryption));
}

export function wrongKey(attempting: string): StackyardError {
  return new StackyardError("invalid-input", {
    message: `Could not ${attempting}: the key of the volume's type is not the one that the volume was made with`,
    field: "encryption.keyFile",
  });
}

function makeVolume(shelf: Shelf, spec: VolumeSpec, key: string | undefined): void {
  const known = shelf.find(spec);
  if (known !== undefined) {
    if (spec.sizeGib !== 0) growVolume(shelf, spec, known);
    return;
  }
  const { source } = spec;
  const filling = source.kind === "blank" ? { sizeBytes: 0, bytes: {} } : shelf.fill(source, spec);
  const sizeBytes = spec.sizeGib === 0 ? filling.sizeBytes : readSize(spec);
  if (filling.sizeBytes > sizeBytes) throw tooSmall(spec, "source", filling.sizeBytes);
  const { parent, bytes } = filling;
  const isOfVolume = source.kind === "volume" || source.kind === "snapshot";
  if (isOfVolume && filling.key !== key) throw wrongKey(`make volume ${spec.id}`);
  // What is copied into ciphertext lies on nothing.
  const isCopied = source.kind === "parent" && key !== undefined;
  shelf.put(spec, {
    sizeBytes,
    parent: isCopied ? undefined : parent,
    bytes: { ...bytes },
    snapshots: {},
    holders: [],
    key,
  });
}

function growVolume(shelf: Shelf, spec: VolumeRef & { readonly sizeGib: number }, found: FakeVolume): void {
  if (found.sizeBytes > readSize(spec)) throw tooSmall(spec, "shrinks", found.sizeBytes);
  if (found.sizeBytes === readSize(spec)) return;
  requireFree(shelf, spec, found, "grow volume");
  found.sizeBytes = readSize(spec);
}

export function dropVolume(shelf: Shelf, volume: VolumeRef): void {
  shelf.dropHalf(volume);
  const found = shelf.find(volume);
  const snapshots = Object.keys(found?.snapshots ?? {});
  if (snapshots.length > 0) throw hasSnapshots(volume, snapshots, shelf.listChildren(volume));
  const holders = found === undefined ? [] : listHolders(shelf, volume, found);
  if (holders.length > 0) throw heldOpen("in-use", volume, `remove volume ${volume.id}`, holders);
  shelf.drop(volume);
}

export function dropSnapshot(shelf: Shelf, volume: VolumeRef, found: FakeVolume, name: string): void {
  if (found.snapshots[name] === undefined) return;
  const attempting = "remove a snapshot of volume";
  const children = shelf.listChildren(volume, name);
  if (children.length > 0)
    throw new StackyardError("in-use", {
      message: `Could not ${attempting} ${volume.id}: on it lie ${children.join(", ")}`,
    });
  requireFree(shelf, volume, found, attempting);
  Reflect.deleteProperty(found.snapshots, name);
}

function observeOn(shelf: Shelf, volume: VolumeRef): VolumeObservation | undefined {
  const found = shelf.find(volume);
  return found === undefined ? undefined : describeVolume(shelf, volume, found);
}

/** {@link VolumesPort.observeVolume} of a volume, wherever it lies. */
export function observeFakeVolume(
  reach: Omit<PoolReach, "place">,
  volume: VolumeRef,
): VolumeObservation | undefined {
  return observeOn(openShelf(reach, volume.place), volume);
}

function describeVolume(shelf: Shelf, volume: VolumeRef, found: FakeVolume): VolumeObservation {
  const { sizeBytes, parent, snapshots } = found;
  return {
    sizeBytes,
    format: shelf.format,
    parent,
    snapshots: Object.keys(snapshots).map((name) => ({ name })),
    holders: listHolders(shelf, volume, found),
  };
}

function listHolders(shelf: Shelf, volume: VolumeRef, { holders }: FakeVolume): readonly string[] {
  return [...holders, ...shelf.listServers(volume).map((id) => `server ${id}`)];
}

function requireVolume(shelf: Shelf, volume: VolumeRef): FakeVolume {
  const found = shelf.find(volume);
  if (found === undefined) throw notFound(`volume ${volume.id}`, shelf.where);
  return found;
}

function requireFree(shelf: Shelf, volume: VolumeRef, found: FakeVolume, attempting: string): void {
  const holders = listHolders(shelf, volume, found);
  if (!shelf.isLive && holders.length > 0)
    throw heldOpen("wrong-state", volume, `${attempting} ${volume.id}`, holders);
}

function openFileShelf(machine: FakeHost, host: ComputeHost): Shelf {
  const where = `on host ${host.name}`;
  const shelf: Shelf = {
    format: "qcow2",
    isLive: false,
    where,
    find: ({ id }) => machine.volumes[id]?.disk,
    put: ({ id }, disk) => {
      machine.volumes[id] = { disk };
    },
    drop: ({ id }) => {
      Reflect.deleteProperty(machine.volumes, id);
    },
    dropHalf: ({ id }) => {
      if (machine.volumes[id]?.disk === undefined) Reflect.deleteProperty(machine.volumes, id);
    },
    listServers: (volume) => listServersWith([machine], volume),
    // What comes from a snapshot is a copy.
    listChildren: () => [],
    list: () =>
      Object.entries(machine.volumes).flatMap(([id, { disk }]) =>
        isUuid(id) ? [{ id: brandId<"resource">(id), name: undefined, isWhole: disk !== undefined }] : [],
      ),
    fill: (source, spec) => {
      switch (source.kind) {
        case "image":
          return { ...readImage(machine, source, where), parent: source.path };
        case "parent":
          throw new StackyardError("invalid-input", {
            message: `Volume ${spec.id} is a file, and cannot be cloned from a snapshot in RBD`,
            field: "source",
          });
        case "volume":
        case "snapshot": {
          const volume = { ...source.volume, place: spec.place };
          const from = requireVolume(shelf, volume);
          requireFree(shelf, volume, from, "copy volume");
          const { sizeBytes, bytes, key } = from;
          if (source.kind === "volume") return { sizeBytes, bytes, key };
          const name = nameSnapshot(source.snapshotId);
          const snapshot = from.snapshots[name];
          if (snapshot === undefined) throw notFound(`snapshot ${name}`, where);
          // A qcow2 file has one size for all of its snapshots.
          return { sizeBytes, bytes: snapshot.bytes, key };
        }
      }
    },
  };
  return shelf;
}

/** What a file of the host's image cache holds: its first MiB is filled with the first byte of its checksum. */
export function readImage(
  machine: FakeHost,
  { path, virtualSizeBytes }: { readonly path: string; readonly virtualSizeBytes: number },
  where: string,
): Filling {
  const file = Object.values(machine.images)
    .flatMap(({ files }) => files)
    .find((candidate) => candidate.path === path);
  if (file === undefined) throw notFound(`file ${path}`, where);
  const [, digest = ""] = file.checksum.split(":");
  return { sizeBytes: virtualSizeBytes, bytes: { "0": Number.parseInt(digest.slice(0, 2), 16) } };
}
