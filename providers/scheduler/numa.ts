import type { HostState } from "./host-state.ts";
import type { SchedulerOptions } from "./options.ts";
import type { PciLocality, PciRequest } from "./pci.ts";
import { takePciDevices } from "./pci.ts";

/** Memory pages of one size in a host's cell. */
export interface HostPages {
  readonly sizeKib: number;
  readonly total: number;
  readonly used: number;
  readonly reserved: number;
}

/** One NUMA cell of a host (nova: objects/numa.py NUMACell). */
export interface HostNumaCell {
  readonly id: number;
  /** `null` when the machine does not say. */
  readonly socket: number | null;
  readonly sharedCpus: readonly number[];
  readonly dedicatedCpus: readonly number[];
  readonly memoryMib: number;
  /** Virtual CPUs that share {@link sharedCpus}. */
  readonly usedSharedCpus: number;
  readonly usedMemoryMib: number;
  readonly pinnedCpus: readonly number[];
  /** CPUs by core; a core with hardware threads has several. */
  readonly siblings: readonly (readonly number[])[];
  /** Empty when the host does not report page sizes. */
  readonly pages: readonly HostPages[];
}

/** One NUMA cell that an instance asks for. */
export interface NumaCellDemand {
  /** CPUs that may float. */
  readonly sharedVcpus: number;
  /** CPUs that get a host CPU each. */
  readonly dedicatedVcpus: number;
  readonly memoryMib: number;
  /** Page size in KiB, a class of sizes, or `null` for what the host uses anyway. */
  readonly pageSizeKib: number | "small" | "large" | "any" | null;
}

/** The NUMA topology that an instance asks for (nova: objects/instance_numa.py). */
export interface NumaDemand {
  readonly cells: readonly NumaCellDemand[];
  readonly cpuPolicy: "shared" | "dedicated" | "mixed";
  readonly threadPolicy: "prefer" | "isolate" | "require" | null;
  /** One more dedicated CPU beside the first cell, for the emulator. */
  readonly isolateEmulatorThreads: boolean;
}

/** Where one of the instance's cells goes. */
export interface NumaCellFit {
  readonly cell: HostNumaCell;
  readonly demand: NumaCellDemand;
  readonly pinnedCpus: readonly number[];
  /** `null` unless the request named a size. */
  readonly pageSizeKib: number | null;
}

/** Whether some core of the host has more than one hardware thread. */
export function hasThreads(cells: readonly HostNumaCell[]): boolean {
  return cells.some(({ siblings }) => siblings.some((core) => core.length > 1));
}

/**
 * The first way to lay the instance's cells on different cells of the host, with PCI devices near enough; `undefined` when there is none,
 * or the host reports no cells (nova: virt/hardware.py numa_fit_instance_to_host).
 */
export function fitNuma(
  host: HostState,
  demand: NumaDemand,
  pciRequests: readonly PciRequest[],
  options: SchedulerOptions,
): readonly NumaCellFit[] | undefined {
  const cells =
    host.numaCells.length > demand.cells.length
      ? preferredOrder(host, demand, pciRequests, options)
      : host.numaCells;
  const accept = (fits: readonly NumaCellFit[]): boolean =>
    pciRequests.length === 0 ||
    takePciDevices(host.pciPools, pciRequests, localityOf(host.numaCells, fits)) !== undefined;
  return layCells(host, demand, cells, [], accept);
}

