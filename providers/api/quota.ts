import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { World } from "../core/resource.ts";
import { listRecords, readRecord, type StoreTransaction } from "../store/records.ts";

const quotaInputs = z.object({ quota: z.object({ instances: z.int(), cores: z.int(), ramMib: z.int() }) });
const flavorInputs = z.object({ vcpus: z.int(), ramMib: z.int() });

/**
 * Whether the project may have one more server, or this one with another flavor. Counts in the transaction that writes the server, so that of
 * several processes none gets past the limit. Raises `quota-exceeded` in Nova's words (nova: exception.TooManyInstances).
 */
export async function checkQuota(
  transaction: StoreTransaction,
  projectId: ResourceId,
  server: { readonly id: ResourceId; readonly inputs: JsonObject },
  world: World,
): Promise<void> {
  const project = await readRecord(transaction, projectId);
  if (project === undefined) return;
  const { quota } = quotaInputs.parse(project.inputs);
  const servers = await listRecords(transaction, "server", projectId);
  const others = servers.filter(({ id }) => id !== server.id);
  const amountsOf = (flavor: unknown): z.infer<typeof flavorInputs> => {
    const entry = typeof flavor === "string" ? world.find("flavor", flavor) : undefined;
    return entry === undefined ? { vcpus: 0, ramMib: 0 } : flavorInputs.parse(entry.inputs);
  };
  const used = others.map(({ inputs }) => amountsOf(inputs["flavor"]));
  const asked = amountsOf(server.inputs["flavor"]);
  const limits = [
    { name: "instances", asked: 1, used: others.length, limit: quota.instances },
    {
      name: "cores",
      asked: asked.vcpus,
      used: used.reduce((sum, { vcpus }) => sum + vcpus, 0),
      limit: quota.cores,
    },
    {
      name: "ram",
      asked: asked.ramMib,
      used: used.reduce((sum, { ramMib }) => sum + ramMib, 0),
      limit: quota.ramMib,
    },
  ];
  const exceeded = limits.find((entry) => entry.limit !== -1 && entry.used + entry.asked > entry.limit);
  if (exceeded === undefined) return;
  throw new StackyardError("quota-exceeded", {
    message:
      `Quota exceeded for ${exceeded.name}: Requested ${String(exceeded.asked)}, ` +
      `but already used ${String(exceeded.used)} of ${String(exceeded.limit)} ${exceeded.name}`,
    field: "project",
    value: project.name,
  });
}
