import type { Weigher, WeigherName } from "../weigher.ts";
import { buildFailure } from "./build-failure.ts";
import { cpu } from "./cpu.ts";
import { crossCell } from "./cross-cell.ts";
import { disk } from "./disk.ts";
import { hypervisorVersion } from "./hypervisor-version.ts";
import { imageProperties } from "./image-properties.ts";
import { ioOps } from "./io-ops.ts";
import { metrics } from "./metrics.ts";
import { numInstances } from "./num-instances.ts";
import { pci } from "./pci.ts";
import { ram } from "./ram.ts";
import { softAffinity } from "./soft-affinity.ts";
import { softAntiAffinity } from "./soft-anti-affinity.ts";

/** All weighers by Nova's names. */
export const weighers: Readonly<Record<WeigherName, Weigher>> = {
  BuildFailureWeigher: buildFailure,
  CPUWeigher: cpu,
  CrossCellWeigher: crossCell,
  DiskWeigher: disk,
  HypervisorVersionWeigher: hypervisorVersion,
  ImagePropertiesWeigher: imageProperties,
  IoOpsWeigher: ioOps,
  MetricsWeigher: metrics,
  NumInstancesWeigher: numInstances,
  PCIWeigher: pci,
  RAMWeigher: ram,
  ServerGroupSoftAffinityWeigher: softAffinity,
  ServerGroupSoftAntiAffinityWeigher: softAntiAffinity,
};
