import { lowestAggregateValue } from "./aggregate.ts";
import type { Aggregate, HostState } from "./host-state.ts";
import { parseFloatText } from "./number-text.ts";
import type { SchedulerOptions } from "./options.ts";
import type { InstanceRequest } from "./request.ts";
import type { WeigherTrace } from "./trace.ts";
import type { HostWeight, Weigher } from "./weigher.ts";
import { weighers } from "./weighers/catalogue.ts";

/** The weight of each host, by its place in the list. */
export interface Weights {
  readonly totals: Float64Array;
  /** What each weigher made of the host at a place. Computed when asked. */
  readonly partsOf: (place: number) => readonly WeigherTrace[];
}

/** What one weigher makes of all hosts. */
interface Column {
  readonly weigher: Weigher;
  readonly weightOf: HostWeight;
  readonly raw: Float64Array;
  /** A host's multiplier: its aggregates', else the configured one. */
  readonly multiplierOf: HostWeight;
}

/**
 * Sums, weigher by weigher, `multiplier * ((raw - minimum) / (maximum - minimum))`; nothing when maximum and minimum are
 * equal. A single host is not weighed: its weight is 0 (nova: weights.py).
 */
export function weighHosts(
  hosts: readonly HostState[],
  request: InstanceRequest,
  options: SchedulerOptions,
): Weights {
  const totals = new Float64Array(hosts.length);
  if (hosts.length <= 1) return { totals, partsOf: () => [] };
  const columns = prepareColumns(hosts.length, request, options);
  const aggregates = new Set<Aggregate>();
  // All weighers of a host together, so that each host is brought into the processor's cache once.
  let place = 0;
  for (const host of hosts) {
    for (const { weightOf, raw } of columns) raw[place] = weightOf(host);
    for (const aggregate of host.aggregates) aggregates.add(aggregate);
    place++;
  }
  const overridden = multiplierKeysOf(aggregates);
  for (const column of columns) {
    const { multiplierKey } = column.weigher;
    const multiplier = overridden.has(multiplierKey)
      ? column.multiplierOf
      : configuredMultiplier(column.weigher, options);
    addColumn(totals, column, multiplier, hosts);
  }
  return {
    totals,
    partsOf: (asked) => {
      const host = hosts[asked];
      return host === undefined ? [] : columns.map((column) => partOf(column, host, asked));
    },
  };
}

/**
 * Places, heaviest first; equal ones in their order. A heap, because mostly only the first few are read: 10,000 hosts take a tenth
 * of the time of sorting them.
 */
export function* heaviestFirst(totals: Float64Array): Generator<number, undefined> {
  const heap = new Uint32Array(totals.length);
  for (let place = 0; place < heap.length; place++) heap[place] = place;
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(heap, heap.length, at, totals);
  for (let size = heap.length; size > 0; size--) {
    yield entry(heap, 0);
    heap[0] = entry(heap, size - 1);
    sink(heap, size - 1, 0, totals);
  }
}

/** Lets the place at `start` sink below all heavier ones. */
function sink(heap: Uint32Array, size: number, start: number, totals: Float64Array): void {
  const place = entry(heap, start);
  let at = start;
  for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
    if (child + 1 < size && isBefore(entry(heap, child + 1), entry(heap, child), totals)) child++;
    if (isBefore(place, entry(heap, child), totals)) break;
    heap[at] = entry(heap, child);
    at = child;
  }
  heap[at] = place;
}

function isBefore(a: number, b: number, totals: Float64Array): boolean {
  const difference = entry(totals, a) - entry(totals, b);
  return difference > 0 || (difference === 0 && a < b);
}

function prepareColumns(
  count: number,
  request: InstanceRequest,
  options: SchedulerOptions,
): readonly Column[] {
  return options.filter_scheduler.weight_classes.flatMap((name) => {
    const weigher = weighers[name];
    const multiplierOf = compileMultiplier(weigher, options);
    const weightOf = weigher.prepare(request, options, multiplierOf);
    return weightOf === undefined ? [] : [{ weigher, weightOf, multiplierOf, raw: new Float64Array(count) }];
  });
}

/** `multiplier` is one for all hosts, or one for each where aggregates override it. */
function addColumn(
  totals: Float64Array,
  { weigher, raw }: Column,
  multiplier: number | HostWeight,
  hosts: readonly HostState[],
): void {
  const { minimum, range } = spanOf(weigher, raw);
  if (range === 0) return;
  let place = 0;
  for (const host of hosts) {
    const factor = typeof multiplier === "number" ? multiplier : multiplier(host);
    totals[place] = entry(totals, place) + factor * normalise(entry(raw, place), minimum, range);
    place++;
  }
}

/** The raw weight that normalises to 0, and the distance from there to what normalises to 1. */
function spanOf(weigher: Weigher, raw: Float64Array): { readonly minimum: number; readonly range: number } {
  let lowest = Infinity;
  let highest = weigher.minimum ?? -Infinity;
  for (const weight of raw) {
    if (weight < lowest) lowest = weight;
    if (weight > highest) highest = weight;
  }
  const minimum = weigher.minimum ?? lowest;
  return { minimum, range: highest - minimum };
}

function normalise(raw: number, minimum: number, range: number): number {
  return range > 0 && raw > minimum ? (raw - minimum) / range : 0;
}

function partOf({ weigher, raw, multiplierOf }: Column, host: HostState, place: number): WeigherTrace {
  const { minimum, range } = spanOf(weigher, raw);
  const value = Math.max(entry(raw, place), minimum);
  const normalised = normalise(value, minimum, range);
  const multiplier = multiplierOf(host);
  return {
    weigher: weigher.name,
    raw: value,
    normalised,
    multiplier,
    contribution: multiplier * normalised + 0,
  };
}

/** Keys of metadata that set a multiplier. */
function multiplierKeysOf(aggregates: Iterable<Aggregate>): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { metadata } of aggregates) {
    for (const key of Object.keys(metadata)) if (key.endsWith("_weight_multiplier")) keys.add(key);
  }
  return keys;
}

function configuredMultiplier(weigher: Weigher, options: SchedulerOptions): number {
  return (weigher.negated ? -1 : 1) * weigher.multiplier(options);
}

function compileMultiplier(weigher: Weigher, options: SchedulerOptions): HostWeight {
  const sign = weigher.negated ? -1 : 1;
  const configured = weigher.multiplier(options);
  return (host) => sign * lowestAggregateValue(host, weigher.multiplierKey, parseFloatText, configured);
}

/** An entry that is known to exist. */
function entry(values: Float64Array | Uint32Array, at: number): number {
  return values[at] ?? NaN;
}
