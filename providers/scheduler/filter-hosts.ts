import { filters } from "./filters/catalogue.ts";
import type { FilterName, HostTest } from "./filter.ts";
import type { HostState } from "./host-state.ts";
import type { SchedulerOptions } from "./options.ts";
import type { InstanceRequest, RequestedDestination, RequestSpec } from "./request.ts";
import type { StageTrace } from "./trace.ts";

/** One test that hosts have to pass; without a test all do. */
interface Stage {
  readonly name: string;
  readonly test: HostTest | undefined;
  readonly removed: string[];
}

/**
 * Hosts that pass everything, in order, and what each stage took away: inventories for the first instance, hosts that the request
 * names, hosts that reach the storage of its disk, filters. Forced hosts skip the filters, except for a rebuild; filters that run once a request run for its first
 * instance only (nova: filters.py, scheduler/host_manager.py get_filtered_hosts). `canHold` is the check of inventories,
 * absent for the later instances, whose claims check it.
 */
export function filterHosts(
  hosts: Iterable<HostState>,
  request: InstanceRequest,
  options: SchedulerOptions,
  canHold: HostTest | undefined,
  isFirst: boolean,
): { readonly hosts: readonly HostState[]; readonly stages: readonly StageTrace[] } {
  const stages = prepareStages(request, options, canHold, isFirst);
  const deciding = stages.filter(({ test }) => test !== undefined);
  const passed: HostState[] = [];
  // Host by host through all stages, so that each is brought into the processor's cache once.
  for (const host of hosts) {
    const failed = firstFailed(deciding, host);
    if (failed === undefined) passed.push(host);
    else failed.removed.push(host.nodename);
  }
  return { hosts: passed, stages: traceOf(stages, passed.length) };
}

function prepareStages(
  request: InstanceRequest,
  options: SchedulerOptions,
  canHold: HostTest | undefined,
  isFirst: boolean,
): readonly Stage[] {
  const stages: Stage[] = [];
  const add = (name: string, test: HostTest | undefined): void => {
    stages.push({ name, test, removed: [] });
  };
  if (canHold !== undefined) add("placement", canHold);
  const requested = requestedHostsTest(request);
  if (requested !== undefined) add("requested hosts", requested);
  const { storageHosts } = request;
  if (storageHosts !== null) add("storage", (host) => storageHosts.includes(host.name));
  const forced = request.forceHosts.length > 0 || request.forceNodes.length > 0;
  if (forced && !request.rebuild) return stages;
  for (const name of enabledFilters(options)) {
    const filter = filters[name];
    if (filter.oncePerRequest && !isFirst) continue;
    const passesAll = request.rebuild && !filter.runsOnRebuild;
    add(name, passesAll ? undefined : filter.prepare(request, options));
  }
  return stages;
}

function firstFailed(stages: readonly Stage[], host: HostState): Stage | undefined {
  for (const stage of stages) if (stage.test?.(host) === false) return stage;
  return undefined;
}

/** What the stages did one after the other; those that no host reached did not run. */
function traceOf(stages: readonly Stage[], passed: number): readonly StageTrace[] {
  let before = passed + stages.reduce((sum, { removed }) => sum + removed.length, 0);
  const trace: StageTrace[] = [];
  for (const { name, removed } of stages) {
    if (before === 0) break;
    trace.push({ name, before, removed });
    before -= removed.length;
  }
  return trace;
}

/** The enabled filters; the zone is checked first where Nova has Placement check it. */
function enabledFilters(options: SchedulerOptions): readonly FilterName[] {
  const enabled = options.filter_scheduler.enabled_filters;
  const zoneFilter = "AvailabilityZoneFilter";
  const checkedByPlacement =
    options.scheduler.query_placement_for_availability_zone && !enabled.includes(zoneFilter);
  return checkedByPlacement ? [zoneFilter, ...enabled] : enabled;
}

/** Compiles what the request says about hosts by name; `undefined` when it says nothing. */
function requestedHostsTest(request: RequestSpec): HostTest | undefined {
  const { ignoreHosts, forceHosts, forceNodes, destination } = request;
  const tests: HostTest[] = [];
  if (destination !== null) tests.push(destinationTest(destination));
  if (ignoreHosts.length > 0) {
    const ignored = lowerCase(ignoreHosts);
    tests.push((host) => !ignored.has(host.name.toLowerCase()));
  }
  if (forceHosts.length > 0) {
    const forced = lowerCase(forceHosts);
    tests.push((host) => forced.has(host.name.toLowerCase()));
  }
  if (forceNodes.length > 0) tests.push((host) => forceNodes.includes(host.nodename));
  return tests.length === 0 ? undefined : (host) => tests.every((test) => test(host));
}

function destinationTest({ host: name, node, cell, allowCrossCellMove }: RequestedDestination): HostTest {
  return (host) =>
    (name === null || host.name === name) &&
    (node === null || host.nodename === node) &&
    (cell === null || allowCrossCellMove || host.cell === cell);
}

function lowerCase(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()));
}
