import { z } from "zod";

import { StackyardError } from "../core/errors.ts";
import { listNearest } from "../core/nearest.ts";
import { filterNames } from "./filter.ts";
import { architectures } from "./image-metadata.ts";
import { weigherNames } from "./weigher.ts";

const multiplier = (fallback: number) => z.number().default(fallback);
const nonNegativeMultiplier = (fallback: number) => z.number().min(0).default(fallback);
const ratio = (fallback: number) => z.number().positive().default(fallback);
const atLeast = (lowest: number, fallback: number) => z.int().min(lowest).default(fallback);

const filterScheduler = z.strictObject({
  enabled_filters: z
    .array(z.enum(filterNames))
    .default([
      "ComputeFilter",
      "ComputeCapabilitiesFilter",
      "ImagePropertiesFilter",
      "ServerGroupAntiAffinityFilter",
      "ServerGroupAffinityFilter",
    ])
    .describe("Filters that run, in this order."),
  weight_classes: z
    .array(z.enum(weigherNames))
    .default([...weigherNames])
    .describe("Weighers that run. They are summed in this order."),
  host_subset_size: atLeast(1, 1).describe("One of so many best hosts is drawn at random."),
  shuffle_best_same_weighed_hosts: z
    .boolean()
    .default(false)
    .describe("Draws among the hosts that share the best weight."),
  max_io_ops_per_host: atLeast(0, 8).describe(
    "IoOpsFilter: a host with as many builds and moves running is full.",
  ),
  max_instances_per_host: atLeast(1, 50).describe("NumInstancesFilter: a host with as many servers is full."),
  isolated_images: z
    .array(z.string())
    .default([])
    .describe("IsolatedHostsFilter: ids of images that only isolated hosts run."),
  isolated_hosts: z
    .array(z.string())
    .default([])
    .describe("IsolatedHostsFilter: names of hosts for isolated images."),
  restrict_isolated_hosts_to_isolated_images: z
    .boolean()
    .default(true)
    .describe("IsolatedHostsFilter: other images stay off the isolated hosts."),
  image_properties_default_architecture: z
    .enum(architectures)
    .optional()
    .describe("ImagePropertiesFilter: architecture of an image that states none."),
  aggregate_image_properties_isolation_namespace: z
    .string()
    .optional()
    .describe(
      "AggregateImagePropertiesIsolation: only metadata keys that begin with it (and the separator) count.",
    ),
  aggregate_image_properties_isolation_separator: z
    .string()
    .default(".")
    .describe("AggregateImagePropertiesIsolation: what follows the namespace."),
  ram_weight_multiplier: multiplier(1).describe("RAMWeigher: positive spreads, negative packs."),
  cpu_weight_multiplier: multiplier(1).describe("CPUWeigher: positive spreads, negative packs."),
  disk_weight_multiplier: multiplier(1).describe("DiskWeigher: positive spreads, negative packs."),
  hypervisor_version_weight_multiplier: multiplier(1).describe(
    "HypervisorVersionWeigher: positive prefers newer hosts.",
  ),
  num_instances_weight_multiplier: multiplier(0).describe(
    "NumInstancesWeigher: positive packs, negative spreads.",
  ),
  io_ops_weight_multiplier: multiplier(-1).describe("IoOpsWeigher: negative prefers idle hosts."),
  image_props_weight_multiplier: multiplier(0).describe(
    "ImagePropertiesWeigher: positive packs servers of like images.",
  ),
  image_props_weight_setting: z
    .array(z.string())
    .default([])
    .describe("ImagePropertiesWeigher: `property=ratio`; when empty all properties count 1."),
  pci_weight_multiplier: nonNegativeMultiplier(1).describe(
    "PCIWeigher: keeps hosts with free PCI devices free.",
  ),
  soft_affinity_weight_multiplier: nonNegativeMultiplier(1).describe("ServerGroupSoftAffinityWeigher."),
  soft_anti_affinity_weight_multiplier: nonNegativeMultiplier(1).describe(
    "ServerGroupSoftAntiAffinityWeigher.",
  ),
  build_failure_weight_multiplier: multiplier(1_000_000).describe(
    "BuildFailureWeigher: positive avoids failing hosts.",
  ),
  cross_cell_move_weight_multiplier: multiplier(1_000_000).describe(
    "CrossCellWeigher: positive stays in the cell.",
  ),
});

const metrics = z.strictObject({
  weight_setting: z
    .array(z.string())
    .default([])
    .describe("MetricsWeigher and MetricsFilter: `metric=ratio`."),
  weight_multiplier: multiplier(1).describe("MetricsWeigher."),
  required: z.boolean().default(true).describe("MetricsWeigher: a host without a metric is an error."),
  weight_of_unavailable: multiplier(-10_000).describe(
    "MetricsWeigher: raw weight of a host without a metric.",
  ),
});

const scheduler = z.strictObject({
  max_attempts: atLeast(1, 3).describe("Hosts named for a server: the chosen one and its alternates."),
  query_placement_for_availability_zone: z
    .boolean()
    .default(true)
    .describe("Zone is checked for every request, whether or not AvailabilityZoneFilter is enabled."),
});

const compute = z.strictObject({
  packing_host_numa_cells_allocation_strategy: z
    .boolean()
    .default(false)
    .describe("NUMATopologyFilter: fill the fullest NUMA cell first."),
});

