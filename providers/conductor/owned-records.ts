import { StackyardError, toStackyardError } from "../core/errors.ts";
import type { ResourceId } from "../core/ids.ts";
import { textOf, type JsonObject } from "../core/json.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Definition, OwnedRecords, Step, StepContext } from "../core/resource.ts";
import type { Database } from "../store/database.ts";
import type { RecordMirror } from "../store/mirror.ts";
import {
  deleteRecord,
  insertRecord,
  readRecord,
  reserve,
  updateRecord,
  type RecordPatch,
} from "../store/records.ts";

/** What records that others own are made with. */
export interface OwnedRecordServices {
  readonly database: Database;
  readonly mirror: RecordMirror;
  readonly definitionOf: (type: string) => Definition;
}

type ContextOf = (record: ResourceRecord) => StepContext<JsonObject, JsonObject>;

/**
 * Records that `owner` makes for itself, within its task: that one's journal says what is being done, and whoever finishes it after a crash finishes
 * these. `contextOf` gives the context of a step on such a record.
 */
export function openOwnedRecords(
  services: OwnedRecordServices,
  owner: ResourceRecord,
  contextOf: ContextOf,
): OwnedRecords {
  const { definitionOf } = services;
  return {
    ensure: async (type, id, inputs) => {
      const definition = definitionOf(type);
      await writeIntent(services, definition, owner, id, inputs);
      await runSteps(services, id, definition.reconcile, contextOf);
      await patch(services, id, ({ inputs: applied }) => ({ status: "active", applied, fault: null }));
    },
    remove: async (id) => {
      const record = await readOwned(services, owner, id);
      if (record === undefined) return;
      await patch(services, id, () => ({ status: "deleting" }));
      await runSteps(services, id, definitionOf(record.type).remove, contextOf);
      await services.database.transaction().execute((transaction) => deleteRecord(transaction, id));
      await services.mirror.refresh();
    },
    release: async (id, outputs) => {
      if ((await readOwned(services, owner, id)) === undefined) return;
      await patch(services, id, (record) => ({
        owner: null,
        maker: record.maker ?? `released:${id}`,
        outputs: { ...record.outputs, ...outputs },
      }));
    },
  };
}

/** Writes what the record is to be, before anything is made. */
async function writeIntent(
  { database, mirror }: OwnedRecordServices,
  definition: Definition,
  owner: ResourceRecord,
  id: ResourceId,
  inputs: JsonObject,
): Promise<void> {
  const { type } = definition;
  await database.transaction().execute(async (transaction) => {
    const at = new Date().toISOString();
    const current = await readRecord(transaction, id);
    if (current !== undefined) {
      if (current.owner !== owner.id)
        throw new StackyardError("conflict", {
          message: `${type} ${JSON.stringify(current.name)} is not of ${owner.type} ${JSON.stringify(owner.name)}`,
          value: id,
        });
      const changed = { ...current.inputs, ...inputs };
      await updateRecord(transaction, id, { inputs: changed, status: "building" }, at);
      return;
    }
    const { projectId } = owner;
    const name = textOf(inputs, "name") ?? owner.name;
    const record = { id, type, projectId, name, inputs, outputs: {}, owner: owner.id };
    await insertRecord(transaction, { ...record, status: "building" }, at);
    await reserve(transaction, id, definition.reservations?.(inputs, id) ?? []);
  });
  await mirror.refresh();
}

/** Carries steps out, in order. What fails, or is given up, is told by the record too: only a killed process leaves it at work. */
async function runSteps(
  services: OwnedRecordServices,
  id: ResourceId,
  steps: readonly Step<JsonObject, JsonObject>[],
  contextOf: ContextOf,
): Promise<void> {
  try {
    for (const step of steps) {
      const found = await step.run(contextOf(await requireRecord(services, id)));
      if (found !== undefined)
        await patch(services, id, ({ outputs }) => ({ outputs: { ...outputs, ...found } }));
    }
  } catch (error) {
    const { code, message } = toStackyardError(error, `a step of record ${id}`);
    const fault = { code, message, at: new Date().toISOString() };
    await patch(services, id, () => ({ status: "error", fault }));
    throw error;
  }
}

async function patch(
  { database, mirror }: OwnedRecordServices,
  id: ResourceId,
  change: (record: ResourceRecord) => RecordPatch,
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const record = await readRecord(transaction, id);
    if (record !== undefined) await updateRecord(transaction, id, change(record), new Date().toISOString());
  });
  await mirror.refresh();
}

/** The record, if it is the owner's. */
async function readOwned(
  { database }: OwnedRecordServices,
  owner: ResourceRecord,
  id: ResourceId,
): Promise<ResourceRecord | undefined> {
  const record = await readRecord(database, id);
  return record?.owner === owner.id ? record : undefined;
}

async function requireRecord({ database }: OwnedRecordServices, id: ResourceId): Promise<ResourceRecord> {
  const record = await readRecord(database, id);
  if (record !== undefined) return record;
  throw new StackyardError("not-found", { message: `the record ${id} is gone` });
}
