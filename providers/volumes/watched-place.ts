import { z } from "zod";
import type { CloudId, HostId } from "../core/ids.ts";
import type { World, WorldEntry } from "../core/resource.ts";
import type { RbdPlace } from "../core/volume-backend.ts";
import { toComputeHost } from "../servers/host.ts";
import { requireCluster, toPool } from "./ceph-cluster.ts";

/** Pools that a host looks into for all: those of clusters of which it is the first client that is enrolled, in the order in which they name them. */
export function listWatchedPlaces(hostId: HostId, world: World, cloudId: CloudId): readonly RbdPlace[] {
  const isWatched = (cluster: WorldEntry): boolean =>
    listReady(cluster).find((id) => isEnrolled(id, world, cloudId)) === hostId;
  return world
    .all("ceph-cluster")
    .filter(isWatched)
    .flatMap((cluster) => {
      const { id: clusterId, monitors } = requireCluster(cluster.id, world, cloudId);
      return world
        .all("storage-pool")
        .filter(({ inputs }) => inputs["cluster"] === clusterId)
        .map((entry): RbdPlace => {
          const { pool, content } = toPool(entry);
          return { backend: "rbd", clusterId, monitors, pool, content };
        });
    });
}

/** Whether a host is to be a client of a cluster, or is set up as one. */
export function isClient(hostId: HostId, cluster: WorldEntry): boolean {
  return listNamed(cluster).includes(hostId) || listSetUp(cluster).includes(hostId);
}

/** Ids of the hosts that a cluster names and that are set up. */
function listReady(cluster: WorldEntry): readonly string[] {
  const ready = listSetUp(cluster);
  return listNamed(cluster).filter((id) => ready.includes(id));
}

const inputs = z.object({ hosts: z.array(z.string()) });
const outputs = z.object({ clientHosts: z.array(z.string()).default([]) });

function listNamed(cluster: WorldEntry): readonly string[] {
  return inputs.parse(cluster.inputs).hosts;
}

function listSetUp(cluster: WorldEntry): readonly string[] {
  return outputs.parse(cluster.outputs).clientHosts;
}

function isEnrolled(id: string, world: World, cloudId: CloudId): boolean {
  const entry = world.find("host", id);
  return entry !== undefined && toComputeHost(entry, cloudId) !== undefined;
}
