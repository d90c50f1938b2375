import { readAdminKey } from "../../providers/compute/ceph-keyring.ts";
import { cephRoles, nameCephUser, type CephRole } from "../../providers/compute/marks.ts";
import type { CephCluster, CephPool, CephPort, PoolContent } from "../../providers/core/ceph.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import type { Drift } from "../../providers/core/resource.ts";
import { nameImage } from "../../providers/compute/volumes/rbd/rbd-client.ts";
import { fenceDomains } from "./domain.ts";
import { bringClient, observeClient, removeClient } from "./ceph-client.ts";
import type { ComputeMethod } from "./fault.ts";
import type { FakeHost } from "./host.ts";
import type { FakeRbdImage } from "./rbd.ts";

/** A Ceph cluster of the fake, as plain data. */
export interface FakeCeph {
  readonly fsid: string;
  readonly monitors: readonly string[];
  /** Keys of those who may do anything, by user. */
  readonly admins: Readonly<Record<string, string>>;
  readonly pools: Record<string, FakePool>;
  readonly users: Record<string, FakeCephUser>;
  /** Whether no monitor answers. */
  isDown: boolean;
  /** Whether pools may be deleted. */
  mayDelete: boolean;
  /** Keys given out so far. */
  keysMade: number;
}

export interface FakePool {
  size: number;
  pgCount: number;
  /** `CLOUD/ID`; absent for a pool of somebody else. */
  readonly mark?: string | undefined;
  readonly images: Record<string, FakeRbdImage>;
  /** Names of images that somebody threw away. */
  trash: readonly string[];
}

export interface FakeCephUser {
  key: string;
  /** By pool. */
  access: Readonly<Record<string, "write" | "read">>;
}

const grants: Readonly<Record<CephRole, readonly (readonly [PoolContent, "write" | "read"])[]>> = {
  glance: [["images", "write"]],
  cinder: [
    ["volumes", "write"],
    ["vms", "write"],
    ["images", "read"],
  ],
  libvirt: [
    ["volumes", "write"],
    ["vms", "write"],
    ["images", "read"],
  ],
};

/** The cluster that answers at these monitors, to this key. */
export function findCeph(cephs: readonly FakeCeph[], cluster: CephCluster, key: string): FakeCeph {
  const ceph = cephs.find(
    ({ monitors, isDown }) => !isDown && monitors.some((monitor) => cluster.monitors.includes(monitor)),
  );
  if (ceph === undefined)
    throw new StackyardError("ceph-unreachable", {
      message: "no monitor answers",
      field: "monitors",
    });
  if (ceph.admins[cluster.user] !== key)
    throw new StackyardError("ceph-refused", {
      message: "the key is refused",
      field: "keyringFile",
    });
  if (ceph.fsid !== cluster.fsid)
    throw new StackyardError("conflict", {
      message: `The cluster has the fsid ${ceph.fsid}, not ${cluster.fsid}`,
      field: "fsid",
      value: cluster.fsid,
    });
  return ceph;
}

/** Whether a user may write to a pool, or only list it. A host is a client by what its files hold. */
export function mayUse(
  ceph: FakeCeph,
  machine: FakeHost,
  cluster: Pick<CephCluster, "id" | "cloudId">,
  { role, pool, action }: { role: CephRole; pool: string; action: "list" | "write" },
): boolean {
  const name = nameCephUser(cluster.cloudId, role);
  const user = ceph.users[name];
  const file = machine.cephClients[cluster.id]?.files[`ceph.client.${name}.keyring`];
  const granted = file?.content === user?.key ? user?.access[pool] : undefined;
  return granted === "write" || (granted === "read" && action === "list");
}

/** How the port reaches what the fake holds. */
interface Reach {
  readonly onCluster: <T>(
    method: ComputeMethod,
    via: ComputeHost,
    cluster: CephCluster,
    key: string,
    signal: AbortSignal,
    work: (ceph: FakeCeph) => T,
  ) => Promise<T>;
  readonly onHost: <T>(
    method: ComputeMethod,
    host: ComputeHost,
    signal: AbortSignal,
    work: (machine: FakeHost) => T,
  ) => Promise<T>;
  readonly machineOf: (host: ComputeHost) => FakeHost | undefined;
  /** All hosts by address, those that do not answer too. */
  readonly listHosts: () => Readonly<Record<string, FakeHost>>;
}

