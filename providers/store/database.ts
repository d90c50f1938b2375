import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import {
  CompiledQuery,
  Kysely,
  type DatabaseConnection,
  type Driver,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type SqliteDatabase,
  sql,
} from "kysely";
import { migrate } from "./migrations.ts";
import type { Tables } from "./tables.ts";

/** How long a statement waits for another process's write, in milliseconds. */
const busyTimeoutMs = 10_000;

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
  await sql`pragma wal_checkpoint(truncate)`.execute(database);
}

/** Takes the write lock at the start: a transaction that reads first and writes later would fail when another process wrote between. */
class ImmediateSqliteDriver extends SqliteDriver implements Driver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }
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
