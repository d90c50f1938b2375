import { z } from "zod";
import { poolContents } from "../core/ceph.ts";
import { idSchema, nameField, reserveName } from "../core/common-fields.ts";
import { describeForeign, isForeign } from "../core/drift.ts";
import { cephCodes, hostCodes } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import { defineResource, type Drift, type StepContext } from "../core/resource.ts";
import { findVia, requireCluster, syncUsers, toPool } from "./ceph-cluster.ts";

/** Most copies of an object, and most placement groups of a pool (ceph: `mon_max_pool_pg_num`). */
const maxSize = 10;
const maxPgCount = 65_536;

const inputs = z.strictObject({
  name: nameField({ doc: "Name, unique in the cloud." }),
  cluster: field(idSchema(), {
    doc: "Cluster that it is in.",
    references: "ceph-cluster",
    change: "data-loss",
  }),
  content: field(z.enum(poolContents), {
    doc: "What it holds: `images` (Glance), `volumes` (Cinder) or `vms`, the root disks of servers (Nova). The caps of the cloud's users follow from it.",
  }),
  pool: field(
    z
      .string()
      .regex(
        /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,126}$/,
        "must be the name of a pool: letters, digits, dots, hyphens and underscores, at most 127",
      )
      .optional(),
    {
      doc: "Name in the cluster. Default: what it holds. A pool that is there and not this cloud's is refused.",
      computed: "plan",
      change: "data-loss",
    },
  ),
  size: field(z.int().min(1).max(maxSize).optional(), {
    doc: "Copies of each object, 1 to 10. Default: as the cluster is set.",
  }),
  pgCount: field(z.int().min(1).max(maxPgCount).optional(), {
    doc: "Placement groups. Default: as the cluster is set.",
  }),
});

type Context = StepContext<z.infer<typeof inputs>, Record<string, never>>;

/** A pool of a Ceph cluster for images, volumes or root disks. */
export const storagePool = defineResource({
  type: "storage-pool",
  plural: "storage-pools",
  service: "block-storage",
  summary:
    "A pool of a Ceph cluster: for images, volumes or root disks. It is made, marked as this cloud's, and removed only when nothing is in it.",
  scope: "cloud",
  inputs,
  outputs: z.strictObject({}),
  rules: [],
  complete: (draft) => ({ ...draft, pool: draft.pool ?? draft.content }),
  reservations: ({ name, cluster, pool }) => [
    ...reserveName("storage-pool", "cloud", name),
    ...(pool === undefined ? [] : [{ kind: "ceph-pool", scope: cluster, value: pool, field: "pool" }]),
  ],
  raises: [...hostCodes, ...cephCodes, "conflict", "not-ours", "in-use"],
  reconcile: [
    {
      name: "pool",
      run: async (context) => {
        const { ports, record, signal, progress } = context;
        progress("making the pool");
        await ports.ceph.ensurePool(...placeOf(context), toPool(record), signal);
        return undefined;
      },
      undo: (context) =>
        context.ports.ceph.removePool(...placeOf(context), toPool(context.record), context.signal),
    },
    {
      name: "users",
      run: async (context) => {
        context.progress("setting the caps of the cloud's users");
        await syncUsers(context, placeOf(context)[1]);
        return undefined;
      },
      undo: (context) => syncUsers(context, placeOf(context)[1], context.record.id),
    },
  ],
  observe: async (context) => {
    const { ports, record, signal } = context;
    const pool = toPool(record);
    try {
      const found = await ports.ceph.observePool(...placeOf(context), pool, signal);
      return found === undefined ? { drift: [absent(pool.pool)] } : { drift: found.drift };
    } catch (error) {
      if (!isForeign(error)) throw error;
      return { drift: [describeForeign("pool", error)] };
    }
  },
  remove: [
    {
      name: "pool",
      run: async (context) => {
        const { ports, record, signal } = context;
        await ports.ceph.removePool(...placeOf(context), toPool(record), signal);
        return undefined;
      },
    },
    {
      name: "users",
      run: async (context) => {
        await syncUsers(context, placeOf(context)[1], context.record.id);
        return undefined;
      },
    },
  ],
});

/** Where commands run, and the cluster that they are for. */
function placeOf({ inputs: { cluster }, world, cloudId }: Context) {
  return [findVia(cluster, world, cloudId), requireCluster(cluster, world, cloudId)] as const;
}

function absent(name: string): Drift {
  return {
    field: "pool",
    expected: name,
    found: "missing",
    repair: "makes it anew, empty: what it held is gone",
    label: "data-loss",
  };
}
