import type { CephCluster, CephPool, PoolContent } from "../../providers/core/ceph.ts";
import { deriveId } from "../../providers/core/ids.ts";
import { cloudId } from "./compute-specimens.ts";

/** A cluster as it is declared; nobody answers there. */
export const sampleCluster: CephCluster = {
  id: deriveId<"resource">("sample cluster"),
  name: "store",
  cloudId,
  fsid: deriveId<"resource">("sample fsid"),
  monitors: ["10.0.0.1"],
  user: "admin",
  keyringFile: "/nowhere/keyring",
};

/** A pool of which nothing but name and content is declared. */
export function samplePool(pool: string, content: PoolContent): CephPool {
  return { id: deriveId<"resource">("pool", pool), pool, content, size: undefined, pgCount: undefined };
}
