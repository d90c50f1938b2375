import type { JsonObject, JsonValue } from "../core/json.ts";
import { isJsonObject } from "../core/json.ts";
import type { HostState } from "./host-state.ts";
import { isJsonList, parseJson } from "./json-value.ts";

/** A value that only Nova's own objects have: it is there, but equal to nothing that a request can write. */
const opaque = "<object>";

/** Attributes of Nova's HostState by their names in extra specs and JSON queries. */
const attributes: Readonly<Record<string, (host: HostState) => JsonValue>> = {
  host: (host) => host.name,
  nodename: (host) => host.nodename,
  uuid: (host) => host.hostId,
  hypervisor_hostname: (host) => host.nodename,
  cell_uuid: (host) => host.cell,
  total_usable_ram_mb: (host) => host.totalRamMib,
  total_usable_disk_gb: (host) => host.totalDiskGib,
  disk_mb_used: (host) => host.totalDiskGib * 1024 - host.freeDiskMib,
  free_ram_mb: (host) => host.freeRamMib,
  free_disk_mb: (host) => host.freeDiskMib,
  vcpus_total: (host) => host.vcpusTotal,
  vcpus_used: (host) => host.vcpusUsed,
  num_instances: (host) => host.numInstances,
  num_io_ops: (host) => host.numIoOps,
  failed_builds: (host) => host.failedBuilds,
  host_ip: (host) => (host.hostIp === null ? null : opaque),
  hypervisor_type: (host) => host.hypervisorType,
  hypervisor_version: (host) => host.hypervisorVersion,
  cpu_info: (host) => (host.cpuInfo === null ? null : JSON.stringify(host.cpuInfo)),
  supported_instances: (host) => host.supportedInstances,
  cpu_allocation_ratio: (host) => host.cpuAllocationRatio,
  ram_allocation_ratio: (host) => host.ramAllocationRatio,
  disk_allocation_ratio: (host) => host.diskAllocationRatio,
  stats: (host) => host.stats,
  service: (host) => ({ host: host.name, disabled: !host.enabled }),
  updated: () => null,
  limits: () => ({}),
  pci_stats: () => opaque,
  numa_topology: (host) => (host.numaCells.length === 0 ? null : opaque),
  metrics: () => opaque,
  aggregates: () => opaque,
  instances: () => opaque,
  allocation_candidates: () => opaque,
  update: () => opaque,
  consume_from_request: () => opaque,
};

/** Attributes that Nova keeps as floats, which it writes with a fraction: 4.0. */
const floatAttributes: ReadonlySet<string> = new Set([
  "cpu_allocation_ratio",
  "ram_allocation_ratio",
  "disk_allocation_ratio",
]);

/** Whether a host has an attribute of this name, be it empty. */
export function isHostAttribute(name: string): boolean {
  return Object.hasOwn(attributes, name);
}

/** An attribute's value; `null` when it is empty or unknown. */
export function hostAttribute(host: HostState, name: string): JsonValue {
  return isHostAttribute(name) ? (attributes[name]?.(host) ?? null) : null;
}

/**
 * A capability as Nova writes it, for comparison with an extra spec; `undefined` when the host has none. The first part of
 * the path names an attribute, else one of the stats; text is read as JSON on the way down
 * (nova: scheduler/filters/compute_capabilities_filter.py _get_capabilities).
 */
export function capabilityText(host: HostState, path: readonly string[]): string | undefined {
  const [first = "", ...rest] = path;
  if (rest.length === 0 && first === "host_ip") return host.hostIp ?? undefined;
  if (rest.length > 0 && first === "service") return undefined;
  let value: JsonValue | undefined =
    hostAttribute(host, first) ?? (Object.hasOwn(host.stats, first) ? host.stats[first] : null);
  if (rest.length > 0 && first === "cpu_info") value = host.cpuInfo;
  for (const part of rest) {
    const parent: JsonValue | undefined = typeof value === "string" ? parseJson(value) : value;
    value = isJsonObject(parent) && Object.hasOwn(parent, part) ? parent[part] : undefined;
  }
  if (value === undefined || value === null) return undefined;
  return rest.length === 0 && floatAttributes.has(first) && typeof value === "number"
    ? floatText(value)
    : valueText(value);
}

function floatText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** Python's `str()` of plain data. */
export function valueText(value: JsonValue): string {
  return typeof value === "string" ? value : representation(value);
}

function representation(value: JsonValue): string {
  if (typeof value === "string") return value.includes("'") ? JSON.stringify(value) : `'${value}'`;
  if (typeof value === "number") return String(value);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (isJsonList(value)) return `[${value.map(representation).join(", ")}]`;
  return `{${objectEntries(value).join(", ")}}`;
}

function objectEntries(object: JsonObject): readonly string[] {
  return Object.entries(object).map(
    ([key, entry]) => `${representation(key)}: ${representation(entry ?? null)}`,
  );
}
