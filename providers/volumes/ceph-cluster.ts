import { z } from "zod";
import { idSchema, nameField, printableSchema, reserveName } from "../core/common-fields.ts";
import { poolContents, type CephCluster, type CephPool } from "../core/ceph.ts";
import { cephCodes, hostCodes, StackyardError } from "../core/errors.ts";
import { field } from "../core/fields.ts";
import type { CloudId, ResourceId } from "../core/ids.ts";
import type { ComputeHost } from "../core/ports.ts";
import {
  defineResource,
  requireEntry,
  type StepContext,
  type World,
  type WorldEntry,
} from "../core/resource.ts";
import { toComputeHost } from "../servers/host.ts";

/** Most hosts that are clients of one cluster. */
export const maxClients = 64;

/** Most monitors; Ceph advises three to five. */
const maxMonitors = 16;

const monitorPattern = /^(\[[0-9a-f:]{2,45}\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(:\d{1,5})?$/;

const inputs = z.strictObject({
  name: nameField({ doc: "Name, unique in the cloud." }),
  monitors: field(
    z
      .array(z.string().regex(monitorPattern, "must be ADDRESS or ADDRESS:PORT; IPv6 in brackets"))
      .min(1, "must name a monitor")
      .max(maxMonitors),
    {
      doc: "Addresses of its monitors as the hosts reach them: `10.0.2.1`, where both of Ceph's ports are tried, or `10.0.2.1:6789`.",
    },
  ),
  fsid: field(z.uuid("must be a uuid, as ceph fsid prints it").toLowerCase(), {
    doc: "Its fsid, as `ceph fsid` prints it. A cluster that answers with another is refused.",
    change: "replace",
  }),
  user: field(
    z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/, "must be the name of a Ceph user, without client.")
      .default("admin"),
    {
      doc: "User that sets it up, without `client.`: it makes pools, and users of the cloud's own that can do less. Default `admin`.",
    },
  ),
  keyringFile: field(printableSchema(4096).regex(/^\//, "must be an absolute path"), {
    doc: "Keyring with that user's key, an absolute path on the machine that runs the stack. The key is sent to the first client when there is something to set up, and kept nowhere.",
  }),
  hosts: field(z.array(idSchema()).min(1, "must name a host").max(maxClients), {
    doc: "Hosts whose servers may have disks in it. Each gets a ceph.conf, keyrings of the cloud's own users and a libvirt secret. Commands to the cluster run on the first.",
    references: "host",
  }),
});

const outputs = z.strictObject({
  version: field(z.string(), { doc: "Version of Ceph, e.g. `16.2.15`.", follows: ["monitors"] }),
  clientHosts: field(z.array(z.string()), {
    doc: "Ids of the hosts that are set up as its clients.",
    references: "host",
    follows: ["hosts"],
  }),
});

export type CephClusterInputs = z.infer<typeof inputs>;
export type CephClusterOutputs = z.infer<typeof outputs>;
type Context = StepContext<CephClusterInputs, CephClusterOutputs>;

/** A Ceph cluster that is there already. */
export const cephCluster = defineResource({
  type: "ceph-cluster",
  plural: "ceph-clusters",
  service: "block-storage",
  summary:
    "A Ceph cluster that is there already, and the hosts that are its clients. The cloud works on it as users of its own, which can do no more than they need.",
  scope: "cloud",
  inputs,
  outputs,
  rules: [
    {
      field: "hosts",
      says: "Each host is named once.",
      reads: ["hosts"],
      violated: ({ hosts }) => {
        const at = hosts.findIndex((id, index) => hosts.indexOf(id) !== index);
        return at === -1
          ? undefined
          : { field: `hosts.${String(at)}`, problem: "names a host that is named before" };
      },
    },
  ],
  reservations: ({ name, fsid }) => [
    ...reserveName("ceph-cluster", "cloud", name),
    { kind: "ceph-fsid", scope: "cloud", value: fsid, field: "fsid" },
  ],
  raises: [...hostCodes, ...cephCodes, "conflict", "in-use", "host-unsuitable", "host-disk-full"],
  reconcile: [
    {
      name: "packages",
      run: async (context) => {
        const { inputs: desired, ports, signal, progress } = context;
        const hosts = desired.hosts.map((id) => requireHost(id, context));
        await Promise.all(hosts.map((host) => ports.ceph.ensureTools(host, progress, signal)));
        return undefined;
      },
    },
    {
      // What is wrong with address, key or fsid is told before anything is made.
      name: "check",
      run: async (context) => {
        const { ports, signal, progress } = context;
        progress("asking the cluster");
        const { version } = await ports.ceph.inspect(requireVia(context), toCluster(context), signal);
        return { version };
      },
    },
    {
      name: "users",
      run: async (context) => {
        context.progress("making the cloud's users");
        await syncUsers(context, toCluster(context));
        return undefined;
      },
      undo: (context) =>
        context.ports.ceph.removeUsers(requireVia(context), toCluster(context), context.signal),
    },
    {
      // Written down before it is done, so that it is known what to take back.
      name: "client-hosts",
      run: ({ inputs: { hosts }, outputs: { clientHosts = [] } }) =>
        Promise.resolve({ clientHosts: [...new Set([...hosts, ...clientHosts])] }),
    },
    {
      name: "clients",
      run: async (context) => {
        const { inputs: desired, outputs: known, ports, signal, progress } = context;
        const cluster = toCluster(context);
        const wanted = desired.hosts;
        progress(`setting ${String(wanted.length)} hosts up as clients`);
        const via = requireVia(context);
        await Promise.all(
          wanted.map((id) => ports.ceph.ensureClient(via, requireHost(id, context), cluster, signal)),
        );
        await removeClients(
          context,
          (known.clientHosts ?? []).filter((id) => !wanted.includes(id)),
        );
        return { clientHosts: wanted };
      },
      undo: (context) => removeClients(context, context.outputs.clientHosts ?? []),
    },
  ],
  observe: async (context) => {
    const { outputs: known, ports, signal } = context;
    const cluster = toCluster(context);
    const [{ version }, ...drift] = await Promise.all([
      ports.ceph.inspect(requireVia(context), cluster, signal),
      ...(known.clientHosts ?? []).map(async (id) => {
        const host = requireHost(id, context);
        const found = await ports.ceph.observeClient(host, cluster, signal);
        return found.map((entry) => ({ ...entry, host: host.name }));
      }),
    ]);
    return { outputs: { version }, drift: drift.flat() };
  },
  remove: [
    {
      name: "clients",
      run: (context) => removeClients(context, context.outputs.clientHosts ?? []).then(() => undefined),
    },
    {
      name: "users",
      run: async (context) => {
        await context.ports.ceph.removeUsers(requireVia(context), toCluster(context), context.signal);
        return undefined;
      },
    },
  ],
});

/** Takes clients back; a host that is in the cloud no more took all that was on it along. */
async function removeClients(context: Context, ids: readonly string[]): Promise<void> {
  const { ports, signal, world, cloudId } = context;
  const hosts = ids.flatMap((id) => findHost(id, world, cloudId) ?? []);
  const cluster = toCluster(context);
  await Promise.all(hosts.map((host) => ports.ceph.removeClient(host, cluster, signal)));
}

/** Gives the cloud's users the caps that the cluster's pools take; those of `without` are none any more. Turns are taken: each sets all caps. */
export async function syncUsers(
  {
    ports,
    world,
    signal,
    exclusive,
    cloudId,
  }: Pick<Context, "ports" | "world" | "signal" | "exclusive" | "cloudId">,
  cluster: CephCluster,
  without?: ResourceId,
): Promise<void> {
  await exclusive(`ceph users ${cluster.id}`, () => {
    const pools = listPools(cluster.id, world).filter(({ id }) => id !== without);
    return ports.ceph.ensureUsers(findVia(cluster.id, world, cloudId), cluster, pools, signal);
  });
}

const poolInputs = z.object({
  cluster: z.string(),
  pool: z.string(),
  content: z.enum(poolContents),
  size: z.int().optional(),
  pgCount: z.int().optional(),
});

/** The pool that a record of type `storage-pool` stands for. */
export function toPool(entry: Pick<WorldEntry, "id" | "inputs">): CephPool {
  const { pool, content, size, pgCount } = poolInputs.parse(entry.inputs);
  return { id: entry.id, pool, content, size, pgCount };
}

/** The cloud's pools in a cluster. */
function listPools(clusterId: ResourceId, world: World): readonly CephPool[] {
  return world
    .all("storage-pool")
    .filter(({ inputs: { cluster } }) => cluster === clusterId)
    .map(toPool);
}

function toCluster({ record, inputs: desired, cloudId }: Context): CephCluster {
  return describeCluster(record.id, record.name, desired, cloudId);
}

function describeCluster(
  id: ResourceId,
  name: string,
  { fsid, monitors, user, keyringFile }: CephClusterInputs,
  cloudId: CloudId,
): CephCluster {
  return { id, name, cloudId, fsid, monitors, user, keyringFile };
}

/** The cluster of this id as ports are given it. Raises `unknown-reference`. */
export function requireCluster(id: string, world: World, cloudId: CloudId): CephCluster {
  const entry = requireEntry("ceph-cluster", id, world, "cluster");
  return describeCluster(entry.id, entry.name, inputs.parse(entry.inputs), cloudId);
}

/** Ids of the hosts that are to be the cluster's clients; none for one that is not there. */
export function listClients(id: string, world: World): readonly string[] {
  const entry = world.find("ceph-cluster", id);
  return entry === undefined ? [] : inputs.parse(entry.inputs).hosts;
}

/** The host that commands to a cluster run on. Raises `wrong-state` while it is not enrolled. */
export function findVia(id: string, world: World, cloudId: CloudId): ComputeHost {
  const [first = ""] = inputs.parse(requireEntry("ceph-cluster", id, world, "cluster").inputs).hosts;
  return requireHost(first, { world, cloudId });
}

function requireVia({ inputs: { hosts }, world, cloudId }: Context): ComputeHost {
  return requireHost(hosts[0] ?? "", { world, cloudId });
}

function findHost(id: string, world: World, cloudId: CloudId): ComputeHost | undefined {
  const entry = world.find("host", id);
  return entry === undefined ? undefined : toComputeHost(entry, cloudId);
}

function requireHost(id: string, { world, cloudId }: Pick<Context, "world" | "cloudId">): ComputeHost {
  const host = findHost(id, world, cloudId);
  if (host === undefined)
    throw new StackyardError("wrong-state", {
      message: `host ${world.find("host", id)?.name ?? id} is not enrolled yet`,
      field: "hosts",
      value: id,
    });
  return host;
}
