import type { HostState } from "./host-state.ts";
import { parseIntegerText } from "./number-text.ts";
import type { RequestSpec } from "./request.ts";

/** How much of a resource class a host has (placement: objects/inventory.py). */
export interface Inventory {
  readonly total: number;
  readonly reserved: number;
  /** Sum of all allocations. */
  readonly used: number;
  readonly allocationRatio: number;
  /** Smallest, largest and step of one allocation. */
  readonly minUnit: number;
  readonly maxUnit: number;
  readonly stepSize: number;
}

/** What one instance takes of a host: amounts by resource class, and traits that must or must not be there. */
export interface ResourceRequest {
  readonly amounts: Readonly<Record<string, number>>;
  readonly required: readonly string[];
  readonly forbidden: readonly string[];
}

/** `resources:CLASS`, `trait:NAME`, or a numbered group of them (nova: scheduler/utils.py ResourceRequest). */
const resourceKey = /^(resources|trait)(?:[a-zA-Z0-9_-]{1,64})?:([A-Z0-9_]+)$/;

/**
 * What one instance of the request takes: `VCPU`, `MEMORY_MB` and `DISK_GB` of the flavor (no root disk when it boots from a
 * volume; swap rounded up to GiB), `PCPU` instead of `VCPU` for dedicated CPUs, each replaced by `resources:CLASS` of
 * the extra specs where given. A host is one provider, so that numbered groups add up.
 */
export function resourcesOf(request: RequestSpec): ResourceRequest {
  const { flavor } = request;
  const amounts = new Map<string, number>();
  const required: string[] = [];
  const forbidden: string[] = [];
  for (const [key, value] of Object.entries(flavor.extraSpecs)) {
    const [, prefix, name] = resourceKey.exec(key) ?? [];
    if (name === undefined) continue;
    if (prefix === "trait") {
      if (value === "required") required.push(name);
      if (value === "forbidden") forbidden.push(name);
      continue;
    }
    const amount = parseIntegerText(value);
    if (amount !== undefined) amounts.set(name, (amounts.get(name) ?? 0) + amount);
  }
  for (const [key, value] of Object.entries(request.image?.properties ?? {})) {
    if (key.startsWith("trait:") && value === "required") required.push(key.slice("trait:".length));
  }
  const cpuClass = flavor.extraSpecs["hw:cpu_policy"] === "dedicated" ? "PCPU" : "VCPU";
  if (!amounts.has("VCPU") && !amounts.has("PCPU")) amounts.set(cpuClass, flavor.vcpus);
  if (!amounts.has("MEMORY_MB")) amounts.set("MEMORY_MB", flavor.ramMib);
  if (!amounts.has("DISK_GB")) {
    const root = request.bootFromVolume ? 0 : flavor.rootGib;
    amounts.set("DISK_GB", root + flavor.ephemeralGib + Math.ceil(flavor.swapMib / 1024));
  }
  return {
    amounts: Object.fromEntries([...amounts].filter(([, amount]) => amount !== 0)),
    required,
    forbidden,
  };
}

/** Whether an inventory can hold one more allocation of `amount` (placement: research_context.py _capacity_check_clause). */
export function fits(inventory: Inventory, amount: number): boolean {
  return (
    inventory.used + amount <= (inventory.total - inventory.reserved) * inventory.allocationRatio &&
    amount >= inventory.minUnit &&
    amount <= inventory.maxUnit &&
    amount % inventory.stepSize === 0
  );
}

/** Compiles the check whether a host can hold an instance. */
export function candidateTest(resources: ResourceRequest): (host: HostState) => boolean {
  const amounts = Object.entries(resources.amounts).map(([resourceClass, amount]) => ({
    resourceClass,
    amount,
  }));
  const { required, forbidden } = resources;
  return (host) => {
    for (const { resourceClass, amount } of amounts) {
      const inventory = host.inventories[resourceClass];
      if (inventory === undefined || !fits(inventory, amount)) return false;
    }
    for (const trait of required) if (!host.traits.includes(trait)) return false;
    for (const trait of forbidden) if (host.traits.includes(trait)) return false;
    return true;
  };
}

/** The inventories after an allocation, in memory: the claim itself is the conductor's. */
export function allocate(
  inventories: Readonly<Record<string, Inventory>>,
  resources: ResourceRequest,
): Readonly<Record<string, Inventory>> {
  const after: Record<string, Inventory> = { ...inventories };
  for (const [resourceClass, amount] of Object.entries(resources.amounts)) {
    const inventory = inventories[resourceClass];
    if (inventory !== undefined) after[resourceClass] = { ...inventory, used: inventory.used + amount };
  }
  return after;
}
