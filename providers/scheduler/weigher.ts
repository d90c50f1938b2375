import type { HostState } from "./host-state.ts";
import type { SchedulerOptions } from "./options.ts";
import type { InstanceRequest } from "./request.ts";

/**
 * Names of all weighers, in the order in which they are summed (nova loads them in directory order, which differs
 * between machines; the sum then differs in its last bits).
 */
export const weigherNames = [
  "ServerGroupSoftAffinityWeigher",
  "ServerGroupSoftAntiAffinityWeigher",
  "BuildFailureWeigher",
  "CPUWeigher",
  "CrossCellWeigher",
  "DiskWeigher",
  "HypervisorVersionWeigher",
  "ImagePropertiesWeigher",
  "IoOpsWeigher",
  "MetricsWeigher",
  "NumInstancesWeigher",
  "PCIWeigher",
  "RAMWeigher",
] as const;
export type WeigherName = (typeof weigherNames)[number];

/** The raw weight of a host. */
export type HostWeight = (host: HostState) => number;

/** A rule that prefers hosts. Pure. */
export interface Weigher {
  readonly name: WeigherName;
  /** Lowest raw weight: less counts as this, and this normalises to 0 whatever the hosts have. Without it the hosts' own lowest does. */
  readonly minimum: number | undefined;
  /** Key of aggregate metadata that overrides the multiplier for the aggregate's hosts. */
  readonly multiplierKey: string;
  /** The configured multiplier. */
  readonly multiplier: (options: SchedulerOptions) => number;
  /** The multiplier, configured or overridden, is taken times -1. */
  readonly negated: boolean;
  /** Compiles the rule for one request; `undefined` when every host weighs the same. */
  readonly prepare: (
    request: InstanceRequest,
    options: SchedulerOptions,
    multiplierOf: HostWeight,
  ) => HostWeight | undefined;
}
