import type { JsonObject } from "../core/json.ts";
import type { HostNumaCell } from "./numa.ts";
import type { SchedulerOptions } from "./options.ts";
import type { PciPool } from "./pci.ts";
import type { Inventory } from "./placement.ts";

/** A group of hosts with metadata; an availability zone is one whose metadata has `availability_zone`. */
export interface Aggregate {
  readonly name: string;
  /** Values are comma-separated lists where the reader of a key says so. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A server that is on a host. */
export interface HostedServer {
  readonly id: string;
  /** `null` where unknown; read by TypeAffinityFilter only. */
  readonly flavorId: string | null;
  /** Image properties by Glance's names; read by ImagePropertiesWeigher only. */
  readonly imageProperties: JsonObject;
}

/** Architecture, hypervisor type and machine mode that a host can run, in Nova's canonical names. */
export type SupportedInstance = readonly [architecture: string, hypervisorType: string, mode: string];

/**
 * What a host offers and holds, as filters and weighers see it: plain data, never changed in place
 * (nova: scheduler/host_manager.py HostState).
 */
export interface HostState {
  /** Unique among all hosts. */
  readonly hostId: string;
  /** Name of the compute service; what hints, aggregates and server groups mean by a host. */
  readonly name: string;
  /** Name of the hypervisor, equal to `name` on our hosts. */
  readonly nodename: string;
  readonly cell: string;
  /** False when an operator has taken the host out of service. */
  readonly enabled: boolean;
  /** False when the host has not been heard of lately, or was forced down. */
  readonly up: boolean;

  readonly vcpusTotal: number;
  readonly vcpusUsed: number;
  readonly totalRamMib: number;
  /** May be negative on an overcommitted host. */
  readonly freeRamMib: number;
  readonly totalDiskGib: number;
  readonly freeDiskMib: number;
  readonly cpuAllocationRatio: number;
  readonly ramAllocationRatio: number;
  readonly diskAllocationRatio: number;

  readonly numInstances: number;
  /** Servers that are being built, resized, migrated or snapshotted. */
  readonly numIoOps: number;
  readonly failedBuilds: number;
  /** Distinct servers. */
  readonly servers: readonly HostedServer[];
  readonly aggregates: readonly Aggregate[];

