import { refuseBusy } from "../conductor/conductor.ts";
import type { ScryptCost } from "../authenticate/password.ts";
import { isReplacing } from "../core/change.ts";
import type { ApplyRequest, Issue } from "../core/cloud.ts";
import { diffInputs } from "../core/diff.ts";
import { StackyardError } from "../core/errors.ts";
import type { ResourceId, TaskId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition } from "../core/resource.ts";
import { scrub, type Database } from "../store/database.ts";
import { insertRecord, readRecord, reserve, updateRecord, type StoreTransaction } from "../store/records.ts";
import { digestInputs, matchSecrets, omitOnceOnly } from "./secrets.ts";
import { insertTask, supersedeTasks } from "./task.ts";

/** One error for all issues: the first leads, the others are notes. */
export function issueError(request: ApplyRequest, first: Issue, issues: readonly Issue[]): StackyardError {
  return new StackyardError(first.code, {
    message: `${request.type} ${JSON.stringify(request.defaultName)} cannot be applied: ${first.field} ${first.message}`,
    field: first.field,
    ...(first.value === undefined ? {} : { value: first.value }),
    ...(first.remedy === undefined ? {} : { remedy: first.remedy }),
    notes: issues.slice(1).map((issue) => `also: ${issue.field} ${issue.message}`),
  });
}

/** What is to be written. */
interface Desired extends ApplyRequest {
  readonly id: ResourceId;
  readonly projectId: ResourceId | null;
  readonly before: ResourceRecord | undefined;
  /** Resources whose values this one may take over. */
  readonly replaced: ReadonlySet<string>;
  /** What is known of a new resource before its flow begins. */
  readonly outputs: JsonObject;
}

/** Writes record, reservations and task in one transaction. */
export async function writeTask(
  { database, scryptCost }: { readonly database: Database; readonly scryptCost: ScryptCost },
  definition: Definition,
  desired: Desired,
  also: (transaction: StoreTransaction) => Promise<void>,
): Promise<TaskId> {
  const { id, before, projectId, maker, outputs } = desired;
  if (before?.applied !== undefined) await refuseReplacement(definition, before, desired.inputs);
  const inputs = await digestInputs(definition, desired.inputs, before?.inputs, scryptCost);
  const name = typeof inputs["name"] === "string" ? inputs["name"] : desired.defaultName;
  return database.transaction().execute(async (transaction) => {
    const at = new Date().toISOString();
    const current = await readRecord(transaction, id);
    if (current !== undefined && (current.type !== definition.type || current.projectId !== projectId)) {
      throw new StackyardError("conflict", {
        message: `${definition.type} ${JSON.stringify(name)} cannot be applied: its id is another resource's`,
        field: "id",
        value: id,
        remedy: "Leave the id out.",
      });
    }
    if (current === undefined) {
      await insertRecord(
        transaction,
        { id, type: definition.type, projectId, name, inputs, outputs, status: "building", maker },
        at,
      );
    } else {
      if (current.owner !== undefined) refuseBusy(current, "apply");
      await supersedeTasks(transaction, id);
      await updateRecord(transaction, id, { name, maker, inputs, status: "building" }, at);
    }
    await reserve(transaction, id, definition.reservations?.(inputs, id) ?? [], desired.replaced);
    await also(transaction);
    return insertTask(transaction, { id, type: definition.type }, "reconcile");
  });
}

/** Writes the task of an action with what it begins with, in one transaction. Raises `wrong-state` when another task was quicker. */
export async function writeActionTask(
  { database }: { readonly database: Database },
  { id, type }: Pick<ResourceRecord, "id" | "type">,
  action: string,
  begun: JsonObject,
): Promise<TaskId> {
  return database.transaction().execute(async (transaction) => {
    const record = await readRecord(transaction, id);
    if (record === undefined)
      throw new StackyardError("not-found", { message: `there is no ${type} ${id}`, value: id });
    await supersedeTasks(transaction, id);
    refuseBusy(record, action);
    const outputs = { ...record.outputs, ...begun };
    await updateRecord(transaction, id, { status: "building", outputs }, new Date().toISOString());
    return insertTask(transaction, record, `act ${action}`);
  });
}

/** What replaces a resource cannot be done to it in place. */
async function refuseReplacement(
  definition: Definition,
  before: ResourceRecord,
  inputs: JsonObject,
): Promise<void> {
  const change = diffInputs(definition, await matchSecrets(definition, before.inputs, inputs), inputs);
  if (change.action !== "replace") return;
  const [field] = change.fields.filter(({ label }) => isReplacing(label));
  throw new StackyardError("invalid-input", {
    message: `${before.type} ${JSON.stringify(before.name)} cannot be changed in place: ${field?.field ?? ""} needs a new one`,
    field: field?.field ?? "",
    remedy: "Remove it and create it anew, or leave the field as it is.",
  });
}

/** Drops outputs that create has given, from the store's files too. */
export async function forgetOnceOnly(
  database: Database,
  definition: Definition,
  record: ResourceRecord,
): Promise<void> {
  const outputs = omitOnceOnly(definition, record.outputs);
  if (Object.keys(outputs).length === Object.keys(record.outputs).length) return;
  await database
    .transaction()
    .execute((transaction) => updateRecord(transaction, record.id, { outputs }, new Date().toISOString()));
  await scrub(database);
}
