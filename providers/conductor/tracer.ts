import type { FlowStepNumber, TraceEvent } from "../core/trace.ts";
import type { Database } from "../store/database.ts";
import type { StoreTransaction } from "../store/records.ts";

/** Now, in milliseconds since the epoch with fractions. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Records steps of the 29 for one record. A step that happens again overwrites its event. */
export interface Tracer {
  /** Times the work; a failure is timed too. */
  time<T>(number: FlowStepNumber, work: () => Promise<T> | T, host?: string): Promise<T>;
  /** Records what was timed elsewhere. */
  add(event: TraceEvent): void;
  /** Writes what has been recorded since the last call. */
  flush(): Promise<void>;
}

/** A tracer that writes to the store in batches: between steps there must be no wait for it. */
export function openTracer(database: Database, recordId: string): Tracer {
  let events: TraceEvent[] = [];
  return {
    time: async (number, work, host) => {
      const startedAtMs = nowMs();
      try {
        return await work();
      } finally {
        events.push({
          number,
          ...(host === undefined ? {} : { host }),
          startedAtMs,
          durationMs: nowMs() - startedAtMs,
        });
      }
    },
    add: (event) => {
      events.push(event);
    },
    flush: async () => {
      const batch = events;
      events = [];
      await writeTrace(database, recordId, batch);
    },
  };
}

/** Writes the first events of a build, in the place of those of an earlier one: a resource that is made anew has the id that it had. */
export async function beginTrace(
  transaction: StoreTransaction,
  recordId: string,
  events: readonly TraceEvent[],
): Promise<void> {
  await transaction.deleteFrom("trace_events").where("record_id", "=", recordId).execute();
  await writeTrace(transaction, recordId, events);
}

/** Writes events of a record. */
async function writeTrace(
  database: Database | StoreTransaction,
  recordId: string,
  events: readonly TraceEvent[],
): Promise<void> {
  const last = new Map(events.map((event) => [event.number, event]));
  if (last.size === 0) return;
  await database
    .replaceInto("trace_events")
    .values(
      [...last.values()].map((event) => ({
        record_id: recordId,
        number: event.number,
        host: event.host ?? null,
        started_at_ms: event.startedAtMs,
        duration_ms: event.durationMs,
      })),
    )
    .execute();
}

/** The events of a record by number. */
export async function readTrace(database: Database, recordId: string): Promise<readonly TraceEvent[]> {
  const rows = await database
    .selectFrom("trace_events")
    .selectAll()
    .where("record_id", "=", recordId)
    .orderBy("number")
    .execute();
  return rows.map((row) => ({
    number: row.number as FlowStepNumber,
    ...(row.host === null ? {} : { host: row.host }),
    startedAtMs: row.started_at_ms,
    durationMs: row.duration_ms,
  }));
}
