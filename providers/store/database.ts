import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import {
  CompiledQuery,
  Kysely,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type SqliteDatabase,
  sql,
} from "kysely";
import { migrate } from "./migrations.ts";
import type { Tables } from "./tables.ts";

/** How long a statement waits for the write of another process, or of another connection of this one, in milliseconds. */
const busyTimeoutMs = 10_000;
/** Between two attempts, in milliseconds. SQLite's own waiting would stop all that this process does. */
const busyPauseMs = 2;
/** sqlite.org/rescode.html: SQLITE_BUSY, in the low byte of its extended codes too. */
const busyCode = 5;

/** The cloud's store. */
export type Database = Kysely<Tables>;

/**
 * Opens the SQLite file, making it (mode 0600) and its tables when missing. Several processes may have it open:
 * writers queue (`BEGIN IMMEDIATE`), readers never wait (WAL).
 */
export async function openDatabase(path: string): Promise<Database> {
  if (path !== ":memory:" && !existsSync(path)) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const umask = process.umask(0o077);
  let raw: DatabaseSync;
  try {
    raw = new DatabaseSync(path);
    raw.exec(`PRAGMA busy_timeout = ${String(busyTimeoutMs)}`);
    raw.exec("PRAGMA journal_mode = WAL");
    raw.exec("PRAGMA synchronous = NORMAL");
    raw.exec("PRAGMA foreign_keys = ON");
    // What is deleted is overwritten: a private key lies here until it has been handed over.
    raw.exec("PRAGMA secure_delete = ON");
    raw.exec("PRAGMA busy_timeout = 0");
  } finally {
    process.umask(umask);
  }
  const database = new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new ImmediateSqliteDriver({ database: adaptDatabase(raw) }),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  await migrate(database);
  return database;
}

/** Leaves nothing of what was deleted so far in the store's files, its log's among them. */
export async function scrub(database: Database): Promise<void> {
  const untilMs = performance.now() + busyTimeoutMs;
  for (;;) {
    const { rows } = await sql<{ busy: number }>`pragma wal_checkpoint(truncate)`.execute(database);
    // What others read or write in this moment keeps the log as it is, which is no error to SQLite.
    if (rows[0]?.busy === 0 || performance.now() > untilMs) return;
    await setTimeout(busyPauseMs);
  }
}

/** Takes the write lock at the start: a transaction that reads first and writes later would fail when another process wrote between. */
class ImmediateSqliteDriver extends SqliteDriver implements Driver {
  override async acquireConnection(): Promise<DatabaseConnection> {
    return waitWhileBusy(await super.acquireConnection());
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }
}

/** The connection, repeating what finds the store locked. Inside a transaction nothing does. */
function waitWhileBusy(connection: DatabaseConnection): DatabaseConnection {
  return {
    streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
    executeQuery: async <R>(query: CompiledQuery): Promise<QueryResult<R>> => {
      const untilMs = performance.now() + busyTimeoutMs;
      for (;;) {
        try {
          return await connection.executeQuery<R>(query);
        } catch (error) {
          if (!isBusy(error) || performance.now() > untilMs) throw error;
          await setTimeout(busyPauseMs);
        }
      }
    },
  };
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error) || !("errcode" in error)) return false;
  return typeof error.errcode === "number" && (error.errcode & 0xff) === busyCode;
}

/** Most statements that are kept prepared. There are fewer texts than that; only lists of many lengths make more. */
const maxStatements = 500;

/** Gives `node:sqlite` the shape that kysely's SQLite driver drives; statements are prepared once. */
function adaptDatabase(raw: DatabaseSync): SqliteDatabase {
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = raw.prepare(sql);
    if (prepared.size >= maxStatements) prepared.clear();
    prepared.set(sql, statement);
    return statement;
  };
  return {
    close: () => raw.close(),
    prepare: (sql) => {
      const statement = prepare(sql);
      const reader = statement.columns().length > 0;
      return {
        reader,
        all: (parameters) => statement.all(...bindValues(parameters)),
        run: (parameters) => {
          const { changes, lastInsertRowid } = statement.run(...bindValues(parameters));
          return { changes, lastInsertRowid };
        },
        iterate: (parameters) => statement.iterate(...bindValues(parameters)),
      };
    },
  };
}

function bindValues(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => {
    if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint")
      return value;
    if (value instanceof Uint8Array) return value;
    throw new TypeError(`cannot store a ${typeof value}`);
  });
}
