import { nameCephUser, type CephRole } from "../../providers/compute/marks.ts";
import { nameImage, partSuffix } from "../../providers/compute/volumes/rbd/rbd-client.ts";
import { nameSnapshot, notFound } from "../../providers/compute/volumes/volume-backend.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import { brandId, isUuid } from "../../providers/core/ids.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import type {
  ImportedImage,
  MarkedVolume,
  RbdParent,
  RbdPlace,
  VolumeRef,
} from "../../providers/core/volume-backend.ts";
import { readConf } from "./ceph-client.ts";
import { mayUse, type FakeCeph, type FakePool } from "./ceph.ts";
import { listServersWith } from "./domain.ts";
import type { FakeHost } from "./host.ts";
import { dropSnapshot, dropVolume, readImage, type FakeVolume, type Filling, type Shelf } from "./volume.ts";

/** An RBD image of the fake. Its name ends as that of a half-made one of ours while it is one. */
export interface FakeRbdImage extends FakeVolume {
  /** Absent for one of somebody else, and for a half-made one. */
  readonly mark?: { readonly cloudId: string; readonly id: string } | undefined;
}

/** Snapshot that volumes are cloned from. */
const importedSnapshot = "snap";

/** A pool as a host names it, and the clusters that there are. */
export interface PoolReach {
  readonly machine: FakeHost;
  readonly host: ComputeHost;
  readonly place: RbdPlace;
  readonly cephs: readonly FakeCeph[];
  /** All hosts: each could have a volume open. */
  readonly hosts: readonly FakeHost[];
}

/** The cluster that the host's client finds, and the pool, as the cloud's user of this role. */
function openPool(
  { machine, host, place, cephs }: PoolReach,
  role: CephRole,
): { readonly ceph: FakeCeph; readonly pool: FakePool } {
  const conf = machine.cephClients[place.clusterId]?.files["ceph.conf"];
  if (conf === undefined) throw refused(host, place, role);
  const { fsid, monitors } = readConf(conf.content);
  const ceph = cephs.find(
    (candidate) =>
      candidate.fsid === fsid &&
      !candidate.isDown &&
      candidate.monitors.some((monitor) => monitors.includes(monitor)),
  );
  if (ceph === undefined)
    throw new StackyardError("ceph-unreachable", {
      message: `no monitor of the Ceph cluster ${place.clusterId} answers`,
    });
  const cluster = { id: place.clusterId, cloudId: host.cloudId };
  const key = machine.cephClients[place.clusterId]?.files[`ceph.client.${nameUser(host, role)}.keyring`];
  if (key === undefined || key.content !== ceph.users[nameUser(host, role)]?.key)
    throw refused(host, place, role);
  const pool = ceph.pools[place.pool];
  if (pool === undefined) throw notFound(`pool ${place.pool}`, `in the Ceph cluster ${place.clusterId}`);
  if (!mayUse(ceph, machine, cluster, { role, pool: place.pool, action: "list" }))
    throw refused(host, place, role);
  return { ceph, pool };
}

function nameUser({ cloudId }: ComputeHost, role: CephRole): string {
  return nameCephUser(cloudId, role);
}

function refused(host: ComputeHost, { clusterId, pool }: RbdPlace, role: CephRole): StackyardError {
  return new StackyardError("ceph-refused", {
    message: `the Ceph cluster ${clusterId} refuses user ${nameUser(host, role)} of host ${host.name} in pool ${pool}`,
  });
}

