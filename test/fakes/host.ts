import type { ForeignDomain } from "../../providers/core/adoption.ts";
import type { CloudId } from "../../providers/core/ids.ts";
import type { FakeCephClient } from "./ceph-client.ts";
import type { DomainInterface, HostInventory } from "../../providers/core/ports.ts";
import type { FakeVolumeFolder } from "./volume.ts";

/** What a host of the fake holds, as plain data. Ids are keys. */
export interface FakeHost {
  inventory: HostInventory;
  /** Debian packages that it needs and has not, and those that were installed. */
  readonly lacks: string[];
  readonly installed: string[];
  /** Those that a client of a Ceph cluster needs and it has not. */
  readonly lacksOfCeph: string[];
  /** Names that a tunnel can go through. */
  readonly interfaces: readonly string[];
  enrolment?: FakeEnrolment | undefined;
  readonly images: Record<string, FakeImage>;
  readonly networks: Record<string, FakeNetwork>;
  /** `NETWORK/PEER` to the peer's tunnel address. */
  readonly tunnels: Record<string, string>;
  /** VLAN tag of each guest's port that is on the integration bridge. */
  readonly tags: Record<string, number>;
  /** Files of each server: they stay when a domain is undefined. */
  readonly folders: Record<string, FakeFolder>;
  readonly domains: Record<string, FakeDomain>;
  /** Domains that others defined, by uuid. */
  readonly foreign: Record<string, FakeForeign>;
  /** Their files, by path. */
  readonly files: Record<string, FakeDisk>;
  /** What clients of Ceph clusters have, by the cluster. */
  readonly cephClients: Record<string, FakeCephClient>;
  /** Volumes that are files. */
  readonly volumes: Record<string, FakeVolumeFolder>;
  /** Keys of encrypted volumes in libvirt, by volume. */
  readonly volumeSecrets: Record<string, FakeVolumeSecret>;
  /** Processes started so far: each start of a domain is one more. */
  processes: number;
}

export interface FakeVolumeSecret {
  readonly cloudId: string;
  /** Digest of the key. */
  readonly key: string;
}

export interface FakeEnrolment {
  readonly cloudId: CloudId;
  readonly hostId: string;
  /** Of the folder; the switch has one of its own, which tells whose the host is when this one is lost. */
  hasMark: boolean;
}

export interface FakeImage {
  readonly files: readonly FakeFile[];
  readonly virtualSizeBytes: number;
}

export interface FakeFile {
  readonly path: string;
  readonly sizeBytes: number;
  checksum: string;
  /** Whether it is as it was brought. */
  isSound: boolean;
}

export interface FakeNetwork {
  vni: number;
  localVlan: number;
  /** Of the DHCP server. */
  settings: string;
  isServing: boolean;
  /** DHCP entry of each port. */
  readonly entries: Record<string, string>;
}

export interface FakeFolder {
  disk?: FakeDisk | undefined;
  /** Since the last start; empty before the first. */
  console: readonly string[];
  /** The domain that was taken over. */
  adopted?: FakeForeign | undefined;
}

export interface FakeDisk {
  /** What it lies on; absent for a blank one. */
  readonly imagePath?: string | undefined;
  sizeBytes: number;
  /** What somebody has written to it; absent for one that is as it was made. */
  readonly content?: string | undefined;
}

export interface FakeDomain {
  readonly cloudId: string;
  name: string;
  /** Whether the host starts it when it boots. */
  autostart: boolean;
  /** What it has from its next start on. */
  defined: FakeDefinition;
  /** What it was started with; absent while it is off. */
  live?: FakeDefinition | undefined;
  /** Whether libvirt keeps it when it stops. */
  isPersistent: boolean;
  state: "running" | "shut-off" | "paused";
  processId?: number | undefined;
  /** How often its guest has booted. */
  boots: number;
  /** The file on the host. */
  configDrive: string;
  /** What is in the drive of the process, which keeps it when the file becomes another. */
  medium?: string | undefined;
  /** As its guest read it when it booted last. */
  hostname?: string | undefined;
  /** Whether a cluster takes no write of its process any more. Default false. */
  isFenced?: boolean | undefined;
  /** Whether its guest lets go of no disk. Default false. */
  holdsVolumes?: boolean | undefined;
}

/** A domain that somebody else defined, as it is told to who looks. */
export type FakeForeign = Omit<ForeignDomain, "serverDiskPath">;

/** A volume as a domain has it. */
export interface FakeAttachment {
  readonly id: string;
  /** What it lies in. */
  readonly source: string;
  readonly device: string;
  readonly isReadOnly: boolean;
  readonly isEncrypted: boolean;
  /** That its guest was told last; absent as long as it was told none. */
  readonly sizeBytes?: number | undefined;
}

export interface FakeDefinition {
  readonly vcpus: number;
  readonly ramMib: number;
  /** Root disk. */
  readonly disks: string;
  /** Id of an encrypted volume that is its root disk. */
  readonly encryptedRoot?: string | undefined;
  /** Of what runs: size of a volume that is its root disk, as its guest was told last. */
  readonly rootBytes?: number | undefined;
  /** Beside it. */
  readonly volumes: readonly FakeAttachment[];
  readonly interfaces: readonly DomainInterface[];
  /** Kernel and initial RAM disk. */
  readonly bootFiles: readonly string[];
  /** Of what runs: what its guest was told when it booted. */
  readonly hostname: string;
}

/** What a host offers unless told otherwise. */
const defaultInventory: HostInventory = {
  datapath: "netdev",
  virtType: "qemu",
  architecture: "x86_64",
  vcpus: 4,
  ramMib: 8192,
  diskGib: 100,
  hypervisorVersion: 7_002_000,
  libvirtVersion: "9.0.0",
  openvswitchVersion: "3.1.0",
};

/** A machine that is in no cloud. */
export function makeHost(offers: Partial<HostInventory>): FakeHost {
  return {
    inventory: { ...defaultInventory, ...offers },
    lacks: [],
    installed: [],
    lacksOfCeph: [],
    interfaces: ["eth1"],
    images: {},
    networks: {},
    tunnels: {},
    tags: {},
    folders: {},
    domains: {},
    foreign: {},
    files: {},
    cephClients: {},
    volumes: {},
    volumeSecrets: {},
    processes: 0,
  };
}
