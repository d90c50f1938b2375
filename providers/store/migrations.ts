import { sql, type Kysely } from "kysely";
import { StackyardError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import type { Database } from "./database.ts";
import type { Tables } from "./tables.ts";

/** Each entry brings the schema from its index to the next. Entries are never changed once released. */
const migrations: readonly ((database: Kysely<Tables>) => Promise<void>)[] = [
  createFirstSchema,
  createLocks,
  addOwners,
];

/** Brings the schema up to date. Raises `wrong-state` on a store that a newer version wrote. */
export async function migrate(database: Database): Promise<void> {
  await sql`create table if not exists settings (key text primary key, value text not null) strict`.execute(
    database,
  );
  if ((await readVersion(database)) === migrations.length) return;
  await database.transaction().execute(async (transaction) => {
    const from = await readVersion(transaction);
    if (from > migrations.length) {
      throw new StackyardError("wrong-state", {
        message: `the store has schema version ${String(from)}, this program knows ${String(migrations.length)}`,
        remedy: "Update stackyard.",
      });
    }
    for (const step of migrations.slice(from)) await step(transaction);
    await transaction
      .replaceInto("settings")
      .values({ key: "schema_version", value: String(migrations.length) })
      .execute();
  });
}

async function readVersion(database: Kysely<Tables>): Promise<number> {
  const row = await database
    .selectFrom("settings")
    .select("value")
    .where("key", "=", "schema_version")
    .executeTakeFirst();
  return row === undefined ? 0 : Number(row.value);
}

async function createFirstSchema(database: Kysely<Tables>): Promise<void> {
  await database
    .insertInto("settings")
    .values([
      { key: "cloud_id", value: newId<"cloud">() },
      { key: "sequence", value: "0" },
      { key: "identity_sequence", value: "0" },
    ])
    .execute();
  await sql`create table records (
    id text primary key, type text not null, project_id text, name text not null,
    inputs text not null, outputs text not null, applied text, status text not null, fault text, maker text,
    revision integer not null, sequence integer not null, created_at text not null, updated_at text not null) strict`.execute(
    database,
  );
  await sql`create index records_by_sequence on records (sequence)`.execute(database);
  await sql`create index records_by_project on records (project_id, type)`.execute(database);
  await sql`create table tombstones (id text primary key, sequence integer not null) strict`.execute(
    database,
  );
  await sql`create index tombstones_by_sequence on tombstones (sequence)`.execute(database);
  await sql`create table reservations (
    kind text not null, scope text not null, value text not null,
    record_id text not null references records (id) on delete cascade,
    primary key (kind, scope, value)) strict`.execute(database);
  await sql`create index reservations_by_record on reservations (record_id)`.execute(database);
  await sql`create table tasks (
    id text primary key, record_id text not null, type text not null, kind text not null, state text not null,
    error text, worker text, lease_until_ms integer not null, created_at text not null, finished_at text) strict`.execute(
    database,
  );
  await sql`create index tasks_by_record on tasks (record_id)`.execute(database);
  await sql`create index tasks_open on tasks (state) where state in ('pending', 'running')`.execute(database);
  await sql`create table journal (
    sequence integer primary key autoincrement, task_id text not null, step text not null, phase text not null,
    at text not null, detail text) strict`.execute(database);
  await sql`create index journal_by_task on journal (task_id)`.execute(database);
  await sql`create table trace_events (
    record_id text not null, number integer not null, host text, started_at_ms real not null, duration_ms real not null,
    primary key (record_id, number)) strict`.execute(database);
  await sql`create table providers (
    host_id text primary key, generation integer not null, failed_builds integer not null) strict`.execute(
    database,
  );
  await sql`create table inventories (
    host_id text not null references providers (host_id) on delete cascade, resource_class text not null,
    total integer not null, reserved integer not null, allocation_ratio real not null,
    min_unit integer not null, max_unit integer not null, step_size integer not null,
    primary key (host_id, resource_class)) strict`.execute(database);
  await sql`create table allocations (
    consumer_id text not null, host_id text not null references providers (host_id), resource_class text not null, used integer not null,
    primary key (consumer_id, resource_class)) strict`.execute(database);
  await sql`create index allocations_by_host on allocations (host_id)`.execute(database);
  await sql`create table login_failures (
    user_id text primary key references records (id) on delete cascade,
    failed_attempts integer not null, failed_at_ms real not null) strict`.execute(database);
  await sql`create table tokens (
    hash text primary key, user_id text not null references records (id) on delete cascade, project_id text,
    password_mark text not null, issued_at_ms real not null, expires_at_ms real not null, issue_duration_ms real not null, revoked integer not null) strict`.execute(
    database,
  );
  await sql`create index tokens_by_expiry on tokens (expires_at_ms)`.execute(database);
  await sql`create index tokens_by_user on tokens (user_id)`.execute(database);
  await createIdentityTriggers(database);
}

async function createLocks(database: Kysely<Tables>): Promise<void> {
  await sql`create table locks (
    ticket integer primary key autoincrement, name text not null, worker text not null, lease_until_ms integer not null) strict`.execute(
    database,
  );
  await sql`create index locks_by_name on locks (name, ticket)`.execute(database);
}

async function addOwners(database: Kysely<Tables>): Promise<void> {
  await sql`alter table records add column owner text`.execute(database);
}

/** Whatever changes who may do what grows `identity_sequence`, in the same transaction: no writer can forget to. */
async function createIdentityTriggers(database: Database): Promise<void> {
  const isIdentity = (row: "new" | "old") =>
    sql`${sql.ref(row)}.type in ('user', 'project', 'role-assignment')`;
  const grow = sql`update settings set value = cast(cast(value as integer) + 1 as text) where key = 'identity_sequence'`;
  await sql`create trigger identity_inserted after insert on records when ${isIdentity("new")} begin ${grow}; end`.execute(
    database,
  );
  await sql`create trigger identity_updated after update on records when ${isIdentity("new")} begin ${grow}; end`.execute(
    database,
  );
  await sql`create trigger identity_deleted after delete on records when ${isIdentity("old")} begin ${grow}; end`.execute(
    database,
  );
  await sql`create trigger token_revoked after update of revoked on tokens begin ${grow}; end`.execute(
    database,
  );
}
