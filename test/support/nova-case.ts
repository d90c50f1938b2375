import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

import { z } from "zod";

import type { JsonObject } from "../../providers/core/json.ts";
import type { Aggregate, HostState, SupportedInstance } from "../../providers/scheduler/host-state.ts";
import type { SchedulerOptions } from "../../providers/scheduler/options.ts";
import { readSchedulerOptions } from "../../providers/scheduler/options.ts";
import type { Inventory } from "../../providers/scheduler/placement.ts";
import type { RequestSpec } from "../../providers/scheduler/request.ts";
import { requestSpecFrom } from "../../providers/scheduler/request.ts";
import type { WeigherName } from "../../providers/scheduler/weigher.ts";

/** A case with the answer of Nova's own code (26.2.2); each line of `test/fixtures/nova-cases.jsonl.gz` is one. */
export interface NovaCase {
  readonly id: number;
  readonly kind: string;
  readonly hosts: readonly HostState[];
  readonly request: RequestSpec;
  readonly options: SchedulerOptions;
  readonly answer: NovaAnswer;
}

export interface NovaAnswer {
  /** Names taken away, by stage: the name of a filter, `placement`, or `requested hosts`; stages that took none are left out. */
  readonly removedBy: Readonly<Record<string, readonly string[]>>;
  readonly filtersRun: readonly string[];
  readonly weighed: readonly { readonly name: string; readonly weight: number }[];
  readonly resources: Readonly<Record<string, number>>;
  /** Empty when Nova raises NoValidHost. */
  readonly selected: readonly string[];
  readonly alternates: readonly (readonly string[])[];
  /** Nova raised this itself. */
  readonly error: { readonly type: string; readonly stage: string } | undefined;
}

const names = z.array(z.string());
const amountOf = z.record(z.string(), z.number());
const text = z.record(z.string(), z.string());
const plainObject: z.ZodType<JsonObject> = z.record(z.string(), z.json());

const hostSchema = z.strictObject({
  name: z.string(),
  cell: z.string().default("cell1"),
  total_ram_mb: z.number(),
  free_ram_mb: z.number(),
  total_disk_gb: z.number(),
  free_disk_mb: z.number(),
  disk_available_least: z.number().nullish(),
  vcpus_total: z.number(),
  vcpus_used: z.number(),
  cpu_allocation_ratio: z.number(),
  ram_allocation_ratio: z.number(),
  disk_allocation_ratio: z.number(),
  reserved_vcpus: z.number().default(0),
  reserved_ram_mb: z.number().default(0),
  reserved_disk_gb: z.number().default(0),
  placement: z.record(z.string(), amountOf).default({}),
  num_instances: z.number(),
  num_io_ops: z.number(),
  failed_builds: z.number().default(0),
  stats: text.default({}),
  instances: names,
  hypervisor_type: z.string().default("QEMU"),
  hypervisor_version: z.number().default(7002000),
  supported_instances: z
    .array(z.tuple([z.string(), z.string(), z.string()]))
    .default([["x86_64", "kvm", "hvm"]]),
  cpu_info: plainObject.nullish(),
  host_ip: z.string().nullish(),
  metrics: z.array(z.object({ name: z.string(), value: z.number() })).default([]),
  pci_pools: z
    .array(z.strictObject({ vendor_id: z.string(), product_id: z.string(), count: z.number() }))
    .default([]),
  disabled: z.boolean().default(false),
  forced_down: z.boolean().default(false),
  up: z.boolean().default(true),
  no_service: z.boolean().default(false),
});
type CaseHost = z.output<typeof hostSchema>;

