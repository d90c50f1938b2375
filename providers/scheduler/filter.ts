import type { HostState } from "./host-state.ts";
import type { SchedulerOptions } from "./options.ts";
import type { InstanceRequest } from "./request.ts";

/** Names of all filters, as in nova.conf `[filter_scheduler] enabled_filters`: those of Zed and master, then the retired ones. */
export const filterNames = [
  "AggregateImagePropertiesIsolation",
  "AggregateInstanceExtraSpecsFilter",
  "AggregateIoOpsFilter",
  "AggregateMultiTenancyIsolation",
  "AggregateNumInstancesFilter",
  "AggregateTypeAffinityFilter",
  "AllHostsFilter",
  "AvailabilityZoneFilter",
  "ComputeCapabilitiesFilter",
  "ComputeFilter",
  "DifferentHostFilter",
  "ImagePropertiesFilter",
  "IoOpsFilter",
  "IsolatedHostsFilter",
  "JsonFilter",
  "MetricsFilter",
  "NUMATopologyFilter",
  "NumInstancesFilter",
  "PciPassthroughFilter",
  "SameHostFilter",
  "ServerGroupAffinityFilter",
  "ServerGroupAntiAffinityFilter",
  "SimpleCIDRAffinityFilter",
  "AggregateCoreFilter",
  "AggregateDiskFilter",
  "AggregateRamFilter",
  "CoreFilter",
  "DiskFilter",
  "RamFilter",
  "RetryFilter",
  "TypeAffinityFilter",
] as const;
export type FilterName = (typeof filterNames)[number];

/** Whether a host passes. */
export type HostTest = (host: HostState) => boolean;

/** A rule that takes hosts away. Pure. */
export interface Filter {
  readonly name: FilterName;
  /** The answer cannot change between the instances of one request, so it is not asked again for the second and later ones. */
  readonly oncePerRequest: boolean;
  /** Runs for a rebuild too; all others pass every host then. */
  readonly runsOnRebuild: boolean;
  /**
   * Compiles the rule for one request, once for all hosts; `undefined` when the request lets every host pass.
   * Raises `invalid-input` when the request cannot be understood, at once or when the first host is tested.
   */
  readonly prepare: (request: InstanceRequest, options: SchedulerOptions) => HostTest | undefined;
}
