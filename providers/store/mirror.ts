import type { ResourceId } from "../core/ids.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { Reservation } from "../core/resource.ts";
import type { Database } from "./database.ts";
import { parseRecord } from "./records.ts";
import { readSetting } from "./settings.ts";

/** All records in memory, kept current by reading only what changed. Plans look a great deal up and must not query each time. */
export class RecordMirror {
  readonly #database: Database;
  readonly #records = new Map<string, ResourceRecord>();
  readonly #byType = new Map<string, Map<string, ResourceRecord>>();
  readonly #holders = new Map<string, ResourceId>();
  readonly #reservationsOf: (record: ResourceRecord) => readonly Reservation[];
  #sequence = -1;
  #refreshing: Promise<void> | undefined;

  constructor(database: Database, reservationsOf: (record: ResourceRecord) => readonly Reservation[]) {
    this.#database = database;
    this.#reservationsOf = reservationsOf;
  }

  /** Brings the mirror up to date, other processes' writes included. */
  async refresh(): Promise<void> {
    // A caller that comes while a refresh runs may have written after it began: it needs one of its own.
    await this.#refreshing;
    this.#refreshing ??= this.#load().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  async #load(): Promise<void> {
    const newest = Number(await readSetting(this.#database, "sequence"));
    if (newest === this.#sequence) return;
    const [rows, tombstones] = await Promise.all([
      this.#database
        .selectFrom("records")
        .selectAll()
        .where("sequence", ">", this.#sequence)
        .orderBy("created_at")
        .execute(),
      this.#database.selectFrom("tombstones").select("id").where("sequence", ">", this.#sequence).execute(),
    ]);
    for (const { id } of tombstones) this.#drop(id);
    for (const row of rows) this.#put(parseRecord(row));
    this.#sequence = newest;
  }

  #put(record: ResourceRecord): void {
    const isNew = !this.#records.has(record.id);
    this.#drop(record.id);
    this.#records.set(record.id, record);
    const ofType = this.#byType.get(record.type) ?? new Map<string, ResourceRecord>();
    ofType.set(record.id, record);
    this.#byType.set(record.type, ofType);
    for (const reservation of this.#reservationsOf(record)) {
      const key = keyOf(reservation);
      // A replacement took its predecessor's values over; the predecessor's later changes do not take them back.
      if (isNew || !this.#holders.has(key)) this.#holders.set(key, record.id);
    }
  }

  #drop(id: string): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#records.delete(id);
    this.#byType.get(record.type)?.delete(id);
    for (const reservation of this.#reservationsOf(record)) {
      if (this.#holders.get(keyOf(reservation)) === record.id) this.#holders.delete(keyOf(reservation));
    }
  }

  /** Which record holds a reserved value. */
  holder(kind: string, scope: string, value: string): ResourceId | undefined {
    return this.#holders.get(keyOf({ kind, scope, value }));
  }

  find(id: string): ResourceRecord | undefined {
    return this.#records.get(id);
  }

  all(type: string): readonly ResourceRecord[] {
    return [...(this.#byType.get(type)?.values() ?? [])];
  }

  everything(): Iterable<ResourceRecord> {
    return this.#records.values();
  }
}

/** One key for a reserved value. */
export function keyOf({ kind, scope, value }: Pick<Reservation, "kind" | "scope" | "value">): string {
  return `${kind}\n${scope}\n${value}`;
}