const requestSchema = z.strictObject({
  flavor: z.strictObject({
    name: z.string(),
    vcpus: z.number(),
    memory_mb: z.number(),
    root_gb: z.number(),
    ephemeral_gb: z.number().default(0),
    swap: z.number().default(0),
    extra_specs: text.default({}),
  }),
  image: z.strictObject({ id: z.string().nullish(), properties: plainObject.default({}) }).nullish(),
  num_instances: z.number(),
  instance_uuids: names.optional(),
  project_id: z.string().default("project"),
  availability_zone: z.string().nullish(),
  scheduler_hints: plainObject.default({}),
  instance_group: z
    .strictObject({
      uuid: z.string(),
      policy: z.enum(["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]),
      rules: z.strictObject({ max_server_per_host: z.number() }).optional(),
      members: names,
      hosts: names,
    })
    .optional(),
  ignore_hosts: names.default([]),
  force_hosts: names.default([]),
  requested_destination: z
    .strictObject({
      host: z.string().optional(),
      cell: z.string().optional(),
      allow_cross_cell_move: z.boolean().default(false),
    })
    .optional(),
  is_bfv: z.boolean().default(false),
  pci_requests: z.array(z.strictObject({ count: z.number(), spec: z.array(text) })).default([]),
});

const caseSchema = z.object({
  id: z.number(),
  kind: z.string(),
  case: z.strictObject({
    options: z.record(z.string(), z.unknown()),
    aggregates: z.array(z.strictObject({ name: z.string(), metadata: text, hosts: names })),
    hosts: z.array(hostSchema),
    request: requestSchema,
    placement: z.boolean().default(true),
  }),
  answer: z.object({
    removed_by: z.record(z.string(), names),
    filters_run: names,
    weighed: z.array(z.object({ name: z.string(), weight: z.number() })),
    resources: amountOf,
    selected: names.default([]),
    alternates: z.array(names).default([]),
    error: z.object({ type: z.string(), stage: z.string() }).optional(),
  }),
});

/** Nova's weighers of release 26, in the order that the answers were summed in. */
const weighersOfZed: readonly WeigherName[] = [
  "ServerGroupSoftAffinityWeigher",
  "ServerGroupSoftAntiAffinityWeigher",
  "BuildFailureWeigher",
  "CPUWeigher",
  "CrossCellWeigher",
  "DiskWeigher",
  "IoOpsWeigher",
  "MetricsWeigher",
  "PCIWeigher",
  "RAMWeigher",
];

/** Reads all cases. */
export function readNovaCases(): readonly NovaCase[] {
  const packed = readFileSync(new URL("../fixtures/nova-cases.jsonl.gz", import.meta.url));
  return gunzipSync(packed)
    .toString("utf8")
    .trimEnd()
    .split("\n")
    .map((line) => novaCaseFrom(caseSchema.parse(JSON.parse(line))));
}

function novaCaseFrom({ id, kind, case: given, answer }: z.output<typeof caseSchema>): NovaCase {
  const { host_manager: requestedHosts = [], ...removedBy } = answer.removed_by;
  return {
    id,
    kind,
    hosts: given.hosts.filter((host) => !host.no_service).map((host) => hostFrom(host, given.aggregates)),
    request: requestFrom(given.request, given.placement),
    options: optionsFrom(given.options),
    answer: {
      removedBy: Object.fromEntries(
        Object.entries({ ...removedBy, "requested hosts": requestedHosts }).filter(
          ([stage, removed]) => stage !== "no_service" && removed.length > 0,
        ),
      ),
      filtersRun: answer.filters_run,
      weighed: answer.weighed,
      resources: answer.resources,
      selected: answer.selected,
      alternates: answer.alternates,
      error: answer.error,
    },
  };
}

/** `"group.option": value` as nested groups. The answers leave the zone to AvailabilityZoneFilter alone. */
function optionsFrom(flat: Readonly<Record<string, unknown>>): SchedulerOptions {
  const groups: Record<string, Record<string, unknown>> = {
    scheduler: { query_placement_for_availability_zone: false },
    filter_scheduler: { weight_classes: weighersOfZed },
    metrics: {},
    DEFAULT: {},
  };
  for (const [key, value] of Object.entries(flat)) {
    const [group = "", option] = key.split(".");
    Object.assign((option === undefined ? groups["DEFAULT"] : groups[group]) ?? {}, {
      [option ?? group]: value,
    });
  }
  return readSchedulerOptions(groups);
}

const percentMetrics: ReadonlySet<string> = new Set([
  "cpu.percent",
  "cpu.user.percent",
  "cpu.kernel.percent",
  "cpu.idle.percent",
  "cpu.iowait.percent",
]);

function hostFrom(
  host: CaseHost,
  aggregates: readonly (Aggregate & { readonly hosts: readonly string[] })[],
): HostState {
  const freeDiskGib = host.free_disk_mb / 1024;
  return {
    hostId: host.name,
    name: host.name,
    nodename: host.name,
    cell: host.cell,
    enabled: !host.disabled,
    up: host.up && !host.forced_down,
    vcpusTotal: host.vcpus_total,
    vcpusUsed: host.vcpus_used,
    totalRamMib: host.total_ram_mb,
    freeRamMib: host.free_ram_mb,
    totalDiskGib: host.total_disk_gb,
    freeDiskMib: Math.min(host.disk_available_least ?? Infinity, freeDiskGib) * 1024,
    cpuAllocationRatio: host.cpu_allocation_ratio,
    ramAllocationRatio: host.ram_allocation_ratio,
    diskAllocationRatio: host.disk_allocation_ratio,
    numInstances: host.num_instances,
    numIoOps: host.num_io_ops,
    failedBuilds: host.failed_builds,
    servers: host.instances.map((id) => ({ id, flavorId: null, imageProperties: {} })),
    aggregates: aggregates.filter(({ hosts }) => hosts.includes(host.name)),
    hypervisorType: host.hypervisor_type,
    hypervisorVersion: host.hypervisor_version,
    supportedInstances: host.supported_instances satisfies readonly SupportedInstance[],
    cpuInfo: host.cpu_info ?? null,
    hostIp: host.host_ip ?? null,
    metrics: Object.fromEntries(
      host.metrics.map(({ name, value }) => [
        name,
        Math.trunc(percentMetrics.has(name) ? value * 100 : value),
      ]),
    ),
    stats: {
      num_instances: String(host.num_instances),
      io_workload: String(host.num_io_ops),
      failed_builds: String(host.failed_builds),
      ...host.stats,
    },
    pciPools: host.pci_pools.map(({ count, ...properties }) => ({ count, numaNode: null, properties })),
    numaCells: [],
    traits: [],
    inventories: inventoriesFrom(host, freeDiskGib),
  };
}

/** Nova's figures count what is reserved as used; Placement's do not. */
function inventoriesFrom(host: CaseHost, freeDiskGib: number): Readonly<Record<string, Inventory>> {
  const basic = {
    VCPU: {
      total: host.vcpus_total,
      reserved: host.reserved_vcpus,
      used: host.vcpus_used - host.reserved_vcpus,
      allocation_ratio: host.cpu_allocation_ratio,
    },
    MEMORY_MB: {
      total: host.total_ram_mb,
      reserved: host.reserved_ram_mb,
      used: host.total_ram_mb - host.free_ram_mb - host.reserved_ram_mb,
      allocation_ratio: host.ram_allocation_ratio,
    },
    DISK_GB: {
      total: host.total_disk_gb,
      reserved: host.reserved_disk_gb,
      used: host.total_disk_gb - freeDiskGib - host.reserved_disk_gb,
      allocation_ratio: host.disk_allocation_ratio,
    },
  };
  const all: Readonly<Record<string, Readonly<Record<string, number>>>> = { ...host.placement, ...basic };
  return Object.fromEntries(
    Object.entries(all).map(([resourceClass, amounts]) => {
      const inventory: Readonly<Record<string, number>> = { ...amounts, ...host.placement[resourceClass] };
      return [
        resourceClass,
        {
          total: inventory["total"] ?? 0,
          reserved: inventory["reserved"] ?? 0,
          used: Math.max(0, inventory["used"] ?? 0),
          allocationRatio: inventory["allocation_ratio"] ?? 1,
          minUnit: inventory["min_unit"] ?? 1,
          maxUnit: inventory["max_unit"] ?? 2147483647,
          stepSize: inventory["step_size"] ?? 1,
        },
      ];
    }),
  );
}

function requestFrom(given: z.output<typeof requestSchema>, placement: boolean): RequestSpec {
  const { flavor, instance_group: group, requested_destination: destination } = given;
  return requestSpecFrom({
    projectId: given.project_id,
    instanceIds:
      given.instance_uuids ??
      Array.from({ length: given.num_instances }, (_none, index) => `instance-${String(index)}`),
    flavor: {
      name: flavor.name,
      vcpus: flavor.vcpus,
      ramMib: flavor.memory_mb,
      rootGib: flavor.root_gb,
      ephemeralGib: flavor.ephemeral_gb,
      swapMib: flavor.swap,
      extraSpecs: flavor.extra_specs,
    },
    image:
      given.image === undefined || given.image === null
        ? null
        : { ...given.image, id: given.image.id ?? null },
    bootFromVolume: given.is_bfv,
    availabilityZone: given.availability_zone ?? null,
    hints: given.scheduler_hints,
    group:
      group === undefined
        ? null
        : {
            id: group.uuid,
            policy: group.policy,
            maxServerPerHost: group.rules?.max_server_per_host ?? 1,
            members: group.members,
            hosts: group.hosts,
          },
    ignoreHosts: given.ignore_hosts,
    forceHosts: given.force_hosts,
    destination:
      destination === undefined
        ? null
        : {
            host: destination.host ?? null,
            node: null,
            cell: destination.cell ?? null,
            allowCrossCellMove: destination.allow_cross_cell_move,
          },
    pciRequests: given.pci_requests.map(({ count, spec }) => ({ count, specs: spec })),
    rebuild: !placement,
  });
}
