import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { World } from "../core/resource.ts";
import { listRecords, readRecord, type StoreTransaction } from "../store/records.ts";

const quotaInputs = z.object({ quota: z.object({ instances: z.int(), cores: z.int(), ramMib: z.int() }) });
const flavorInputs = z.object({ vcpus: z.int(), ramMib: z.int() });

/**
 * Whether the project may have one more server, or one that grows from `before`. Counts in the transaction that writes the server, so that of
 * several processes none gets past the limit. What does not grow is not asked about: a limit that was lowered stops new servers only. Raises
 * `quota-exceeded` in Nova's words, all limits in one (nova: exception.TooManyInstances, compute/utils.py upsize_quota_delta).
 */
export async function checkQuota(
  transaction: StoreTransaction,
  projectId: ResourceId,
  server: {
    readonly id: ResourceId;
    readonly inputs: JsonObject;
    /** As it was; absent for a new one. */
    readonly before: { readonly inputs: JsonObject } | undefined;
  },
  world: World,
): Promise<void> {
  const project = await readRecord(transaction, projectId);
  if (project === undefined) return;
  const { quota } = quotaInputs.parse(project.inputs);
  const servers = await listRecords(transaction, "server", projectId);
  const others = servers.filter(({ id }) => id !== server.id);
  const amountsOf = ({ inputs }: { readonly inputs: JsonObject }): Amounts => {
    const id = inputs["flavor"];
    const entry = typeof id === "string" ? world.find("flavor", id) : undefined;
    return entry === undefined
      ? { instances: 1, cores: 0, ram: 0 }
      : readAmounts(flavorInputs.parse(entry.inputs));
  };
  const had = server.before === undefined ? nothing : amountsOf(server.before);
  const wanted = amountsOf(server);
  const counted = others.map(amountsOf);
  const limits = { instances: quota.instances, cores: quota.cores, ram: quota.ramMib };
  // In Nova's order, which is that of the alphabet.
  const exceeded = (["cores", "instances", "ram"] as const)
    .map((name) => ({
      name,
      asked: wanted[name] - had[name],
      used: counted.reduce((sum, amounts) => sum + amounts[name], had[name]),
      limit: limits[name],
    }))
    .filter(({ asked, used, limit }) => limit !== -1 && asked > 0 && used + asked > limit);
  if (exceeded.length === 0) return;
  const list = (show: (entry: (typeof exceeded)[number]) => string | number): string =>
    exceeded.map(show).join(", ");
  const names = list(({ name }) => name);
  throw new StackyardError("quota-exceeded", {
    message:
      `Quota exceeded for ${names}: Requested ${list(({ asked }) => asked)}, ` +
      `but already used ${list(({ used }) => used)} of ${list(({ limit }) => limit)} ${names}`,
    field: "project",
    value: project.name,
  });
}

/** What a quota counts. */
interface Amounts {
  readonly instances: number;
  readonly cores: number;
  readonly ram: number;
}

const nothing: Amounts = { instances: 0, cores: 0, ram: 0 };

function readAmounts({ vcpus, ramMib }: z.infer<typeof flavorInputs>): Amounts {
  return { instances: 1, cores: vcpus, ram: ramMib };
}
