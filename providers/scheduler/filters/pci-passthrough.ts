import type { Filter } from "../filter.ts";
import { takePciDevices } from "../pci.ts";

/** The host has the PCI devices asked for (nova: scheduler/filters/pci_passthrough_filter.py). */
export const pciPassthrough: Filter = {
  name: "PciPassthroughFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: ({ pciRequests }) =>
    pciRequests.length === 0 ? undefined : (host) => takePciDevices(host.pciPools, pciRequests) !== undefined,
};