  readonly hypervisorType: string | null;
  /** 7002000 is 7.2.0. */
  readonly hypervisorVersion: number | null;
  readonly supportedInstances: readonly SupportedInstance[];
  readonly cpuInfo: JsonObject | null;
  readonly hostIp: string | null;
  /** By Nova's metric names, `cpu.percent` and its like as 0 to 100. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Free-form capabilities that extra specs can ask for. */
  readonly stats: Readonly<Record<string, string>>;
  readonly pciPools: readonly PciPool[];
  /** Empty when the host reports no NUMA topology. */
  readonly numaCells: readonly HostNumaCell[];
  /** Placement traits, such as `HW_CPU_X86_AVX2`. */
  readonly traits: readonly string[];
  /** By resource class: `VCPU`, `MEMORY_MB`, `DISK_GB` and others. */
  readonly inventories: Readonly<Record<string, Inventory>>;
}

/** What one of our hosts reports, and what is claimed on it. */
export interface HostReport {
  readonly hostId: string;
  readonly name: string;
  readonly inventory: {
    readonly vcpus: number;
    readonly ramMib: number;
    readonly diskGib: number;
    /** Canonical name, such as `x86_64`. */
    readonly architecture: string;
    readonly virtType: "kvm" | "qemu";
    /** 7002000 is 7.2.0. */
    readonly hypervisorVersion: number;
  };
  /** Sums of all claims on the host, without what is reserved. */
  readonly usage: { readonly vcpus: number; readonly ramMib: number; readonly diskGib: number };
  readonly servers?: readonly {
    readonly id: string;
    readonly flavorId?: string;
    readonly imageProperties?: JsonObject;
  }[];
  /** Servers of the host whose build or move is running. Default 0. */
  readonly building?: number;
  /** Default 0. */
  readonly failedBuilds?: number;
  readonly availabilityZone?: string;
  readonly aggregates?: readonly Aggregate[];
  readonly enabled?: boolean;
  readonly up?: boolean;
  readonly hostIp?: string;
  readonly stats?: Readonly<Record<string, string>>;
  readonly traits?: readonly string[];
}

/** What of a host's total may be given away: `(total - reserved) * allocationRatio`. */
export type Share = Pick<Inventory, "reserved" | "allocationRatio">;

/** What the options say of each resource class, whatever the host: amounts in the class's own unit. */
export function readShares({
  DEFAULT: options,
}: SchedulerOptions): Readonly<Record<"VCPU" | "MEMORY_MB" | "DISK_GB", Share>> {
  return {
    VCPU: {
      reserved: options.reserved_host_cpus,
      allocationRatio: options.initial_cpu_allocation_ratio,
    },
    MEMORY_MB: {
      reserved: options.reserved_host_memory_mb,
      allocationRatio: options.initial_ram_allocation_ratio,
    },
    DISK_GB: {
      reserved: Math.ceil(options.reserved_host_disk_mb / 1024),
      allocationRatio: options.initial_disk_allocation_ratio,
    },
  };
}

/**
 * The state of one of our hosts. Allocation ratios and reserved amounts are those of `options` (`initial_*_allocation_ratio`,
 * `reserved_host_*`); what is reserved counts as used, as in Nova's resource tracker.
 */
export function hostStateFrom(report: HostReport, options: SchedulerOptions): HostState {
  const { inventory, usage } = report;
  const shares = readShares(options);
  const offer = (total: number, used: number, share: Share): Inventory => ({
    total,
    used,
    ...share,
    minUnit: 1,
    maxUnit: total,
    stepSize: 1,
  });
  const servers = report.servers ?? [];
  const zone =
    report.availabilityZone === undefined
      ? []
      : [{ name: report.availabilityZone, metadata: { availability_zone: report.availabilityZone } }];
  return {
    hostId: report.hostId,
    name: report.name,
    nodename: report.name,
    cell: "cell1",
    enabled: report.enabled ?? true,
    up: report.up ?? true,
    vcpusTotal: inventory.vcpus,
    vcpusUsed: usage.vcpus + shares.VCPU.reserved,
    totalRamMib: inventory.ramMib,
    freeRamMib: inventory.ramMib - shares.MEMORY_MB.reserved - usage.ramMib,
    totalDiskGib: inventory.diskGib,
    freeDiskMib: (inventory.diskGib - shares.DISK_GB.reserved - usage.diskGib) * 1024,
    cpuAllocationRatio: shares.VCPU.allocationRatio,
    ramAllocationRatio: shares.MEMORY_MB.allocationRatio,
    diskAllocationRatio: shares.DISK_GB.allocationRatio,
    numInstances: servers.length,
    numIoOps: report.building ?? 0,
    failedBuilds: report.failedBuilds ?? 0,
    servers: servers.map(({ id, flavorId, imageProperties }) => ({
      id,
      flavorId: flavorId ?? null,
      imageProperties: imageProperties ?? nothing,
    })),
    aggregates: zone.length === 0 ? (report.aggregates ?? none) : [...zone, ...(report.aggregates ?? none)],
    hypervisorType: "QEMU",
    hypervisorVersion: inventory.hypervisorVersion,
    supportedInstances: supportedBy(inventory.architecture, inventory.virtType),
    cpuInfo: { arch: inventory.architecture },
    hostIp: report.hostIp ?? null,
    metrics: nothing,
    stats: report.stats ?? nothing,
    pciPools: none,
    numaCells: none,
    traits: report.traits ?? none,
    inventories: {
      VCPU: offer(inventory.vcpus, usage.vcpus, shares.VCPU),
      MEMORY_MB: offer(inventory.ramMib, usage.ramMib, shares.MEMORY_MB),
      DISK_GB: offer(inventory.diskGib, usage.diskGib, shares.DISK_GB),
    },
  };
}

/** Shared by all hosts that have none, so that ten thousand hosts stay small. */
const none: readonly never[] = [];
const nothing: Readonly<Record<string, never>> = {};

/** A host runs its own architecture, and x86_64 hosts i686 guests as well (nova: virt/libvirt/driver.py _get_instance_capabilities). */
function supportedBy(architecture: string, virtType: "kvm" | "qemu"): readonly SupportedInstance[] {
  const key = `${architecture} ${virtType}`;
  const known = supportedInstances.get(key);
  if (known !== undefined) return known;
  const architectures = architecture === "x86_64" ? ["x86_64", "i686"] : [architecture];
  const hypervisors = virtType === "kvm" ? ["kvm", "qemu"] : ["qemu"];
  const supported = architectures.flatMap((guest) =>
    hypervisors.map((hypervisor): SupportedInstance => [guest, hypervisor, "hvm"]),
  );
  supportedInstances.set(key, supported);
  return supported;
}

/** Lists made by {@link supportedBy}: hosts of one kind share theirs. */
const supportedInstances = new Map<string, readonly SupportedInstance[]>();
