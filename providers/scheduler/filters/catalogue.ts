import type { Filter, FilterName } from "../filter.ts";
import { aggregateCore } from "./aggregate-core.ts";
import { aggregateDisk } from "./aggregate-disk.ts";
import { aggregateImagePropertiesIsolation } from "./aggregate-image-properties-isolation.ts";
import { aggregateInstanceExtraSpecs } from "./aggregate-instance-extra-specs.ts";
import { aggregateIoOps } from "./aggregate-io-ops.ts";
import { aggregateMultiTenancyIsolation } from "./aggregate-multi-tenancy-isolation.ts";
import { aggregateNumInstances } from "./aggregate-num-instances.ts";
import { aggregateRam } from "./aggregate-ram.ts";
import { aggregateTypeAffinity } from "./aggregate-type-affinity.ts";
import { allHosts } from "./all-hosts.ts";
import { availabilityZone } from "./availability-zone.ts";
import { computeCapabilities } from "./compute-capabilities.ts";
import { compute } from "./compute.ts";
import { core } from "./core.ts";
import { differentHost } from "./different-host.ts";
import { disk } from "./disk.ts";
import { imageProperties } from "./image-properties.ts";
import { ioOps } from "./io-ops.ts";
import { isolatedHosts } from "./isolated-hosts.ts";
import { json } from "./json.ts";
import { metrics } from "./metrics.ts";
import { numInstances } from "./num-instances.ts";
import { numaTopology } from "./numa-topology.ts";
import { pciPassthrough } from "./pci-passthrough.ts";
import { ram } from "./ram.ts";
import { retry } from "./retry.ts";
import { sameHost } from "./same-host.ts";
import { serverGroupAffinity } from "./server-group-affinity.ts";
import { serverGroupAntiAffinity } from "./server-group-anti-affinity.ts";
import { simpleCidrAffinity } from "./simple-cidr-affinity.ts";
import { typeAffinity } from "./type-affinity.ts";

/** All filters by Nova's names. */
export const filters: Readonly<Record<FilterName, Filter>> = {
  AggregateCoreFilter: aggregateCore,
  AggregateDiskFilter: aggregateDisk,
  AggregateImagePropertiesIsolation: aggregateImagePropertiesIsolation,
  AggregateInstanceExtraSpecsFilter: aggregateInstanceExtraSpecs,
  AggregateIoOpsFilter: aggregateIoOps,
  AggregateMultiTenancyIsolation: aggregateMultiTenancyIsolation,
  AggregateNumInstancesFilter: aggregateNumInstances,
  AggregateRamFilter: aggregateRam,
  AggregateTypeAffinityFilter: aggregateTypeAffinity,
  AllHostsFilter: allHosts,
  AvailabilityZoneFilter: availabilityZone,
  ComputeCapabilitiesFilter: computeCapabilities,
  ComputeFilter: compute,
  CoreFilter: core,
  DifferentHostFilter: differentHost,
  DiskFilter: disk,
  ImagePropertiesFilter: imageProperties,
  IoOpsFilter: ioOps,
  IsolatedHostsFilter: isolatedHosts,
  JsonFilter: json,
  MetricsFilter: metrics,
  NUMATopologyFilter: numaTopology,
  NumInstancesFilter: numInstances,
  PciPassthroughFilter: pciPassthrough,
  RamFilter: ram,
  RetryFilter: retry,
  SameHostFilter: sameHost,
  ServerGroupAffinityFilter: serverGroupAffinity,
  ServerGroupAntiAffinityFilter: serverGroupAntiAffinity,
  SimpleCIDRAffinityFilter: simpleCidrAffinity,
  TypeAffinityFilter: typeAffinity,
};
