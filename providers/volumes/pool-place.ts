import type { PoolContent } from "../core/ceph.ts";
import type { CloudId } from "../core/ids.ts";
import { textOf } from "../core/json.ts";
import { requireEntry, type World, type WorldEntry } from "../core/resource.ts";
import type { RbdPlace } from "../core/volume-backend.ts";
import { listClients, requireCluster, toPool } from "./ceph-cluster.ts";

/** The place for RBD images that a pool is. Raises `unknown-reference`. */
export function placeOfPool(poolId: string, world: World, cloudId: CloudId): RbdPlace {
  return toPlace(requireEntry("storage-pool", poolId, world), world, cloudId);
}

function toPlace(entry: WorldEntry, world: World, cloudId: CloudId): RbdPlace {
  const { pool, content } = toPool(entry);
  const { id: clusterId, monitors } = requireCluster(clusterOf(entry), world, cloudId);
  return { backend: "rbd", clusterId, monitors, pool, content };
}

/** What a pool holds; `undefined` for one that is not there. */
export function findPoolContent(poolId: string, world: World): PoolContent | undefined {
  const entry = world.find("storage-pool", poolId);
  return entry === undefined ? undefined : toPool(entry).content;
}

/** The hosts that reach a pool. */
export function listPoolClients(poolId: string, world: World): readonly WorldEntry[] {
  const entry = world.find("storage-pool", poolId);
  if (entry === undefined) return [];
  return listClients(clusterOf(entry), world).flatMap((id) => world.find("host", id) ?? []);
}

/** The pool that servers of a host have their root disks in, where their flavor names none. */
export function findHostPool(hostId: string, world: World): WorldEntry | undefined {
  return world
    .all("storage-pool")
    .find(({ inputs: { hosts } }) => Array.isArray(hosts) && hosts.includes(hostId));
}

/** Where the images are that disks and volumes of a pool are cloned from. Raises `unknown-reference`. */
export function placeOfImages(poolId: string, world: World, cloudId: CloudId): RbdPlace {
  const imagePool = textOf(world.find("storage-pool", poolId)?.inputs ?? {}, "imagePool");
  return placeOfPool(imagePool ?? poolId, world, cloudId);
}

/** A place that images may have been brought into. */
export interface ImagePlace {
  readonly place: RbdPlace;
  /** Whether the pool is being made or changed: one that is new has no users yet who could look into it. */
  readonly isInWork: boolean;
}

/** All places that images may have been brought into. */
export function listImagePlaces(world: World, cloudId: CloudId): readonly ImagePlace[] {
  return world
    .all("storage-pool")
    .filter(({ inputs: { imagePool } }) => imagePool === undefined)
    .map((entry) => ({
      place: toPlace(entry, world, cloudId),
      isInWork: entry.status === undefined || entry.status === "building",
    }));
}

function clusterOf({ inputs }: WorldEntry): string {
  return textOf(inputs, "cluster") ?? "";
}
