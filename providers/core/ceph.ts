import type { CloudId, HostId, ResourceId } from "./ids.ts";
import type { ComputeHost } from "./ports.ts";
import type { Drift } from "./resource.ts";
import type { VolumeRef } from "./volume-backend.ts";

/** A Ceph cluster as the cloud reaches it. No key is in it. */
export interface CephCluster {
  readonly id: ResourceId;
  readonly name: string;
  readonly cloudId: CloudId;
  readonly fsid: string;
  /** Monitors as `ADDRESS` (both of Ceph's ports are tried) or `ADDRESS:PORT`. */
  readonly monitors: readonly string[];
  /** User that the cloud sets the cluster up as, without `client.`: `admin`, or one who may make pools and users. */
  readonly user: string;
  /** File with that user's key, on the machine that runs the stack. It is sent by standard input, and kept on no host. */
  readonly keyringFile: string;
}

/** A cluster as what lies on its clients is named by. */
export type NamedCluster = Pick<CephCluster, "id" | "name" | "cloudId">;

/** What a cluster says of itself. */
export interface CephFacts {
  /** `16.2.15`. */
  readonly version: string;
  readonly health: "HEALTH_OK" | "HEALTH_WARN" | "HEALTH_ERR";
  /** Object storage daemons that are up. */
  readonly osds: number;
}

/** What a pool holds, by the service that it belongs to in OpenStack: Glance, Cinder, Nova. */
export const poolContents = ["images", "volumes", "vms"] as const;
export type PoolContent = (typeof poolContents)[number];

/** A pool for RBD images. */
export interface CephPool {
  readonly id: ResourceId;
  /** Name in the cluster. */
  readonly pool: string;
  readonly content: PoolContent;
  /** Copies of each object; absent: as the cluster is set, or as it is. */
  readonly size: number | undefined;
  /** Placement groups; absent: as the cluster is set, or as it is. */
  readonly pgCount: number | undefined;
}

/** What is found of a pool. */
export interface PoolObservation {
  readonly size: number;
  readonly pgCount: number;
  /** RBD images in it. */
  readonly images: number;
  readonly drift: readonly Drift[];
}

/** A disk of a server that is fenced. */
export interface FencedDisk {
  /** In a pool of the cluster. */
  readonly volume: VolumeRef;
  /** Whether other servers may have it too: of its clients only those at addresses that have another of the disks are meant. */
  readonly isShared: boolean;
}

/**
 * Sets Ceph up. Commands to a cluster run on `via`, a host that reaches its monitors. Everything may be repeated. Raises, beside what work on
 * hosts may: `ceph-unreachable` when no monitor answers in time, `ceph-refused` when the key is wrong or may not do what is asked, `conflict` when
 * the cluster has another fsid, `invalid-input` for the keyring file (missing, unreadable, open to everybody, without the user's key), and
 * `host-unsuitable` when `via` lacks Ceph's tools. Errors name the field of the cluster, or of the pool, that is at fault.
 */
export interface CephPort {
  /**
   * Ceph's tools for a client, and QEMU's driver, are on `host`: they are installed where its `packages` say so. Raises `host-unsuitable` with what is missing
   * where they do not, or with apt's words, and `host-disk-full`.
   */
  ensureTools(host: ComputeHost, progress: (line: string) => void, signal: AbortSignal): Promise<void>;
  inspect(via: ComputeHost, cluster: CephCluster, signal: AbortSignal): Promise<CephFacts>;
  /**
   * Makes the pool for RBD and marks it as this cloud's, or brings one that is ours to the declared size. Raises `not-ours` for a pool of that name
   * without our mark for this resource, `invalid-input` for a `size` or `pgCount` that the cluster refuses. Declared placement groups end the
   * cluster's own scaling of them.
   */
  ensurePool(via: ComputeHost, cluster: CephCluster, pool: CephPool, signal: AbortSignal): Promise<void>;
  /** `undefined`: the cluster answered that it has no such pool. Raises `not-ours`. */
  observePool(
    via: ComputeHost,
    cluster: CephCluster,
    pool: CephPool,
    signal: AbortSignal,
  ): Promise<PoolObservation | undefined>;
  /** Tolerates absence. Raises `in-use` while RBD images are in it, be it in the trash, `ceph-refused` when the cluster lets none be deleted, `not-ours`. */
  removePool(via: ComputeHost, cluster: CephCluster, pool: CephPool, signal: AbortSignal): Promise<void>;
  /**
   * Users of the cloud's own in the roles of OpenStack's `glance`, `cinder` and `libvirt`, with the caps that these pools take and no more; one
   * without a pool may ask the monitors, and no more. Keys of users that are there stay.
   */
  ensureUsers(
    via: ComputeHost,
    cluster: CephCluster,
    pools: readonly CephPool[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Tolerates absence. */
  removeUsers(via: ComputeHost, cluster: CephCluster, signal: AbortSignal): Promise<void>;
  /**
   * Puts on `host` what a client needs: a ceph.conf, the keyrings of the cloud's users, readable by root alone, and a libvirt secret with the key of
   * the guests' user. Keys are asked for on `via`, and pass by standard input; one that was renewed is brought anew. Raises `not-found` before
   * {@link CephPort.ensureUsers}, `not-ours`.
   */
  ensureClient(via: ComputeHost, host: ComputeHost, cluster: CephCluster, signal: AbortSignal): Promise<void>;
  /** What is wrong with that on `host`: missing files and secrets, altered settings. No key is read. */
  observeClient(host: ComputeHost, cluster: CephCluster, signal: AbortSignal): Promise<readonly Drift[]>;
  /** Takes it back. Tolerates absence. Raises `in-use` while a domain of the host uses the secret. */
  removeClient(host: ComputeHost, cluster: NamedCluster, signal: AbortSignal): Promise<void>;
  /**
   * Shuts out for good whoever has these disks open, and takes their locks away: a process that still runs on the lost host never writes to them again, nor to
   * any other (nova: evacuate asks the operator for that). Disks that are not shared are marked, so that the lost host starts nothing from them when it boots. Returns the addresses, `ADDRESS:PORT/NONCE`, that were shut out. Repeatable. Raises `not-found` when
   * a disk is not there.
   */
  fence(
    via: ComputeHost,
    cluster: CephCluster,
    disks: readonly FencedDisk[],
    lost: HostId,
    signal: AbortSignal,
  ): Promise<readonly string[]>;
}
