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

/** One weigher, prepared for a request and for the hosts that it compares. */
interface Scale {
  readonly weigher: Weigher;
  readonly weightOf: HostWeight;
  /** A host's multiplier: its aggregates', else the configured one. */
  readonly multiplierOf: HostWeight;
  /** The raw weight that normalises to 0, and the distance from there to what normalises to 1. */
  readonly minimum: number;
  readonly range: number;
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
  const overridden = multiplierKeysOf(hosts);
  const scales: Scale[] = [];
  const raw = new Float64Array(hosts.length); // one for all weighers, one after the other
  for (const name of options.filter_scheduler.weight_classes) {
    const weigher = weighers[name];
    const multiplierOf = compileMultiplier(weigher, options);
    const weightOf = weigher.prepare(request, options, multiplierOf);
    if (weightOf === undefined) continue;
    const scale = { weigher, weightOf, multiplierOf, ...readRaw(hosts, weightOf, weigher.minimum, raw) };
    scales.push(scale);
    const multiplier = overridden.has(weigher.multiplierKey)
      ? undefined
      : configuredMultiplier(weigher, options);
    if (scale.range > 0) addNormalised(totals, raw, scale, hosts, multiplier);
  }
  return {
    totals,
    partsOf: (place) => {
      const host = hosts[place];
      return host === undefined ? [] : scales.map((scale) => partOf(scale, host));
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

/** Fills `raw`, and says what it spans. */
function readRaw(
  hosts: readonly HostState[],
  weightOf: HostWeight,
  floor: number | undefined,
  raw: Float64Array,
): { readonly minimum: number; readonly range: number } {
  let lowest = Infinity;
  let highest = floor ?? -Infinity;
  let place = 0;
  for (const host of hosts) {
    const weight = weightOf(host);
    raw[place++] = weight;
    if (weight < lowest) lowest = weight;
    if (weight > highest) highest = weight;
  }
  const minimum = floor ?? lowest;
  return { minimum, range: highest - minimum };
}

/** `multiplier` is that of all hosts; `undefined` where aggregates override it for some. */
function addNormalised(
  totals: Float64Array,
  raw: Float64Array,
  { minimum, range, multiplierOf }: Scale,
  hosts: readonly HostState[],
  multiplier: number | undefined,
): void {
  let place = 0;
  for (const host of hosts) {
    const normalised = normalise(entry(raw, place), minimum, range);
    totals[place] = entry(totals, place) + (multiplier ?? multiplierOf(host)) * normalised;
    place++;
  }
}

/** Less than the minimum counts as the minimum. */
function normalise(weight: number, minimum: number, range: number): number {
  return range > 0 && weight > minimum ? (weight - minimum) / range : 0;
}

function partOf({ weigher, weightOf, multiplierOf, minimum, range }: Scale, host: HostState): WeigherTrace {
  const raw = Math.max(weightOf(host), minimum);
  const normalised = normalise(raw, minimum, range);
  const multiplier = multiplierOf(host);
  // Minus zero would not survive a message: plus 0 makes it 0.
  return { weigher: weigher.name, raw, normalised, multiplier, contribution: multiplier * normalised + 0 };
}

/** Keys of aggregate metadata on any host that set a multiplier. */
function multiplierKeysOf(hosts: readonly HostState[]): ReadonlySet<string> {
  const seen = new Set<Aggregate>();
  for (const { aggregates } of hosts) for (const aggregate of aggregates) seen.add(aggregate);
  const keys = new Set<string>();
  for (const { metadata } of seen) {
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
