import { consume } from "./consume.ts";
import { filterHosts } from "./filter-hosts.ts";
import type { HostState } from "./host-state.ts";
import type { SchedulerOptions } from "./options.ts";
import { candidateTest, resourcesOf } from "./placement.ts";
import type { InstanceRequest, RequestSpec } from "./request.ts";
import type { RoundTrace, ScheduleTrace, WeighedHost } from "./trace.ts";
import type { Weights } from "./weigh.ts";
import { heaviestFirst, weighHosts } from "./weigh.ts";

/** A host that was chosen. */
export interface HostChoice {
  readonly hostId: string;
  readonly name: string;
}

/** The scheduler's answer: plain data. */
export interface Schedule {
  /** One host for each instance, in the request's order; empty when not all of them found one. */
  readonly selected: readonly HostChoice[];
  /** For each instance, hosts to try should the build fail on the chosen one: up to `scheduler.max_attempts` less one. */
  readonly alternates: readonly (readonly HostChoice[])[];
  readonly trace: ScheduleTrace;
}

/** What else a caller may ask for. */
export interface ScheduleAsk {
  /** Puts the weights of every host into the trace. Default false. */
  readonly weights?: boolean;
  /** Makes the draws among best hosts repeatable: only `host_subset_size` and `shuffle_best_same_weighed_hosts` draw. */
  readonly seed?: number;
}

/**
 * Chooses a host for each instance: candidates by inventory, then filters, then weighers, the best host, its resources
 * consumed in memory before the next instance is looked at. All or nothing. Pure but for draws without a seed; the claim is
 * the caller's. Raises `invalid-input` for a request that cannot be understood
 * (nova: scheduler/manager.py _schedule).
 */
export function schedule(
  hosts: readonly HostState[],
  request: RequestSpec,
  options: SchedulerOptions,
  ask: ScheduleAsk = {},
): Schedule {
  const random = randomFrom(ask.seed);
  const resources = request.rebuild ? undefined : resourcesOf(request);
  const canHold = resources === undefined ? undefined : candidateTest(resources);
  const rounds: RoundTrace[] = [];
  const selected: HostState[] = [];
  let groupHosts = request.group?.hosts ?? [];
  let left: Iterable<HostState> = hosts;

  const rank = (instanceId: string, purpose: RoundTrace["purpose"], index: number): void => {
    const asked: InstanceRequest = {
      ...request,
      instanceId,
      group: request.group === null ? null : { ...request.group, hosts: groupHosts },
    };
    const isFirst = index === 0;
    const filtered = filterHosts(left, asked, options, isFirst ? canHold : undefined, isFirst);
    const weights = weighHosts(filtered.hosts, asked, options);
    const ranked = draw(hostsByWeight(filtered.hosts, weights), weights, options, random);
    const { passedOver, found } =
      purpose === "choice" ? takeFirst(ranked, canHold ?? everyHost) : nothingTaken;
    rounds.push({
      instanceId,
      purpose,
      stages: filtered.stages,
      weighed: ask.weights === true ? weighedHosts(filtered.hosts, weights) : null,
      chosen: found?.nodename ?? null,
    });
    if (found === undefined) {
      left = ranked;
      return;
    }
    selected.push(found);
    groupHosts = [...groupHosts, found.name];
    left = chain(passedOver, [consume(found, asked, resources, options)], ranked);
  };

  for (const [index, instanceId] of request.instanceIds.entries()) {
    rank(instanceId, "choice", index);
    if (selected.length <= index)
      return { selected: [], alternates: [], trace: { hosts: hosts.length, rounds } };
  }
  const wanted = options.scheduler.max_attempts - 1;
  const last = request.instanceIds.length - 1;
  if (last > 0 && wanted > 0) rank(request.instanceIds[last] ?? "", "alternates", last);
  return {
    selected: selected.map(choiceOf),
    alternates: alternatesOf(selected, left, wanted),
    trace: { hosts: hosts.length, rounds },
  };
}

const everyHost = (): boolean => true;
const nothingTaken = { passedOver: [], found: undefined };

/** The best hosts in the cell of each selected one that were not selected themselves. Reads no further than needed. */
function alternatesOf(
  selected: readonly HostState[],
  ranked: Iterable<HostState>,
  wanted: number,
): readonly (readonly HostChoice[])[] {
  const taken = new Set(selected.map(({ hostId }) => hostId));
  const byCell = new Map(selected.map(({ cell }): [string, HostChoice[]] => [cell, []]));
  const isFull = (choices: readonly HostChoice[]): boolean => choices.length >= wanted;
  if (wanted > 0) {
    for (const host of ranked) {
      const choices = byCell.get(host.cell);
      if (choices === undefined || isFull(choices) || taken.has(host.hostId)) continue;
      choices.push(choiceOf(host));
      if (byCell.values().every(isFull)) break;
    }
  }
  return selected.map(({ cell }) => byCell.get(cell) ?? []);
}

function choiceOf({ hostId, nodename }: HostState): HostChoice {
  return { hostId, name: nodename };
}

function* hostsByWeight(hosts: readonly HostState[], { totals }: Weights): Generator<HostState, undefined> {
  for (const place of heaviestFirst(totals)) {
    const host = hosts[place];
    if (host !== undefined) yield host;
  }
}

function weighedHosts(hosts: readonly HostState[], { totals, partsOf }: Weights): readonly WeighedHost[] {
  return [...heaviestFirst(totals)].flatMap((place) => {
    const host = hosts[place];
    const weight = totals[place];
    return host === undefined || weight === undefined
      ? []
      : [{ name: host.nodename, weight, parts: partsOf(place) }];
  });
}

/** Reads up to the first host that is wanted, and leaves the rest unread. */
function takeFirst(
  hosts: Iterator<HostState>,
  isWanted: (host: HostState) => boolean,
): { readonly passedOver: readonly HostState[]; readonly found: HostState | undefined } {
  const passedOver: HostState[] = [];
  for (let next = hosts.next(); next.done !== true; next = hosts.next()) {
    if (isWanted(next.value)) return { passedOver, found: next.value };
    passedOver.push(next.value);
  }
  return { passedOver, found: undefined };
}

function* chain(...parts: readonly Iterable<HostState>[]): Generator<HostState, undefined> {
  for (const part of parts) yield* part;
}

/** Shuffles the equal best, and puts one of the `host_subset_size` best first, where the options say so. */
function draw(
  ranked: IteratorObject<HostState, undefined>,
  { totals }: Weights,
  options: SchedulerOptions,
  random: () => number,
): IteratorObject<HostState, undefined> {
  const { shuffle_best_same_weighed_hosts: shuffles, host_subset_size: subset } = options.filter_scheduler;
  if (!shuffles && subset <= 1) return ranked;
  const hosts = [...ranked];
  const best = Math.max(...totals);
  const equalBest = shuffles ? totals.filter((weight) => weight === best).length : 0;
  const shuffled = [...shuffle(hosts.slice(0, equalBest), random), ...hosts.slice(equalBest)];
  const drawn = Math.floor(random() * Math.min(subset, shuffled.length));
  return [...shuffled.slice(drawn, drawn + 1), ...shuffled.toSpliced(drawn, 1)].values();
}

function shuffle(hosts: readonly HostState[], random: () => number): readonly HostState[] {
  return hosts
    .map((host) => ({ host, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ host }) => host);
}

/** Numbers from 0 up to 1; the same ones for the same seed (mulberry32). */
function randomFrom(seed: number | undefined): () => number {
  if (seed === undefined) return Math.random;
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
