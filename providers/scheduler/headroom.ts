import type { HostState } from "./host-state.ts";
import type { RequestedFlavor } from "./request.ts";

/**
 * What the retired filters on RAM, CPUs and disk check: the request fits into what the allocation ratio adds to the free amount, and
 * into the bare host, so that no server is overcommitted against itself.
 */
export function hasRam(host: HostState, flavor: RequestedFlavor, ratio: number): boolean {
  if (host.totalRamMib < flavor.ramMib) return false;
  const usedRamMib = host.totalRamMib - host.freeRamMib;
  return host.totalRamMib * ratio - usedRamMib >= flavor.ramMib;
}

/** As {@link hasRam}, for CPUs; a host that reports none passes. */
export function hasVcpus(host: HostState, flavor: RequestedFlavor, ratio: number): boolean {
  if (host.vcpusTotal === 0) return true;
  const limit = host.vcpusTotal * ratio;
  if (limit > 0 && flavor.vcpus > host.vcpusTotal) return false;
  return limit - host.vcpusUsed >= flavor.vcpus;
}

/** As {@link hasRam}, for disk: root, ephemeral and swap. */
export function hasDisk(host: HostState, flavor: RequestedFlavor, ratio: number): boolean {
  const wantedMib = 1024 * (flavor.rootGib + flavor.ephemeralGib) + flavor.swapMib;
  const totalMib = host.totalDiskGib * 1024;
  if (totalMib < wantedMib) return false;
  return totalMib * ratio - (totalMib - host.freeDiskMib) >= wantedMib;
}