export function openFakeCeph({ onCluster, onHost, machineOf, listHosts }: Reach): CephPort {
  async function work<T>(
    method: ComputeMethod,
    via: ComputeHost,
    cluster: CephCluster,
    signal: AbortSignal,
    carryOut: (ceph: FakeCeph) => T,
  ): Promise<T> {
    return onCluster(method, via, cluster, await readAdminKey(cluster), signal, carryOut);
  }
  return {
    ensureTools: (host, progress, signal) =>
      onHost("ceph.ensureTools", host, signal, (machine) => {
        const packages = machine.lacksOfCeph.join(" ");
        if (packages === "") return;
        if (host.packages === undefined)
          throw new StackyardError("host-unsuitable", {
            message: `Host ${host.name} cannot be a client of a Ceph cluster: ${packages} missing`,
          });
        progress(`host ${host.name} installs ${packages}`);
        machine.installed.push(...machine.lacksOfCeph.splice(0));
      }),
    inspect: (via, cluster, signal) =>
      work("ceph.inspect", via, cluster, signal, () => ({
        version: "16.2.15",
        health: "HEALTH_OK" as const,
        osds: 1,
      })),
    ensurePool: (via, cluster, pool, signal) =>
      work("ceph.ensurePool", via, cluster, signal, (ceph) => {
        const found = (ceph.pools[pool.pool] ??= {
          size: 1,
          pgCount: 8,
          mark: markOf(cluster, pool),
          images: {},
          trash: [],
        });
        requireOurs(cluster, pool, found);
        found.size = pool.size ?? found.size;
        found.pgCount = pool.pgCount ?? found.pgCount;
      }),
    observePool: (via, cluster, pool, signal) =>
      work("ceph.observePool", via, cluster, signal, (ceph) => {
        const found = ceph.pools[pool.pool];
        if (found === undefined) return undefined;
        requireOurs(cluster, pool, found);
        const { size, pgCount } = found;
        return {
          size,
          pgCount,
          images: countImages(found),
          drift: comparePool(pool, found),
        };
      }),
    removePool: (via, cluster, pool, signal) =>
      work("ceph.removePool", via, cluster, signal, (ceph) => {
        const found = ceph.pools[pool.pool];
        if (found === undefined) return;
        requireOurs(cluster, pool, found);
        if (countImages(found) > 0)
          throw new StackyardError("in-use", {
            message: `Pool ${pool.pool} still has images`,
            field: "pool",
          });
        if (!ceph.mayDelete)
          throw new StackyardError("ceph-refused", {
            message: "The cluster lets no pool be deleted",
          });
        Reflect.deleteProperty(ceph.pools, pool.pool);
      }),
    ensureUsers: (via, cluster, pools, signal) =>
      work("ceph.ensureUsers", via, cluster, signal, (ceph) => {
        for (const role of cephRoles) {
          const name = nameCephUser(cluster.cloudId, role);
          const access = Object.fromEntries(
            pools.flatMap(({ pool, content }) =>
              grants[role].flatMap(([kind, granted]) => (kind === content ? [[pool, granted] as const] : [])),
            ),
          );
          const key = ceph.users[name]?.key ?? `key ${String(++ceph.keysMade)}`;
          ceph.users[name] = { key, access };
        }
      }),
    removeUsers: (via, cluster, signal) =>
      work("ceph.removeUsers", via, cluster, signal, (ceph) => {
        for (const role of cephRoles) Reflect.deleteProperty(ceph.users, nameCephUser(cluster.cloudId, role));
      }),
    ensureClient: (via, host, cluster, signal) =>
      work("ceph.ensureClient", via, cluster, signal, ({ users }) => {
        const machine = machineOf(host);
        if (machine === undefined)
          throw new StackyardError("host-unreachable", {
            message: `Cannot reach host ${host.name}`,
          });
        const keys = Object.fromEntries(Object.entries(users).map(([name, { key }]) => [name, key]));
        bringClient(machine, cluster, keys);
      }),
    observeClient: (host, cluster, signal) =>
      onHost("ceph.observeClient", host, signal, (machine) => observeClient(machine, cluster)),
    removeClient: (host, cluster, signal) =>
      onHost("ceph.removeClient", host, signal, (machine) => removeClient(machine, host, cluster)),
    fence: (via, cluster, disks, _lost, signal) =>
      work("ceph.fence", via, cluster, signal, ({ pools }) => {
        for (const { volume } of disks) {
          const { place } = volume;
          if (place.backend !== "rbd") throw new Error(`disk ${volume.id} is in no pool`);
          if (pools[place.pool]?.images[nameImage(volume)] === undefined)
            throw new StackyardError("not-found", { message: "A disk of the server is not in its pool" });
        }
        return fenceDomains(listHosts(), disks);
      }),
  };
}

function countImages({ images, trash }: FakePool): number {
  return Object.keys(images).length + trash.length;
}

function markOf({ cloudId }: CephCluster, { id }: CephPool): string {
  return `${cloudId}/${id}`;
}

function requireOurs(cluster: CephCluster, pool: CephPool, { mark }: FakePool): void {
  if (mark !== markOf(cluster, pool))
    throw new StackyardError("not-ours", {
      message: `The cluster has a pool ${pool.pool} already`,
      field: "pool",
      value: pool.pool,
    });
}

function comparePool({ size, pgCount }: CephPool, found: FakePool): readonly Drift[] {
  const expectations = [
    ["size", size, found.size],
    ["pgCount", pgCount, found.pgCount],
  ] as const;
  return expectations.flatMap(([field, expected, actual]) =>
    expected === undefined || expected === actual
      ? []
      : [
          {
            field,
            expected: String(expected),
            found: String(actual),
            repair: "sets it",
            label: "live" as const,
          },
        ],
  );
}
