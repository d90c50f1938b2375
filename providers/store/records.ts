import { sql, type Transaction } from "kysely";
import { StackyardError } from "../core/errors.ts";
import { brandId, type ResourceId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Fault, RecordStatus, ResourceRecord } from "../core/record.ts";
import type { Reservation } from "../core/resource.ts";
import type { Database } from "./database.ts";
import type { RecordsTable, Tables } from "./tables.ts";

/** A transaction on the store. */
export type StoreTransaction = Transaction<Tables>;

/** What a write changes in a record; what is left out stays. */
export interface RecordPatch {
  readonly name?: string;
  readonly maker?: string;
  readonly inputs?: JsonObject;
  readonly outputs?: JsonObject;
  readonly applied?: JsonObject;
  readonly status?: RecordStatus;
  /** null takes the fault away. */
  readonly fault?: Fault | null;
  /** null leaves the record without one. */
  readonly owner?: null;
}

/** Writes a new record. Raises `conflict` when the id is taken. */
export async function insertRecord(
  transaction: StoreTransaction,
  record: Omit<ResourceRecord, "revision" | "createdAt" | "updatedAt">,
  at: string,
): Promise<void> {
  await transaction
    .insertInto("records")
    .values({
      id: record.id,
      type: record.type,
      project_id: record.projectId,
      name: record.name,
      inputs: JSON.stringify(record.inputs),
      outputs: JSON.stringify(record.outputs),
      applied: null,
      status: record.status,
      fault: null,
      maker: record.maker ?? null,
      owner: record.owner ?? null,
      revision: 1,
      sequence: await nextSequence(transaction),
      created_at: at,
      updated_at: at,
    })
    .execute();
  await transaction.deleteFrom("tombstones").where("id", "=", record.id).execute();
}

/** Changes a record. Raises `not-found` when it is gone. */
export async function updateRecord(
  transaction: StoreTransaction,
  id: ResourceId,
  patch: RecordPatch,
  at: string,
): Promise<void> {
  const result = await transaction
    .updateTable("records")
    .set((expression) => ({
      ...(patch.name === undefined ? {} : { name: patch.name }),
      ...(patch.maker === undefined ? {} : { maker: patch.maker }),
      ...(patch.inputs === undefined ? {} : { inputs: JSON.stringify(patch.inputs) }),
      ...(patch.outputs === undefined ? {} : { outputs: JSON.stringify(patch.outputs) }),
      ...(patch.applied === undefined ? {} : { applied: JSON.stringify(patch.applied) }),
      ...(patch.status === undefined ? {} : { status: patch.status }),
      ...(patch.fault === undefined
        ? {}
        : { fault: patch.fault === null ? null : JSON.stringify(patch.fault) }),
      ...(patch.owner === undefined ? {} : { owner: patch.owner }),
      revision: expression("revision", "+", 1),
      updated_at: at,
    }))
    .set({ sequence: await nextSequence(transaction) })
    .where("id", "=", id)
    .executeTakeFirst();
  if (result.numUpdatedRows === 0n)
    throw new StackyardError("not-found", { message: `the record ${id} is gone` });
}

/** Removes a record with its reservations; tolerates absence. */
export async function deleteRecord(transaction: StoreTransaction, id: ResourceId): Promise<void> {
  await transaction.deleteFrom("records").where("id", "=", id).execute();
  await transaction
    .replaceInto("tombstones")
    .values({ id, sequence: await nextSequence(transaction) })
    .execute();
}

/**
 * Makes the record hold exactly these values. It takes them over from the records that it is known to replace, which are removed later.
 * Raises `conflict` when any other record holds one of them.
 */
export async function reserve(
  transaction: StoreTransaction,
  id: ResourceId,
  reservations: readonly Reservation[],
  replaced: ReadonlySet<string> = new Set(),
): Promise<void> {
  await transaction.deleteFrom("reservations").where("record_id", "=", id).execute();
  for (const reservation of reservations) {
    const holder = await transaction
      .selectFrom("reservations")
      .innerJoin("records", "records.id", "reservations.record_id")
      .select(["records.id", "records.type", "records.name"])
      .where("reservations.kind", "=", reservation.kind)
      .where("scope", "=", reservation.scope)
      .where("value", "=", reservation.value)
      .executeTakeFirst();
    if (holder !== undefined && !replaced.has(holder.id)) throw takenError(reservation, holder);
    await transaction
      .insertInto("reservations")
      .values({ kind: reservation.kind, scope: reservation.scope, value: reservation.value, record_id: id })
      .onConflict((conflict) => conflict.doUpdateSet({ record_id: id }))
      .execute();
  }
}

/** The error for a value that another resource holds. */
function takenError(
  reservation: Reservation,
  holder: { readonly id: string; readonly type: string; readonly name: string },
): StackyardError {
  return new StackyardError("conflict", {
    message: `the ${reservation.kind} is taken by ${holder.type} ${JSON.stringify(holder.name)} (${holder.id})`,
    field: reservation.field,
    value: reservation.value,
  });
}

/** Reads one record. */
export async function readRecord(
  database: Database | StoreTransaction,
  id: string,
): Promise<ResourceRecord | undefined> {
  const row = await database.selectFrom("records").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : parseRecord(row);
}

/** Reads the records of a type that a project owns. */
export async function listRecords(
  database: Database | StoreTransaction,
  type: string,
  projectId: ResourceId,
): Promise<readonly ResourceRecord[]> {
  const rows = await database
    .selectFrom("records")
    .selectAll()
    .where("project_id", "=", projectId)
    .where("type", "=", type)
    .execute();
  return rows.map(parseRecord);
}

/** Reads what one maker has of a type: a resource, and for a while its replacement. */
export async function listRecordsOfMaker(
  database: Database | StoreTransaction,
  type: string,
  maker: string,
): Promise<readonly ResourceRecord[]> {
  const rows = await database
    .selectFrom("records")
    .selectAll()
    .where("maker", "=", maker)
    .where("type", "=", type)
    .execute();
  return rows.map(parseRecord);
}

/** Reads the store's own row. The store wrote it, so its JSON is trusted. */
export function parseRecord(row: RecordsTable): ResourceRecord {
  return {
    id: brandId(row.id),
    type: row.type,
    projectId: row.project_id === null ? null : brandId(row.project_id),
    name: row.name,
    inputs: JSON.parse(row.inputs) as JsonObject,
    outputs: JSON.parse(row.outputs) as JsonObject,
    ...(row.applied === null ? {} : { applied: JSON.parse(row.applied) as JsonObject }),
    status: row.status as RecordStatus,
    ...(row.fault === null ? {} : { fault: JSON.parse(row.fault) as Fault }),
    ...(row.maker === null ? {} : { maker: row.maker }),
    ...(row.owner === null ? {} : { owner: brandId(row.owner) }),
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Numbers a write, so that mirrors find what is new. Inside one transaction only. */
async function nextSequence(transaction: StoreTransaction): Promise<number> {
  const row = await transaction
    .updateTable("settings")
    .set({ value: sql`cast(cast(value as integer) + 1 as text)` })
    .where("key", "=", "sequence")
    .returning("value")
    .executeTakeFirstOrThrow();
  return Number(row.value);
}
