import type { HostAddress } from "./host.ts";

/** A small Ceph that is to be made on bare hosts, for labs and evaluation. */
export interface BootstrapRequest {
  /** Name of the cluster: a second run finds by it what the first has begun. */
  readonly name: string;
  /** Of a cluster that is not begun yet. Default: drawn. */
  readonly fsid?: string;
  /** Hosts in order: the first, or the first three, have a monitor, the first a manager, each an OSD. */
  readonly hosts: readonly BootstrapHost[];
  /** Room of each OSD that is a file; no disk is taken before it is written to. Default: as it was begun with, else 10. */
  readonly osdSizeGib?: number | undefined;
  /** Copies of each object. Default: as it was begun with, else one on each host, at most 3. */
  readonly size?: number | undefined;
  /** Folder on this machine for the admin's keyring and the cluster's settings; absolute. */
  readonly folder: string;
}

/** A host of a {@link BootstrapRequest}. */
export interface BootstrapHost {
  readonly address: HostAddress;
  /** An empty block device for the OSD; absent: a file. */
  readonly device?: string | undefined;
  /** IPv4 address by which the other hosts reach it. Default: the one that SSH came in by. */
  readonly clusterAddress?: string | undefined;
}

/** What a host is for in the cluster. */
export interface PlannedCephHost {
  readonly host: HostAddress;
  readonly clusterAddress: string;
  /** Id of its monitor: `a`, `b`, `c`. */
  readonly monitor: string | undefined;
  /** Id of its manager. */
  readonly manager: string | undefined;
  readonly osd: number;
  /** Absent: a file. */
  readonly device: string | undefined;
  /** Without systemd nothing starts the daemons when the host boots. */
  readonly hasSystemd: boolean;
  /** An earlier run has begun here. */
  readonly isBegun: boolean;
}

/** What a bootstrap will do. */
export interface BootstrapPlan {
  readonly name: string;
  readonly fsid: string;
  readonly size: number;
  readonly osdSizeGib: number;
  readonly hosts: readonly PlannedCephHost[];
  readonly folder: string;
}

/** A cluster as a stack names it in a `CephCluster`, and how it is. */
export interface BootstrappedCeph {
  readonly name: string;
  readonly fsid: string;
  readonly monitors: readonly string[];
  readonly user: string;
  /** On this machine, for its owner alone. */
  readonly keyringFile: string;
  /** Settings for clients, on this machine. */
  readonly confFile: string;
  readonly health: string;
  /** Why it is not `HEALTH_OK`. */
  readonly reasons: readonly string[];
  readonly osds: { readonly up: number; readonly all: number };
}

/** What the removal of a cluster will do. */
export interface BootstrapRemoval {
  readonly name: string;
  /** Absent where no host has anything of it. */
  readonly fsid: string | undefined;
  /** Hosts that have something of it. */
  readonly hosts: readonly BootstrapRemovalHost[];
  /** Hosts of the cluster that were not named, and keep what they have; the folder stays with them. */
  readonly left: readonly string[];
  readonly folder: string;
}

/** A host of a {@link BootstrapRemoval}. */
export interface BootstrapRemovalHost {
  readonly host: HostAddress;
  readonly monitor: string | undefined;
  readonly manager: string | undefined;
  readonly osd: number;
  /** It is emptied. */
  readonly device: string | undefined;
}

/**
 * Makes a small Ceph on bare hosts, and takes it back. Everything may be repeated: what is there stays, what is missing or down is made and started.
 * Raises, beside what work on hosts may: `host-unsuitable` for a host that lacks packages, memory or disk, `not-ours` for one with a Ceph of others,
 * `in-use` for ports that are taken or a device that is not empty, `conflict` where the request differs from what was begun, `invalid-input`.
 */
export interface CephBootstrap {
  /** Looks at all hosts and judges; writes nothing. */
  plan(request: BootstrapRequest, signal: AbortSignal): Promise<BootstrapPlan>;
  /** Carries a plan out. Raises also `ceph-unreachable` where the daemons do not come up. */
  apply(
    plan: BootstrapPlan,
    onProgress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<BootstrappedCeph>;
  /** Finds what there is to remove; writes nothing. */
  planRemoval(
    request: Pick<BootstrapRequest, "name" | "hosts" | "folder">,
    signal: AbortSignal,
  ): Promise<BootstrapRemoval>;
  /** Takes back all that was made, with all data in it, and nothing else. */
  remove(removal: BootstrapRemoval, onProgress: (line: string) => void, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
