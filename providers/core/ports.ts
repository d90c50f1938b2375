import type { AdoptionPort } from "./adoption.ts";
import type { Answer } from "./answer.ts";
import type { CephCluster, CephPort } from "./ceph.ts";
import type { HostAddress } from "./host.ts";
import type { CloudId, HostId, ResourceId, TaskId } from "./ids.ts";
import type { JsonObject } from "./json.ts";
import type { Drift } from "./resource.ts";
import type {
  AttachedVolume,
  RbdPlace,
  VolumeObservation,
  VolumeQos,
  VolumeRef,
  VolumesPort,
} from "./volume-backend.ts";

/** What flows reach outside: each port is one service, implemented by the cloud and by a fake. */
export interface Ports {
  readonly hosts: HostsPort;
  readonly images: ImagesPort;
  readonly switching: SwitchingPort;
  readonly domains: DomainsPort;
  readonly ceph: CephPort;
  readonly volumes: VolumesPort;
  readonly placement: PlacementPort;
}

/** The ports of {@link Ports} that reach hosts. */
export type HostPorts = Omit<Ports, "placement">;

/** A host of the cloud as compute sees it. */
export interface ComputeHost {
  readonly id: HostId;
  readonly name: string;
  readonly cloudId: CloudId;
  readonly address: HostAddress;
  /** `system`: kernel datapath; `netdev`: userspace. */
  readonly datapath: "system" | "netdev";
  /** Endpoint of tunnels, without prefix length. */
  readonly tunnelAddress: string;
  /** Usable domain type. */
  readonly virtType: "kvm" | "qemu";
  /** Folder on the host for images and disks, absolute. */
  readonly folder: string;
  /** How Debian packages that are missing come; absent: they are required to be there. */
  readonly packages?: PackageSource;
}

/** Where a host has its packages from. */
export interface PackageSource {
  /** Mirror of the host's distribution, a URL; absent: the host's own sources. */
  readonly mirror: string | undefined;
}

/** What enrolment asks of a host. */
export interface EnrolRequest {
  readonly id: HostId;
  readonly cloudId: CloudId;
  readonly address: HostAddress;
  readonly datapath: "system" | "netdev" | undefined;
  readonly virtType: "kvm" | "qemu" | undefined;
  /** Endpoint of tunnels with prefix length, `10.0.0.1/24`. */
  readonly tunnelAddress: string;
  /** Interface that carries tunnels; moved into a bridge on a userspace datapath. */
  readonly tunnelInterface: string | undefined;
  readonly folder: string;
  /** How Debian packages that are missing come; absent: they are required to be there. */
  readonly packages?: PackageSource;
}

/** What a host is and offers. */
export interface HostInventory {
  readonly datapath: "system" | "netdev";
  readonly virtType: "kvm" | "qemu";
  readonly architecture: string;
  readonly vcpus: number;
  readonly ramMib: number;
  readonly diskGib: number;
  readonly hypervisorVersion: number;
  readonly libvirtVersion: string;
  readonly openvswitchVersion: string;
}

/** What a host is, and what of its enrolment is not as asked for. */
export interface HostObservation {
  /** Absent where packages are to be installed first. */
  readonly inventory?: HostInventory;
  readonly drift: readonly Drift[];
}

export interface HostsPort {
  /**
   * Checks, leaves the ownership mark, installs packages and starts services that are missing where the request lets it, wires Open vSwitch, probes.
   * Repeatable. Raises `foreign-cloud`, `conflict` (enrolled under another id), `not-ours`, `host-unsuitable`, `invalid-input`, `host-disk-full`.
   */
  enrol(request: EnrolRequest, progress: (line: string) => void, signal: AbortSignal): Promise<HostInventory>;
  /** Compares the wiring and the mark with the request. Raises what `enrol` does, and `host-unreachable`; never reports that as absence. */
  observe(request: EnrolRequest, signal: AbortSignal): Promise<HostObservation>;
  /**
   * Takes mark, bridges and folder back, and leaves packages installed. Repeatable; a host of another cloud, or enrolled under another id, stays as it is. Raises `in-use`
   * while servers are on it, be it only their disks, or volumes that are files; it names them.
   */
  release(request: EnrolRequest, signal: AbortSignal): Promise<void>;
}

