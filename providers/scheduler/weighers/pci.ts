import { countOf } from "../pci.ts";
import type { Weigher } from "../weigher.ts";

/** Devices beyond this many make no difference. */
const maxDevices = 100;

/**
 * Hosts with fewer free PCI devices first: without a request, to keep the others free; with one, against fragmentation
 * (nova: scheduler/weights/pci.py).
 */
export const pci: Weigher = {
  name: "PCIWeigher",
  minimum: undefined,
  multiplierKey: "pci_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.pci_weight_multiplier,
  negated: false,
  prepare: () => (host) => maxDevices - Math.min(countOf(host.pciPools), maxDevices - 1),
};
