import { DatabaseSync } from "node:sqlite";

/** Number of the last entry of a cloud's journal. */
export function readLastEntry(store: string): number {
  using database = new DatabaseSync(store, { readOnly: true });
  const row = database.prepare("select coalesce(max(sequence), 0) as last from journal").get();
  return Number(row?.["last"] ?? 0);
}

/** Waits until the journal has, after entry `after`, the intent of a step of a server's task. */
export async function waitForStep(store: string, step: string, after: number): Promise<void> {
  using database = new DatabaseSync(store, { readOnly: true });
  const statement = database.prepare(
    "select count(*) as found from journal join tasks on tasks.id = journal.task_id where sequence > ? and step = ? and phase = 'intent' and type = 'server'",
  );
  const deadline = Date.now() + 120_000;
  while (Number(statement.get(after, step)?.["found"] ?? 0) === 0) {
    if (Date.now() > deadline) throw new Error(`step ${step} never began`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
