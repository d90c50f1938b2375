import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { quotaNames, quotas, type QuotaName } from "../core/quota.ts";
import type { Definition, World } from "../core/resource.ts";
import { listRecords, readRecord, type StoreTransaction } from "../store/records.ts";

const projectInputs = z.object({ quota: z.record(z.string(), z.int()).default({}) });

/** A resource that is new, or that may grow. */
export interface Demand {
  readonly definition: Definition;
  readonly id: ResourceId;
  readonly projectId: ResourceId;
  readonly inputs: JsonObject;
  /** As it was; absent for a new one. */
  readonly before: { readonly inputs: JsonObject } | undefined;
}

/**
 * Whether the project may have one more resource, or one that grows. Counts in the transaction that writes it, so that of several processes
 * none gets past the limit. What does not grow is not asked about: a limit that was lowered stops what is new only. Raises
 * `quota-exceeded` in Nova's words, all limits in one (nova: exception.TooManyInstances, compute/utils.py upsize_quota_delta).
 */
export async function checkQuota(
  transaction: StoreTransaction,
  definitions: readonly Definition[],
  demand: Demand,
  world: World,
): Promise<void> {
  if (demand.definition.quotas === undefined) return;
  const project = await readRecord(transaction, demand.projectId);
  if (project === undefined) return;
  const { quota } = projectInputs.parse(project.inputs);
  const exceeded: Excess[] = [];
  for (const name of quotaNames) {
    const limit = quota[name] ?? quotas[name].preset;
    const asked = countAsked(name, demand, world);
    if (limit === -1 || asked <= 0) continue;
    const used = await countUsed(transaction, definitions, name, demand, world);
    if (used + asked > limit) exceeded.push({ name: quotas[name].name, asked, used, limit });
  }
  if (exceeded.length === 0) return;
  // In Nova's order, which is that of the alphabet.
  exceeded.sort((a, b) => (a.name < b.name ? -1 : 1));
  const list = (show: (entry: Excess) => string | number): string => exceeded.map(show).join(", ");
  const names = list(({ name }) => name);
  throw new StackyardError("quota-exceeded", {
    message:
      `Quota exceeded for ${names}: Requested ${list(({ asked }) => asked)}, ` +
      `but already used ${list(({ used }) => used)} of ${list(({ limit }) => limit)} ${names}`,
    field: "project",
    value: project.name,
  });
}

/** A quota that does not suffice. */
interface Excess {
  readonly name: string;
  readonly asked: number;
  readonly used: number;
  readonly limit: number;
}

/** How much more the resource takes than it has. */
function countAsked(name: QuotaName, { definition, inputs, before }: Demand, world: World): number {
  const scope = scopeOf(definition, name, inputs);
  const had = before === undefined ? 0 : countWithin(definition, name, scope, before.inputs, world);
  return countWithin(definition, name, scope, inputs, world) - had;
}

/** What the project has of it, the resource as it was included, within what the resource counts in. */
async function countUsed(
  transaction: StoreTransaction,
  definitions: readonly Definition[],
  name: QuotaName,
  demand: Demand,
  world: World,
): Promise<number> {
  const scope = scopeOf(demand.definition, name, demand.inputs);
  let used = 0;
  for (const definition of definitions) {
    if (definition.quotas?.[name] === undefined) continue;
    for (const record of await listRecords(transaction, definition.type, demand.projectId)) {
      // It counts with its owner, from before it is made.
      if (record.owner !== undefined) continue;
      const inputs = record.id === demand.id ? demand.before?.inputs : record.inputs;
      if (inputs !== undefined) used += countWithin(definition, name, scope, inputs, world);
    }
  }
  return used;
}

/** What a resource takes of a quota, if it counts within `scope`. */
function countWithin(
  definition: Definition,
  name: QuotaName,
  scope: string | undefined,
  inputs: JsonObject,
  world: World,
): number {
  const own = scopeOf(definition, name, inputs);
  return own === undefined || own !== scope ? 0 : (definition.quotas?.[name]?.amount(inputs, world) ?? 0);
}

/** Within what a resource is counted; `undefined`: it is not. */
function scopeOf(definition: Definition, name: QuotaName, inputs: JsonObject): string | undefined {
  const use = definition.quotas?.[name];
  if (use === undefined) return undefined;
  return use.within === undefined ? "project" : use.within(inputs);
}
