import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { countMonitors } from "../../providers/compute/bootstrap/deployment.ts";
import type { BootstrapRequest } from "../../providers/core/ceph-bootstrap.ts";
import { openHostPool } from "../../providers/hosts/pool.ts";
import { withoutPrefix } from "../addresses.ts";
import type { LabOptions } from "../driver.ts";
import { labFiles } from "../folders.ts";
import type { InventoryCeph } from "../inventory.ts";
import { sshUser } from "../ssh.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";

/** Room of an OSD on a host without a disk of its own for it, in GiB. Nothing of it is taken before it is written to. */
const osdSizeGib = { least: 2, usual: 10 } as const;

/** The same in each lab: a copy of a lab has another name, and the cluster of the lab that it was made of. */
const clusterName = "lab";

/** Hosts of the lab's Ceph: the first, or the first three, have a monitor, each an OSD. */
function cephHostsOf(plan: NestedPlan): readonly NestedHost[] {
  return plan.hosts.filter(({ roles }) => roles.includes("ceph"));
}

/** Address at which the daemons of a host are reached: in the storage network where there is one, else in the data network. */
function clusterAddressOf({ storageAddress, tunnelAddress }: NestedHost): string {
  return withoutPrefix(storageAddress ?? tunnelAddress);
}

/**
 * chrony.conf(5) of a host of the cluster, undefined for any other: Ceph's monitors bear clocks that differ by 50 ms, and
 * those of virtual machines begin with the full second of their RTC. The first one's is right.
 */
export function describeClock(plan: NestedPlan, host: NestedHost): string | undefined {
  const hosts = cephHostsOf(plan);
  const [first] = hosts;
  if (first === undefined || !hosts.includes(host)) return undefined;
  const { cidr } = plan.networks.storage ?? plan.networks.data;
  const source =
    host === first
      ? ["local stratum 10", `allow ${cidr}`]
      : [`server ${clusterAddressOf(first)} iburst minpoll 2 maxpoll 4`];
  return [...source, "makestep 0.01 -1", ""].join("\n");
}

/** The cluster as stacks name it; undefined in a lab without one. */
export function cephInventoryOf(plan: NestedPlan): InventoryCeph | undefined {
  if (plan.ceph === undefined) return undefined;
  const hosts = cephHostsOf(plan);
  return {
    fsid: plan.ceph.fsid,
    monitors: hosts.slice(0, countMonitors(hosts.length)).map(clusterAddressOf),
    user: "admin",
    keyringFile: labFiles(plan.folder).ceph.keyring,
  };
}

/** The cluster as `stackyard ceph bootstrap` would be asked for it. A host's first data disk is its OSD's. */
export function describeBootstrap(plan: NestedPlan, fsid: string): BootstrapRequest {
  const files = labFiles(plan.folder);
  const hosts = cephHostsOf(plan);
  const smallestGib = Math.min(...hosts.map(({ diskGib }) => diskGib));
  return {
    name: clusterName,
    fsid,
    folder: dirname(files.ceph.keyring),
    osdSizeGib: Math.max(osdSizeGib.least, Math.min(osdSizeGib.usual, Math.floor(smallestGib / 2))),
    hosts: hosts.map((host) => ({
      address: {
        name: host.name,
        transport: "ssh",
        address: host.sshAddress,
        port: host.sshPort,
        user: sshUser,
        identityFile: files.identity,
        knownHostsFile: files.knownHosts,
      },
      clusterAddress: clusterAddressOf(host),
      ...(host.dataDisksGib.length === 0 ? {} : { device: "/dev/disk/by-id/virtio-data1" }),
    })),
  };
}

/**
 * Makes the lab's Ceph, or what is missing of it, and waits until it is well. Where it is there, its hosts' systemd starts it.
 * @param booted names of hosts that were off until now.
 * @throws StackyardError those of `providers/compute/bootstrap/bootstrap.ts`.
 */
export async function bringCephUp(
  plan: NestedPlan,
  booted: readonly string[],
  { onProgress, signal = new AbortController().signal }: LabOptions,
): Promise<void> {
  if (plan.ceph === undefined) return;
  const isMade = existsSync(labFiles(plan.folder).ceph.keyring);
  if (isMade && !cephHostsOf(plan).some(({ name }) => booted.includes(name))) return;
  const { openCephBootstrap } = await import("../../providers/compute/bootstrap/bootstrap.ts");
  // Nothing of the user's own ssh_config or agent is for hosts of a lab.
  const pool = openHostPool({
    ssh: { environment: { home: plan.folder, user: sshUser, agentSocket: undefined } },
  });
  const bootstrap = openCephBootstrap(pool, { startMs: 300_000, settleMs: 60_000 });
  try {
    const cluster = await bootstrap.plan(describeBootstrap(plan, plan.ceph.fsid), signal);
    const { health, reasons } = await bootstrap.apply(
      cluster,
      (step) => onProgress?.(`ceph: ${step}`),
      signal,
    );
    onProgress?.(`ceph: ${[health, ...reasons].join("; ")}`);
  } finally {
    await bootstrap.close();
  }
}
