import { CompiledQuery } from "kysely";
import { StackyardError } from "../core/errors.ts";
import type { Database } from "./database.ts";

/** A row of the table `settings` that every store has. */
export type Setting = "cloud_id" | "sequence" | "identity_sequence";

/**
 * Reads one setting. Every call of the facade asks for two of them: as a finished text, since building a query takes longer than running it.
 * @throws StackyardError `internal` for a store without it.
 */
export async function readSetting(database: Database, key: Setting): Promise<string> {
  const query = CompiledQuery.raw("select value from settings where key = ?", [key]);
  const { rows } = await database.executeQuery<{ readonly value: string }>(query);
  const [row] = rows;
  if (row !== undefined) return row.value;
  throw new StackyardError("internal", { message: `the store has no setting ${key}` });
}