/** Where the bytes of an image come from. */
export interface ImageSource {
  /** `file:` path on the machine that runs the stack (absolute), or an http(s) URL. */
  readonly location: string;
  /** `sha256:<hex>` or `sha512:<hex>`. */
  readonly checksum: string | undefined;
}

/** What inspection found. */
export interface ImageFacts {
  readonly format: "qcow2" | "raw";
  readonly sizeBytes: number;
  readonly virtualSizeBytes: number;
  /** `sha256:<hex>` of the source's bytes. */
  readonly checksum: string;
}

/** The files of an image on a host. */
export interface CachedImage {
  readonly diskPath: string | undefined;
  readonly kernelPath: string | undefined;
  readonly initrdPath: string | undefined;
}

/** An image as compute fetches it: content-addressed by checksum. */
export interface ImageSpec {
  readonly id: ResourceId;
  readonly name: string;
  readonly disk: { readonly source: ImageSource; readonly facts: ImageFacts } | undefined;
  readonly kernel:
    { readonly source: ImageSource; readonly checksum: string; readonly sizeBytes: number } | undefined;
  readonly initrd:
    { readonly source: ImageSource; readonly checksum: string; readonly sizeBytes: number } | undefined;
}

export interface ImagesPort {
  /** Reads a disk image's source: format from its bytes, sizes, checksum. Raises the `image-*` codes. */
  inspectDisk(
    source: ImageSource,
    declared: { readonly format: "qcow2" | "raw" | undefined; readonly field: string },
    signal: AbortSignal,
  ): Promise<ImageFacts>;
  /** Size and checksum of a plain file (kernel, initrd). */
  inspectFile(
    source: ImageSource,
    field: string,
    signal: AbortSignal,
  ): Promise<{ readonly checksum: string; readonly sizeBytes: number }>;
  /**
   * Brings the image into the host's cache, once however many ask at the same time. A file that was altered there is brought anew. Raises
   * `host-disk-full`, `image-*`.
   */
  ensureCached(
    host: ComputeHost,
    image: ImageSpec,
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<CachedImage>;
  /** What is wrong with the image's files in a host's cache. */
  observeCached(host: ComputeHost, image: ImageSpec, signal: AbortSignal): Promise<readonly Drift[]>;
  /** Removes the image's files from a host's cache; tolerates absence. Raises `in-use` with the servers and volumes whose disks lie on them. */
  removeCached(host: ComputeHost, imageId: ResourceId, signal: AbortSignal): Promise<void>;
}

/** A network as the hosts wire it. */
export interface NetworkSpec {
  readonly id: ResourceId;
  readonly name: string;
  /** Protocol of its tunnels. */
  readonly networkType: "vxlan" | "geneve";
  /** Network identifier in them. */
  readonly vni: number;
  /** VLAN tag on each host's integration bridge. */
  readonly localVlan: number;
  readonly mtuBytes: number;
  readonly subnets: readonly SubnetSpec[];
}

export interface SubnetSpec {
  readonly id: ResourceId;
  readonly cidr: string;
  readonly gateway: string | undefined;
  /** The DHCP server's own address, the same on every host; absent without DHCP. */
  readonly dhcpAddress: string | undefined;
  readonly dnsServers: readonly string[];
}

/** A port as its host wires it. */
export interface PortSpec {
  readonly id: ResourceId;
  /** The server whose interface it is. */
  readonly serverId: ResourceId;
  readonly mac: string;
  readonly networkId: ResourceId;
  readonly addresses: readonly { readonly subnetId: ResourceId; readonly address: string }[];
  readonly hostname: string;
}

export interface SwitchingPort {
  /**
   * Makes the network present on `host`: tunnels to `peers` (the other hosts that have ports on it), DHCP for `ports`, all of them on this host.
   * Only adds: entries of other ports and tunnels to other peers stay, so that builds side by side do not undo each other. Where a tunnel was
   * missing, also adds the one back to `host` on the peer; a peer that cannot be reached is left out, and is repaired when its own servers are.
   */
  ensureNetwork(
    host: ComputeHost,
    network: NetworkSpec,
    peers: readonly ComputeHost[],
    ports: readonly PortSpec[],
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Takes the DHCP entries of the ports in `leaving` away, and with the last of them the whole network from the host, and the tunnels to it on
   * `peers` (the other hosts that have ports on it). Tolerates absence.
   */
  releaseNetwork(
    host: ComputeHost,
    network: NetworkSpec,
    peers: readonly ComputeHost[],
    leaving: readonly ResourceId[],
    signal: AbortSignal,
  ): Promise<void>;
  /** What is wrong with the network on the host. */
  observeNetwork(
    host: ComputeHost,
    network: NetworkSpec,
    peers: readonly ComputeHost[],
    ports: readonly PortSpec[],
    signal: AbortSignal,
  ): Promise<readonly Drift[]>;
}

/** Machine type where neither image nor flavor names one (nova: `x86_64=pc` of `libvirt.hw_machine_type`). */
export const defaultMachine = "pc";

/** A server as its host builds it. */
export interface DomainSpec {
  readonly id: ResourceId;
  readonly name: string;
  readonly cloudId: CloudId;
  readonly projectId: ResourceId;
  readonly vcpus: number;
  readonly ramMib: number;
  readonly diskGib: number;
  /** Size in bytes that the last apply left the root disk with: it is made and grown to no less. Absent: `diskGib`, and with 0 any size is right. */
  readonly diskBytes?: number | undefined;
  /** Whether its root disk was another domain's, and so lies on no image. Default false. */
  readonly isDiskAdopted?: boolean | undefined;
  /** The volume that is its root disk, made by whoever asks for the domain. Absent: a file in the server's folder, which `spawn` makes. */
  readonly rootVolume?: VolumeRef | undefined;
  /** Limits of the root volume. Default none. */
  readonly rootQos?: VolumeQos | undefined;
  /** Volumes beside the root disk. Default none. */
  readonly volumes?: readonly AttachedVolume[] | undefined;
  readonly image: CachedImage & {
    readonly diskFormat: "qcow2" | "raw" | undefined;
    readonly kernelArguments: string;
  };
  readonly interfaces: readonly DomainInterface[];
  /** Whether the host starts it when it boots (libvirt: autostart). Default false. */
  readonly autostart?: boolean;
  /** What the config drive tells a guest that boots; one that runs and was told another is due a reboot. */
  readonly hostname: string;
  readonly configDrive: ConfigDrive;
  /** hw_* and extra specs that shape the domain. */
  readonly hardware: {
    readonly machine: string | undefined;
    readonly diskBus: "virtio" | "scsi" | "sata" | "ide";
    readonly nicModel: string;
    readonly guestAgent: boolean;
    readonly rng: boolean;
  };
}

export interface DomainInterface {
  readonly portId: ResourceId;
  readonly mac: string;
  readonly localVlan: number;
  readonly mtuBytes: number;
}

/** Content of the config drive (nova: doc/source/user/metadata.rst, openstack/latest). */
export interface ConfigDrive {
  readonly metaData: JsonObject;
  readonly networkData: JsonObject;
  readonly userData: string | undefined;
}

/** What libvirt says of a server. */
export interface DomainObservation {
  readonly state: "running" | "paused" | "shut-off" | "crashed" | "suspended" | "other";
  /** Monotonic id of the running process; changes with a restart. */
  readonly processId: number | undefined;
  /** Size of the root disk as the guest sees it; absent where it has none. */
  readonly diskBytes: number | undefined;
  readonly drift: readonly Drift[];
}

/** How far a server must have come. Each rung includes those before it. */
export const readinessRungs = ["running", "address", "ssh", "cloud-init"] as const;
export type ReadinessRung = (typeof readinessRungs)[number];

export interface ReadinessRequest {
  readonly until: ReadinessRung;
  /** Limit of each rung in milliseconds, counted from when the rung before it was reached. */
  readonly limitsMs: Readonly<Record<ReadinessRung, number>>;
  /** Address and network to knock at; absent without ports. */
  readonly address: { readonly networkId: ResourceId; readonly address: string } | undefined;
}

export interface DomainsPort extends AdoptionPort {
  /**
   * Root disk, config drive, XML, define, start: one script. Repeatable; what already is right stays, a domain that is on takes a new
   * definition at its next start, a new config drive also at its next soft reboot, and one that is paused goes on. Raises `not-ours` when a foreign domain has the name or uuid, and then leaves
   * nothing; `invalid-input` when the image is larger than the disk.
   */
  spawn(host: ComputeHost, spec: DomainSpec, start: boolean, signal: AbortSignal): Promise<void>;
  /** One that is paused goes on. Raises `not-found`, `not-ours`. */
  start(host: ComputeHost, id: ResourceId, signal: AbortSignal): Promise<void>;
  /** ACPI shutdown, then power off after `graceMs`. Raises `not-found`, `not-ours`. */
  stop(host: ComputeHost, id: ResourceId, graceMs: number, signal: AbortSignal): Promise<void>;
  /**
   * `soft` asks the guest to, in the same process; `hard` is another process. Either way it boots with the config drive of the last `spawn`. One that
   * is off is started. Raises `not-found`, `not-ours`.
   */
  reboot(host: ComputeHost, id: ResourceId, kind: "soft" | "hard", signal: AbortSignal): Promise<void>;
  /** Domain, disks, folder. Tolerates absence; never touches what is not ours. Raises `not-ours`. */
  remove(host: ComputeHost, id: ResourceId, signal: AbortSignal): Promise<void>;
  /** `undefined`: libvirt answered that there is no such domain. Raises `not-ours` as `spawn` does. */
  observe(host: ComputeHost, spec: DomainSpec, signal: AbortSignal): Promise<DomainObservation | undefined>;
  /**
   * Gives the server a volume that is there: at once where it is on, and for its next starts. Repeatable. Raises `not-found`, `not-ours`, `conflict`
   * when another disk has the device.
   */
  attachVolume(host: ComputeHost, id: ResourceId, volume: AttachedVolume, signal: AbortSignal): Promise<void>;
  /**
   * Takes a volume from the server, and returns when no process of it has it any more. Tolerates absence, of the server too. Raises `in-use` when the
   * guest has not let go within `limitMs`: the server then has it as before.
   */
  detachVolume(
    host: ComputeHost,
    id: ResourceId,
    volumeId: ResourceId,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Tells a guest that is on how large a disk has become: the root disk when `volumeId` is the server's own id. A held file is grown by it. Nothing to do
   * for a server that is off. Raises `not-found` for a server without that disk, `not-ours`.
   */
  resizeVolume(
    host: ComputeHost,
    id: ResourceId,
    volumeId: ResourceId,
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Brings to `target`, a host with the same folder, what of the server is a file of its own beside disks: config drive and console. Repeatable. Raises
   * `not-found` and `not-ours` for `source`, `conflict` when `target` has a domain of the server.
   */
  copyFiles(source: ComputeHost, target: ComputeHost, id: ResourceId, signal: AbortSignal): Promise<void>;
  /**
   * Moves the running guest of a server with its definition, without its disks: they are where both hosts reach them. What the guest needs else must be on
   * `target` already. Aborted by `signal` or after `limitMs`, it goes on where it was and nothing of it is on `target`. Memory passes by our own
   * connections to the hosts. Raises `not-found`, `not-ours`, `command-timeout`, `interrupted`.
   */
  migrate(
    source: ComputeHost,
    target: ComputeHost,
    id: ResourceId,
    limitMs: number,
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Ends the move of a guest that nobody waits for any more. Tolerates absence, of the server too. */
  abortMigration(host: ComputeHost, id: ResourceId, signal: AbortSignal): Promise<void>;
  /** Last lines of the serial console since the last start; empty for a server that has none. */
  readConsole(host: ComputeHost, id: ResourceId, lines: number, signal: AbortSignal): Promise<string>;
  /** Waits up the ladder. Raises `not-ready` with the rung and the console's tail, at once when the domain is off or not there. */
  waitReady(
    host: ComputeHost,
    id: ResourceId,
    request: ReadinessRequest,
    progress: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** What is asked of one host, all in one round trip. */
export interface HostQuestions {
  readonly enrolments: readonly EnrolRequest[];
  readonly domains: readonly { readonly host: ComputeHost; readonly spec: DomainSpec }[];
  readonly networks: readonly NetworkQuestion[];
  readonly images: readonly ImageQuestion[];
  readonly cephClients: readonly CephClientQuestion[];
  readonly volumes: readonly { readonly host: ComputeHost; readonly volume: VolumeRef }[];
}

/** What a host has of what a client of the cluster needs. */
export interface CephClientQuestion {
  readonly host: ComputeHost;
  readonly cluster: CephCluster;
}

export interface NetworkQuestion {
  readonly host: ComputeHost;
  readonly network: NetworkSpec;
  readonly peers: readonly ComputeHost[];
  readonly ports: readonly PortSpec[];
}

export interface ImageQuestion {
  readonly host: ComputeHost;
  readonly image: ImageSpec;
  /** Read the files whole and compare checksums, not only sizes and times. */
  readonly deep: boolean;
}

/** One answer a question, in their order: what the port for it alone would have answered. */
export interface HostAnswers {
  readonly enrolments: readonly Answer<HostObservation>[];
  readonly domains: readonly Answer<DomainObservation | undefined>[];
  readonly networks: readonly Answer<readonly Drift[]>[];
  readonly images: readonly Answer<readonly Drift[]>[];
  readonly cephClients: readonly Answer<readonly Drift[]>[];
  readonly volumes: readonly Answer<VolumeObservation | undefined>[];
}

/** Looks at many things on one host at once. */
export interface ScanPort {
  /** Raises only what concerns the host as a whole, e.g. `host-unreachable`. */
  ask(address: HostAddress, questions: HostQuestions, signal: AbortSignal): Promise<HostAnswers>;
}

/** Scheduling and claims, carried out by the conductor and the scheduler. */
export interface PlacementPort {
  /** Makes a host's capacity known, or corrects it. */
  publish(hostId: HostId, inventory: HostInventory): Promise<void>;
  /** Forgets a host. Raises `in-use` while claims are on it. */
  withdraw(hostId: HostId): Promise<void>;
  /** Chooses and claims a host for the server of this task. Raises `no-valid-host`. Keeps a claim that already is there, in the amounts of now. */
  claim(taskId: TaskId, serverId: ResourceId): Promise<HostId>;
  /** Gives the claim back; tolerates absence. */
  release(serverId: ResourceId): Promise<void>;
  /** Chooses a host for a server that is to leave its own, none of these names, and claims nothing. Raises `no-valid-host`. */
  chooseTarget(serverId: ResourceId, ignoredHosts: readonly string[]): Promise<HostId>;
  /** Claims `hostId` beside the host that the server has (nova: a migration holds an allocation of its own). Repeatable. Raises `no-valid-host`. */
  claimTarget(serverId: ResourceId, hostId: HostId): Promise<void>;
  /** Makes the claim on the target the server's only one. Repeatable. */
  moveClaim(serverId: ResourceId): Promise<void>;
  /** Gives the claim on the target back; tolerates absence. */
  releaseTarget(serverId: ResourceId): Promise<void>;
}

/** Something on a host, or in a pool of Ceph, that carries this cloud's mark. */
export interface MarkedThing {
  /**
   * `port` is a DHCP entry, `tunnel` a port towards another host, `volume` one that is a file, `rbd-image` a root disk, a volume or an image in a pool,
   * `ceph-client` what a client of a cluster needs, `volume-secret` the key of an encrypted volume in libvirt.
   */
  readonly kind:
    | "server"
    | "image"
    | "network"
    | "port"
    | "tunnel"
    | "volume"
    | "rbd-image"
    | "ceph-client"
    | "volume-secret";
  /** Of a port `NETWORK/PORT`, of a tunnel `NETWORK/HOST`, of an RBD image `CLUSTER/POOL/NAME`; else the resource's. */
  readonly id: string;
  /** Resources that it is for: once one of them has no record, or none on this host, it is left over. */
  readonly ownerIds: readonly string[];
  readonly description: string;
  /** Of a volume or an RBD image: it is being made, or its making was broken off. Default false. */
  readonly isHalfMade?: boolean;
  /** The RBD image. */
  readonly image?: VolumeRef;
}

/** What hosts hold of the cloud, for `gc`. */
export interface LeftoversPort {
  /** All on the host that carries the mark of its cloud; nothing without it. Files carry that of the folder they lie in. */
  list(host: ComputeHost, signal: AbortSignal): Promise<readonly MarkedThing[]>;
  /**
   * All RBD images in a pool that carry the mark of the host's cloud, seen from a host that is a client of the cluster. Raises `ceph-unreachable`,
   * `ceph-refused`, `not-found` for a pool that is not there.
   */
  listPool(host: ComputeHost, place: RbdPlace, signal: AbortSignal): Promise<readonly MarkedThing[]>;
  /**
   * Removes one thing with all that is its own; of what is half-made nothing that is whole by now. Tolerates absence. Raises `not-ours`; `in-use` with
   * the snapshots and clones of a volume, or who has it open; `wrong-state` for one that another host is making.
   */
  remove(host: ComputeHost, thing: MarkedThing, signal: AbortSignal): Promise<void>;
}