/** Tries the cells in order, depth first. */
function layCells(
  host: HostState,
  demand: NumaDemand,
  free: readonly HostNumaCell[],
  laid: readonly NumaCellFit[],
  accept: (fits: readonly NumaCellFit[]) => boolean,
): readonly NumaCellFit[] | undefined {
  const next = demand.cells[laid.length];
  if (next === undefined) return accept(laid) ? laid : undefined;
  for (const cell of free) {
    const reserved = demand.isolateEmulatorThreads && laid.length === 0 ? 1 : 0;
    const fit = fitCell(host, cell, next, demand, reserved);
    if (fit === undefined) continue;
    const rest = free.filter((other) => other !== cell);
    const found = layCells(host, demand, rest, [...laid, fit], accept);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The host's cells after an instance was laid on them. */
export function consumeNuma(
  cells: readonly HostNumaCell[],
  demand: NumaDemand,
  fits: readonly NumaCellFit[],
): readonly HostNumaCell[] {
  return cells.map((cell) => {
    const fit = fits.find((candidate) => candidate.cell === cell);
    if (fit === undefined) return cell;
    const pinned =
      demand.threadPolicy === "isolate"
        ? cell.siblings.filter((core) => core.some((cpu) => fit.pinnedCpus.includes(cpu))).flat()
        : fit.pinnedCpus;
    return {
      ...cell,
      usedSharedCpus: cell.usedSharedCpus + fit.demand.sharedVcpus,
      usedMemoryMib: cell.usedMemoryMib + fit.demand.memoryMib,
      pinnedCpus: [...cell.pinnedCpus, ...pinned],
      pages: cell.pages.map((pages) =>
        pages.sizeKib === fit.pageSizeKib
          ? { ...pages, used: pages.used + (fit.demand.memoryMib * 1024) / pages.sizeKib }
          : pages,
      ),
    };
  });
}

/** Emptier cells first, or fuller ones when packing; cells with PCI devices first when devices are asked for, else last. */
function preferredOrder(
  host: HostState,
  demand: NumaDemand,
  pciRequests: readonly PciRequest[],
  options: SchedulerOptions,
): readonly HostNumaCell[] {
  const sign = options.compute.packing_host_numa_cells_allocation_strategy ? 1 : -1;
  const freeMemoryMib = (cell: HostNumaCell) => cell.memoryMib - cell.usedMemoryMib;
  const freeCpus = (cell: HostNumaCell) =>
    demand.cpuPolicy === "shared" ? -cell.usedSharedCpus : freeDedicatedCpus(cell).length;
  const devices = (cell: HostNumaCell) =>
    host.pciPools.reduce((sum, pool) => sum + (pool.numaNode === cell.id ? pool.count : 0), 0);
  const deviceSign = pciRequests.length > 0 ? -1 : 1;
  return [...host.numaCells].sort(
    (a, b) =>
      deviceSign * (devices(a) - devices(b)) ||
      sign * (freeCpus(a) - freeCpus(b)) ||
      sign * (freeMemoryMib(a) - freeMemoryMib(b)),
  );
}

function localityOf(cells: readonly HostNumaCell[], fits: readonly NumaCellFit[]): PciLocality {
  const sockets = fits.map(({ cell }) => cell.socket);
  const known = cells.every(({ socket }) => socket !== null);
  return {
    cellIds: fits.map(({ cell }) => cell.id),
    socketCellIds: known ? cells.filter(({ socket }) => sockets.includes(socket)).map(({ id }) => id) : [],
  };
}

/** nova: virt/hardware.py _numa_fit_instance_cell. */
function fitCell(
  host: HostState,
  cell: HostNumaCell,
  demand: NumaCellDemand,
  { cpuPolicy, threadPolicy }: NumaDemand,
  reservedCpus: number,
): NumaCellFit | undefined {
  const pageSizeKib = choosePageSize(cell, demand, cpuPolicy !== "shared");
  if (pageSizeKib === undefined) return undefined;
  let pinnedCpus: readonly number[] = [];
  if (cpuPolicy !== "shared") {
    const pinned = pinCpus(cell, demand.dedicatedVcpus, threadPolicy, reservedCpus);
    if (pinned === undefined) return undefined;
    pinnedCpus = pinned;
  }
  if (cpuPolicy !== "dedicated") {
    if (demand.sharedVcpus > cell.sharedCpus.length) return undefined;
    if (cell.usedSharedCpus + demand.sharedVcpus > cell.sharedCpus.length * host.cpuAllocationRatio)
      return undefined;
    if (cell.usedMemoryMib + demand.memoryMib > cell.memoryMib * host.ramAllocationRatio) return undefined;
  }
  return { cell, demand, pinnedCpus, pageSizeKib };
}

/** The size of page taken, `null` when the request names none; `undefined` when the memory does not fit. */
function choosePageSize(
  cell: HostNumaCell,
  demand: NumaCellDemand,
  pinned: boolean,
): number | null | undefined {
  const descending = [...cell.pages].sort((a, b) => b.sizeKib - a.sizeKib);
  const memoryKib = demand.memoryMib * 1024;
  const hasRoom = ({ sizeKib, total, used, reserved }: HostPages, overcommit: boolean): boolean =>
    memoryKib <= (overcommit ? total : total - used - reserved) * sizeKib && memoryKib % sizeKib === 0;
  const { pageSizeKib: wanted } = demand;
  if (wanted !== null) {
    const allowed = {
      small: () => descending.slice(-1),
      large: () => descending.slice(0, -1),
      any: () => descending,
    };
    const sizes =
      typeof wanted === "number" ? descending.filter(({ sizeKib }) => sizeKib === wanted) : allowed[wanted]();
    return sizes.find((pages) => hasRoom(pages, false))?.sizeKib;
  }
  const smallest = descending.at(-1);
  if (smallest !== undefined) return hasRoom(smallest, !pinned) ? null : undefined;
  const roomMib = pinned ? cell.memoryMib - cell.usedMemoryMib : cell.memoryMib;
  return demand.memoryMib <= roomMib ? null : undefined;
}

function freeDedicatedCpus(cell: HostNumaCell): readonly number[] {
  return cell.dedicatedCpus.filter((cpu) => !cell.pinnedCpus.includes(cpu));
}

/** Host CPUs for dedicated ones and for the emulator, by thread policy (nova: virt/hardware.py _pack_instance_onto_cores). */
function pinCpus(
  cell: HostNumaCell,
  count: number,
  policy: NumaDemand["threadPolicy"],
  reserved: number,
): readonly number[] | undefined {
  const free = freeDedicatedCpus(cell);
  if (count + reserved > free.length) return undefined;
  const cores = cell.siblings.map((core) => core.filter((cpu) => free.includes(cpu)));
  const threadsPerCore = Math.max(1, ...cell.siblings.map((core) => core.length));
  const withThreads = (threads: number) => cores.filter((core) => core.length >= threads);
  if (policy === "isolate") {
    if (threadsPerCore > 1 && !sameCpus(cell.dedicatedCpus, cell.sharedCpus)) return undefined;
    return pinFrom(withThreads(threadsPerCore), 1, count, cores, reserved, true);
  }
  if (policy === "require" && threadsPerCore === 1) return undefined;
  const fewest = policy === "require" ? 2 : 1;
  for (let threads = threadsPerCore; threads >= fewest; threads--) {
    const pinned = pinFrom(withThreads(threads), threads, count, cores, reserved, false);
    if (pinned !== undefined) return pinned;
  }
  if (policy === "require") return undefined;
  const single = cores.flat().map((cpu) => [cpu]);
  return pinFrom(single, 1, count, single, reserved, false);
}

/** `count` CPUs, the first `threads` of each core, and `reserved` more of what is then left. */
function pinFrom(
  cores: readonly (readonly number[])[],
  threads: number,
  count: number,
  all: readonly (readonly number[])[],
  reserved: number,
  wholeCores: boolean,
): readonly number[] | undefined {
  if (threads * cores.length < count) return undefined;
  const pinned = cores.flatMap((core) => core.slice(0, threads)).slice(0, count);
  if (reserved === 0) return pinned;
  const left = wholeCores
    ? all.filter((core) => !core.some((cpu) => pinned.includes(cpu))).flat()
    : all.flat().filter((cpu) => !pinned.includes(cpu));
  const extra = left.slice(0, reserved);
  return extra.length < reserved ? undefined : [...pinned, ...extra];
}

function sameCpus(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((cpu) => b.includes(cpu));
}
