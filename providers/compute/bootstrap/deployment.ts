import { z } from "zod";
import { StackyardError } from "../../core/errors.ts";
import { renderText } from "../render.ts";

/** What every host of a cluster that was made here keeps of it: the same text on each, and the first thing that is written there. */
export const deploymentSchema = z.strictObject({
  name: z.string(),
  fsid: z.uuid(),
  size: z.int(),
  osdSizeGib: z.int(),
  hosts: z.array(
    z.strictObject({ name: z.string(), clusterAddress: z.string(), device: z.string().nullable() }),
  ),
});
export type Deployment = z.infer<typeof deploymentSchema>;

/** What a host is for, by its place in the deployment. */
export interface HostDaemons {
  readonly monitor: string | undefined;
  readonly manager: string | undefined;
  readonly osd: number;
}

/** Where things lie on a host. The daemons' folders are the distribution's own, so that its units find them. */
export const hostPaths = {
  conf: "/etc/ceph/ceph.conf",
  adminKeyring: "/etc/ceph/ceph.client.admin.keyring",
  /** Tells what is ours: the {@link Deployment}. */
  mark: "/etc/ceph/stackyard.json",
  /** Folders that were not there before, a line each. */
  madeFolders: "/etc/ceph/stackyard.folders",
  logs: "/var/log/ceph/stackyard",
  run: "/run/ceph",
} as const;

/** Ids of monitors; more than three make no small cluster safer. */
const monitorIds = ["a", "b", "c"] as const;
const gib = 2 ** 30;

/** A majority of two is both: a second monitor would be one more whose loss stops the cluster. */
export function countMonitors(hosts: number): number {
  return hosts < monitorIds.length ? 1 : monitorIds.length;
}

/** What the host at this place is for. */
export function daemonsOf({ hosts }: Pick<Deployment, "hosts">, index: number): HostDaemons {
  return {
    monitor: index < countMonitors(hosts.length) ? monitorIds[index] : undefined,
    manager: index === 0 ? monitorIds[0] : undefined,
    osd: index,
  };
}

/** Addresses of the monitors. */
export function listMonitors({ hosts }: Pick<Deployment, "hosts">): readonly string[] {
  return hosts.slice(0, countMonitors(hosts.length)).map(({ clusterAddress }) => clusterAddress);
}

/** The folder of a daemon, as the units of the distribution have it. */
export function daemonFolder(kind: "mon" | "mgr" | "osd", id: string | number): string {
  return `/var/lib/ceph/${kind}/ceph-${String(id)}`;
}

/** The ceph.conf of the host at this place, by the template that the lab's Ceph has. */
export function renderHostConf(deployment: Deployment, index: number): string {
  const address = deployment.hosts[index]?.clusterAddress;
  if (address === undefined)
    throw new StackyardError("internal", { message: `the cluster has no host ${String(index)}` });
  return renderText("ceph/cluster.conf", {
    fsid: deployment.fsid,
    monitors: listMonitors(deployment),
    address,
    size: deployment.size,
    paths: {
      monitor: daemonFolder("mon", "$id"),
      monitorKeyring: `${daemonFolder("mon", "$id")}/keyring`,
      manager: daemonFolder("mgr", "$id"),
      storage: daemonFolder("osd", "$id"),
      storageKeyring: `${daemonFolder("osd", "$id")}/keyring`,
      logs: hostPaths.logs,
    },
    objectStore: "bluestore",
    deviceBytes: deployment.osdSizeGib * gib,
  });
}
