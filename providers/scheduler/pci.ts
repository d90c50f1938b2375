/** Like PCI devices of one host, in one NUMA node. */
export interface PciPool {
  /** Free devices. */
  readonly count: number;
  /** NUMA node, `null` when the machine does not say. */
  readonly numaNode: number | null;
  /** By Nova's names: `vendor_id`, `product_id`, `dev_type` (`type-PCI`, `type-PF`, `type-VF`, `vdpa`) and tags. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Devices that an instance asks for. */
export interface PciRequest {
  readonly count: number;
  /** Alternatives: a pool that has all properties of one of them will do. */
  readonly specs: readonly Readonly<Record<string, string>>[];
  /** How near to the instance's NUMA cells, default `legacy`: there, or where the machine does not say. */
  readonly numaPolicy?: "required" | "socket" | "legacy" | "preferred";
}

/** Where the instance's cells are, for requests with NUMA affinity. */
export interface PciLocality {
  readonly cellIds: readonly number[];
  /** Cells in the same sockets as those; empty when the host does not report sockets. */
  readonly socketCellIds: readonly number[];
}

/**
 * The pools after taking the devices of all requests, in order; `undefined` when some request cannot be met
 * (nova: pci/stats.py apply_requests). Physical functions, vDPA and remote-managed devices are given only to who names them.
 */
export function takePciDevices(
  pools: readonly PciPool[],
  requests: readonly PciRequest[],
  locality?: PciLocality,
): readonly PciPool[] | undefined {
  let left = [...pools];
  for (const request of requests) {
    const usable = usablePools(left, request, locality);
    if (countOf(usable) < request.count) return undefined;
    let wanted = request.count;
    const taken = new Map<PciPool, number>();
    for (const pool of usable) {
      const share = Math.min(pool.count, wanted);
      taken.set(pool, share);
      wanted -= share;
    }
    left = left
      .map((pool) => ({ ...pool, count: pool.count - (taken.get(pool) ?? 0) }))
      .filter((pool) => pool.count > 0);
  }
  return left;
}

/** Free devices of all pools. */
export function countOf(pools: readonly PciPool[]): number {
  let count = 0;
  for (const pool of pools) count += pool.count;
  return count;
}

function usablePools(
  pools: readonly PciPool[],
  request: PciRequest,
  locality?: PciLocality,
): readonly PciPool[] {
  const matching = pools.filter((pool) => request.specs.some((spec) => matches(pool, spec)));
  const near = locality === undefined ? matching : nearPools(matching, request, locality);
  const asksFor = (key: string, value: string) => request.specs.some((spec) => spec[key] === value);
  return near.filter(({ properties }) => {
    if (properties["dev_type"] === "type-PF" && !asksFor("dev_type", "type-PF")) return false;
    if (properties["dev_type"] === "vdpa" && !asksFor("dev_type", "vdpa")) return false;
    return properties["remote_managed"] !== "true" || asksFor("remote_managed", "true");
  });
}

function matches({ properties }: PciPool, spec: Readonly<Record<string, string>>): boolean {
  return Object.entries(spec).every(
    ([key, wanted]) =>
      Object.hasOwn(properties, key) && properties[key]?.toLowerCase() === wanted.toLowerCase(),
  );
}

/** The strictest choice that has enough devices, no laxer than the policy. */
function nearPools(
  pools: readonly PciPool[],
  request: PciRequest,
  { cellIds, socketCellIds }: PciLocality,
): readonly PciPool[] {
  const policy = request.numaPolicy ?? "legacy";
  const local = pools.filter(({ numaNode }) => numaNode !== null && cellIds.includes(numaNode));
  if (policy === "required" || countOf(local) >= request.count) return local;
  if (policy === "socket") {
    return pools.filter(({ numaNode }) => numaNode !== null && socketCellIds.includes(numaNode));
  }
  const isLocalOrUnknown = (pool: PciPool) => pool.numaNode === null || local.includes(pool);
  const localOrUnknown = pools.filter(isLocalOrUnknown);
  if (policy === "legacy" || countOf(localOrUnknown) >= request.count) return localOrUnknown;
  return [...localOrUnknown, ...pools.filter((pool) => !isLocalOrUnknown(pool))];
}