export function openRbdShelf(reach: PoolReach): Shelf {
  const { host, place } = reach;
  const { ceph, pool } = openPool(reach, place.content === "images" ? "glance" : "cinder");
  const where = `in pool ${place.pool}`;
  const find = (volume: VolumeRef): FakeRbdImage | undefined => {
    const found = pool.images[nameImage(volume)];
    if (found === undefined) return undefined;
    if (found.mark?.cloudId !== host.cloudId || found.mark.id !== volume.id)
      throw new StackyardError("not-ours", {
        message: `Pool ${place.pool} has an image ${nameImage(volume)} without the mark of this volume`,
      });
    return found;
  };
  const dropHalf = (volume: VolumeRef): void => {
    const name = nameImage(volume) + partSuffix(host);
    if ((pool.images[name]?.holders ?? []).length > 0)
      throw new StackyardError("wrong-state", {
        message: `Another host is making volume ${volume.id}, or a process that did has died less than 30 s ago`,
      });
    Reflect.deleteProperty(pool.images, name);
  };
  const shelf: Shelf = {
    format: "raw",
    isLive: true,
    where,
    find,
    put: (volume, made) => {
      dropHalf(volume);
      const image: FakeRbdImage = { ...made, mark: { cloudId: host.cloudId, id: volume.id } };
      pool.images[nameImage(volume)] = image;
    },
    drop: (volume) => {
      Reflect.deleteProperty(pool.images, nameImage(volume));
    },
    dropHalf,
    listServers: (volume) => listServersWith(reach.hosts, volume),
    listChildren: (volume, snapshot) =>
      listImages(ceph).flatMap(({ path, image }) =>
        liesOn(image, `${place.pool}/${nameImage(volume)}`, snapshot) ? [path] : [],
      ),
    list: () => Object.entries(pool.images).flatMap(([name, image]) => describeMarked(host, name, image)),
    fill: (source, spec) => {
      switch (source.kind) {
        case "image":
          return readImage(reach.machine, source, where);
        case "parent": {
          const { pool: parentPool, image, snapshot } = source.parent;
          return cloneOf({ ...reach, place: { ...place, pool: parentPool } }, image, snapshot);
        }
        case "snapshot": {
          const volume = { ...source.volume, place: spec.place };
          if (find(volume) === undefined) throw notFound(`volume ${volume.id}`, where);
          return cloneOf(reach, nameImage(volume), nameSnapshot(source.snapshotId));
        }
        case "volume": {
          const from = find({ ...source.volume, place: spec.place });
          if (from === undefined) throw notFound(`volume ${source.volume.id}`, where);
          return { sizeBytes: from.sizeBytes, bytes: from.bytes, key: from.key };
        }
      }
    },
  };
  return shelf;
}

/** What Cinder's user clones. */
function cloneOf(reach: PoolReach, image: string, snapshot: string): Filling {
  const { pool } = openPool(reach, "cinder");
  const found = pool.images[image]?.snapshots[snapshot];
  const path = `${reach.place.pool}/${image}@${snapshot}`;
  if (found === undefined) throw notFound(`snapshot ${path}`, `in pool ${reach.place.pool}`);
  return { ...found, parent: path };
}

/** All images of a cluster, with `POOL/IMAGE`. */
export function listImages({
  pools,
}: FakeCeph): readonly { readonly path: string; readonly name: string; readonly image: FakeRbdImage }[] {
  return Object.entries(pools).flatMap(([pool, { images }]) =>
    Object.entries(images).map(([name, image]) => ({ path: `${pool}/${name}`, name, image })),
  );
}

function liesOn({ parent }: FakeRbdImage, path: string, snapshot: string | undefined): boolean {
  if (snapshot !== undefined) return parent === `${path}@${snapshot}`;
  return parent?.startsWith(`${path}@`) === true;
}

function describeMarked(host: ComputeHost, name: string, { mark }: FakeRbdImage): readonly MarkedVolume[] {
  const suffix = partSuffix(host);
  if (!name.endsWith(suffix)) {
    if (mark?.cloudId !== host.cloudId || !isUuid(mark.id)) return [];
    return [{ id: brandId<"resource">(mark.id), name, isWhole: true }];
  }
  const whole = name.slice(0, -suffix.length);
  const id = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(whole)?.[0];
  return id === undefined ? [] : [{ id: brandId<"resource">(id), name: whole, isWhole: false }];
}

/** An image that volumes are cloned from, and no volume itself: a cache, as the files on hosts are. */
export function isImported({ mark }: FakeRbdImage, name: string): boolean {
  return mark?.id === name;
}

export function importInto(reach: PoolReach, image: ImportedImage): RbdParent {
  const { place, machine } = reach;
  const shelf = openRbdShelf(reach);
  const volume = { place, id: image.id, name: image.name };
  const { sizeBytes, bytes } = readImage(machine, image, `on host ${reach.host.name}`);
  const found = shelf.find(volume) ?? { sizeBytes, bytes, snapshots: {}, holders: [] };
  found.snapshots[importedSnapshot] ??= { sizeBytes: found.sizeBytes, bytes: { ...found.bytes } };
  shelf.put(volume, found);
  return { pool: place.pool, image: image.name, snapshot: importedSnapshot };
}

export function findImported(
  reach: PoolReach,
  { id, name }: Pick<ImportedImage, "id" | "name">,
): RbdParent | undefined {
  const { place } = reach;
  const found = openRbdShelf(reach).find({ place, id, name });
  return found?.snapshots[importedSnapshot] === undefined
    ? undefined
    : { pool: place.pool, image: name, snapshot: importedSnapshot };
}

/** Who lies on it is asked as Cinder's user. */
export function removeImported(reach: PoolReach, { id, name }: Pick<ImportedImage, "id" | "name">): void {
  const shelf = openRbdShelf(reach);
  const volume = { place: reach.place, id, name };
  const found = shelf.find(volume);
  if (found !== undefined) {
    openPool(reach, "cinder");
    dropSnapshot(shelf, volume, found, importedSnapshot);
  }
  dropVolume(shelf, volume);
}
