import type { HostState } from "../../providers/scheduler/host-state.ts";
import { hostStateFrom } from "../../providers/scheduler/host-state.ts";
import type { FilterName } from "../../providers/scheduler/filter.ts";
import { filters } from "../../providers/scheduler/filters/catalogue.ts";
import { readSchedulerOptions, type SchedulerOptions } from "../../providers/scheduler/options.ts";
import type { InstanceRequest, RequestedFlavor, RequestSpec } from "../../providers/scheduler/request.ts";
import { requestSpecFrom } from "../../providers/scheduler/request.ts";
import { weighHosts } from "../../providers/scheduler/weigh.ts";
import type { WeigherName } from "../../providers/scheduler/weigher.ts";

/** Nova's defaults, with nothing reserved for the host. */
export const plainOptions: SchedulerOptions = readSchedulerOptions({
  DEFAULT: { reserved_host_memory_mb: 0 },
});

/** An empty host with room for anything, but for what is given. */
export function testHost(given: Partial<HostState> = {}): HostState {
  const name = given.name ?? "h1";
  return {
    ...hostStateFrom(
      {
        hostId: name,
        name,
        inventory: {
          vcpus: 32,
          ramMib: 65_536,
          diskGib: 1_000,
          architecture: "x86_64",
          virtType: "kvm",
          hypervisorVersion: 7_002_000,
        },
        usage: { vcpus: 0, ramMib: 0, diskGib: 0 },
      },
      plainOptions,
    ),
    ...given,
  };
}

/** Aggregates with the metadata given. */
export function aggregatesWith(
  ...metadata: readonly Readonly<Record<string, string>>[]
): HostState["aggregates"] {
  return metadata.map((entries, index) => ({ name: `aggregate-${String(index)}`, metadata: entries }));
}

/** Servers by id, of flavor `m1`. */
export function serversOf(...ids: readonly string[]): HostState["servers"] {
  return ids.map((id) => ({ id, flavorId: "m1", imageProperties: {} }));
}

/** A request for one small server `s1` of project `p1`, but for what is given. */
export function testRequest(
  given: Partial<Omit<RequestSpec, "flavor">> & { readonly flavor?: Partial<RequestedFlavor> } = {},
): InstanceRequest {
  const { flavor, ...rest } = given;
  const request = requestSpecFrom({
    projectId: "p1",
    instanceIds: ["s1"],
    ...rest,
    flavor: { name: "m1", vcpus: 1, ramMib: 1_024, ...flavor },
  });
  return { ...request, instanceId: request.instanceIds[0] ?? "s1" };
}

/** Whether the host passes the filter. */
export function passes(
  name: FilterName,
  host: HostState,
  request: InstanceRequest = testRequest(),
  options: SchedulerOptions = plainOptions,
): boolean {
  const test = filters[name].prepare(request, options);
  return test === undefined || test(host);
}

/** What one weigher alone makes of the hosts: the weights after normalising and multiplying. */
export function weigh(
  name: WeigherName,
  hosts: readonly HostState[],
  request: InstanceRequest = testRequest(),
  options: SchedulerOptions = plainOptions,
): readonly number[] {
  const only = { ...options, filter_scheduler: { ...options.filter_scheduler, weight_classes: [name] } };
  return [...weighHosts(hosts, request, only).totals];
}