const defaults = z.strictObject({
  default_availability_zone: z.string().default("nova").describe("Zone of a host that is in none."),
  initial_cpu_allocation_ratio: ratio(4).describe("Virtual CPUs for each CPU of a host."),
  initial_ram_allocation_ratio: ratio(1).describe("RAM given to servers for each MiB of a host."),
  initial_disk_allocation_ratio: ratio(1).describe("Disk given to servers for each GiB of a host."),
  reserved_host_cpus: atLeast(0, 0).describe("CPUs kept for the host itself."),
  reserved_host_memory_mb: atLeast(0, 512).describe("RAM kept for the host itself, MiB."),
  reserved_host_disk_mb: atLeast(0, 0).describe("Disk kept for the host itself, MiB."),
});

/** Options of the scheduler by nova.conf's groups and names, with Nova's defaults and ranges (nova: conf/scheduler.py, conf/compute.py). */
export const schedulerOptionsSchema = z.strictObject({
  DEFAULT: defaults.prefault({}),
  scheduler: scheduler.prefault({}),
  filter_scheduler: filterScheduler.prefault({}),
  metrics: metrics.prefault({}),
  compute: compute.prefault({}),
});

/** Options with every default filled in. */
export type SchedulerOptions = z.output<typeof schedulerOptionsSchema>;

/** Checks options and fills in the defaults. Raises `invalid-input` with the option as field: `filter_scheduler.host_subset_size`. */
export function readSchedulerOptions(given: z.input<typeof schedulerOptionsSchema>): SchedulerOptions {
  return parseSchedulerOptions(given, "the scheduler's options");
}

/** The same for what came from outside; `source` says from where. A group without options counts as left out. */
export function parseSchedulerOptions(given: unknown, source: string): SchedulerOptions {
  const result = schedulerOptionsSchema.safeParse(dropEmptyGroups(given), { reportInput: true });
  if (result.success) return result.data;
  throw describeFault(result.error, source);
}

/** What YAML makes of a group whose options are all comments. */
function dropEmptyGroups(given: unknown): unknown {
  if (given === undefined || given === null) return {};
  if (typeof given !== "object" || Array.isArray(given)) return given;
  return Object.fromEntries(Object.entries(given).filter(([, group]) => group !== null));
}

/** What is wrong with one option. */
interface Fault {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly what: string;
  readonly remedy: string;
}

/** The first fault, with the known names that are most like a wrong one; the others are notes. */
function describeFault(error: z.ZodError, source: string): StackyardError {
  const [fault, ...others] = error.issues.map(toFault);
  if (fault === undefined)
    return new StackyardError("internal", { message: `${source} cannot be used, for no reason` });
  return new StackyardError("invalid-input", {
    message: `${source} cannot be used: ${[nameField(fault), fault.what].join(" ").trim()}`,
    field: nameField(fault),
    value: fault.value,
    remedy: fault.remedy,
    notes: others.slice(0, maxNotes).map((other) => `also: ${nameField(other)} ${other.what}`),
  });
}

/** Most faults that are told beside the first. */
const maxNotes = 10;

function nameField({ path }: Fault): string {
  return path.map((key) => (key.length <= maxKeyChars ? key : `${key.slice(0, maxKeyChars)}…`)).join(".");
}

/** Longest part of a name that is repeated in full. */
const maxKeyChars = 64;

function toFault(issue: z.core.$ZodIssue): Fault {
  const path = issue.path.map(String);
  const value = issue.input;
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const [group] = path;
    const what = group === undefined ? "is no group of options" : `is no option of the group ${group}`;
    return { path: [...path, key], value: pick(value, key), what, remedy: adviseName(key, group) };
  }
  if (issue.code === "invalid_value") {
    const nearest = listNearest(String(value), issue.values.map(String));
    return { path, value, what: "is no known value", remedy: `Nearest known values: ${nearest.join(", ")}.` };
  }
  const what = `is wrong: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
  return { path, value, what, remedy: "Correct the option, or leave it out." };
}

function pick(object: unknown, key: string): unknown {
  return typeof object === "object" && object !== null ? Reflect.get(object, key) : undefined;
}

/** All options of all groups, as `group.option`. */
const optionNames = Object.entries(schedulerOptionsSchema.shape).flatMap(([group, schema]) =>
  Object.keys(schema.unwrap().shape).map((option) => `${group}.${option}`),
);

/** Where a name belongs, or which ones are like it. */
function adviseName(key: string, group: string | undefined): string {
  const home = optionNames.find((name) => name.endsWith(`.${key}`));
  if (home !== undefined)
    return `It is an option of the group ${home.slice(0, -key.length - 1)}: write it there.`;
  const groups = Object.keys(schedulerOptionsSchema.shape);
  const inGroup = (name: string): string => name.slice(name.indexOf(".") + 1);
  const known =
    group === undefined
      ? [...groups, ...optionNames.map(inGroup)]
      : optionNames.flatMap((name) => (name.startsWith(`${group}.`) ? [inGroup(name)] : []));
  const nearest = listNearest(key, known).map((name) =>
    group === undefined ? (optionNames.find((full) => inGroup(full) === name) ?? name) : name,
  );
  return `Nearest known names: ${nearest.join(", ")}.`;
}
