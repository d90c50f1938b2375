import type { HostState } from "./host-state.ts";

/** The distinct values of a metadata key over the host's aggregates, as written. */
function aggregateValues(host: HostState, key: string): ReadonlySet<string> {
  const values = new Set<string>();
  for (const { metadata } of host.aggregates) {
    const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
    if (value !== undefined) values.add(value);
  }
  return values;
}

/** The alternatives of a metadata key over the host's aggregates: values split at commas, trimmed. */
export function aggregateAlternatives(host: HostState, key: string): ReadonlySet<string> {
  const alternatives = new Set<string>();
  for (const value of aggregateValues(host, key)) {
    for (const part of value.split(",")) alternatives.add(part.trim());
  }
  return alternatives;
}

/**
 * The lowest of a host's values for a key. The fallback holds when the host has none, and when any of them is no
 * number (nova: scheduler/filters/utils.py validate_num_values, and its callers).
 */
export function lowestAggregateValue(
  host: HostState,
  key: string,
  parse: (text: string) => number | undefined,
  fallback: number,
): number {
  const values = aggregateValues(host, key);
  if (values.size === 0) return fallback;
  const numbers = [...values].map(parse);
  return numbers.every((value) => value !== undefined) ? Math.min(...numbers) : fallback;
}
