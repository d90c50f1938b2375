import { z } from "zod";
import { poolContents } from "../core/ceph.ts";
import { idSchema, nameField, reserveName } from "../core/common-fields.ts";
import { describeForeign, isForeign } from "../core/drift.ts";
import { cephCodes, hasCode, hostCodes } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import { defineResource, type Drift, type StepContext } from "../core/resource.ts";
import { placeOfPool } from "./pool-place.ts";
import { findVia, listClients, maxClients, requireCluster, syncUsers, toPool } from "./ceph-cluster.ts";

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
  imagePool: field(idSchema().optional(), {
    doc: "Pool of the same cluster that images are brought into, once, when the first disk or volume here is cloned from them. Default: this pool.",
    references: "storage-pool",
  }),
  hosts: field(z.array(idSchema()).max(maxClients).default([]), {
    doc: "Hosts whose servers have their root disks here unless their flavor says otherwise (nova: `libvirt.images_type`). Servers that are there stay as they are. Default none.",
    references: "host",
  }),
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
  rules: [
    {
      field: "imagePool",
      says: "A pool for disks or volumes names one of its cluster for images.",
      reads: ["imagePool", "content", "cluster"],
      remedy: "Name a pool of the same cluster whose content is images.",
      violated: ({ imagePool, content, cluster }, { world }) => {
        const entry = imagePool === undefined ? undefined : world.find("storage-pool", imagePool);
        if (entry === undefined) return undefined;
        if (content === "images") return "is set, but the pool itself is for images";
        if (entry.inputs["cluster"] !== cluster) return "is a pool of another cluster";
        const other = toPool(entry).content;
        return other === "images" ? undefined : `is a pool for ${other}`;
      },
    },
    {
      field: "hosts",
      says: "Hosts are named only for root disks, each once, and are clients of the cluster.",
      reads: ["hosts", "content", "cluster"],
      remedy: "Name hosts that the cluster names, in a pool whose content is vms.",
      violated: ({ hosts, content, cluster }, { world }) => {
        if (hosts.length === 0) return undefined;
        if (content !== "vms") return `names hosts, but the pool is for ${content}`;
        const clients = listClients(cluster, world);
        const at = hosts.findIndex((id, index) => !clients.includes(id) || hosts.indexOf(id) !== index);
        if (at === -1) return undefined;
        const problem = clients.includes(hosts[at] ?? "")
          ? "names a host that is named before"
          : "is no client of the cluster";
        return { field: `hosts.${String(at)}`, problem };
      },
    },
  ],
  complete: (draft) => ({ ...draft, pool: draft.pool ?? draft.content }),
  reservations: ({ name, cluster, pool, hosts }) => [
    ...hosts.map((id, index) => ({
      kind: "root-disks",
      scope: "cloud",
      value: id,
      field: `hosts.${String(index)}`,
    })),
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
      // Copies of images are nobody's data; what lies on one keeps it, and the pool. What our user may not see yet keeps the pool as well.
      name: "images",
      run: async (context) => {
        const { ports, record, world, cloudId, signal } = context;
        const [via] = placeOf(context);
        const place = placeOfPool(record.id, world, cloudId);
        const found = await ports.volumes.listVolumes(via, place, signal).catch((error: unknown) => {
          if (hasCode(error, "not-found") || hasCode(error, "ceph-refused")) return [];
          throw error;
        });
        for (const { id, name } of found)
          if (name !== undefined && name.startsWith(id) && !name.endsWith("_disk"))
            await ports.volumes.removeImage(via, place, { id, name: id }, signal);
        return undefined;
      },
    },
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
