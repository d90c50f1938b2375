import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newId, type ResourceId } from "../../../providers/core/ids.ts";
import type { Reservation } from "../../../providers/core/resource.ts";
import { openDatabase, scrub, type Database } from "../../../providers/store/database.ts";
import { RecordMirror } from "../../../providers/store/mirror.ts";
import {
  deleteRecord,
  insertRecord,
  readRecord,
  reserve,
  updateRecord,
} from "../../../providers/store/records.ts";

const at = "2026-01-02T03:04:05.000Z";
const address: Reservation = { kind: "address", scope: "net", value: "10.0.0.5", field: "address" };

let folder: string;
let path: string;
let database: Database;
/** Another connection to the same file. */
let other: Database;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-store-"));
  path = join(folder, "cloud", "store.sqlite");
  database = await openDatabase(path);
  other = await openDatabase(path);
});

afterEach(async () => {
  await database.destroy();
  await other.destroy();
  rmSync(folder, { recursive: true });
});

async function insert(name: string, reservations: readonly Reservation[] = [], into = database) {
  const id = newId<"resource">();
  await into.transaction().execute(async (transaction) => {
    await insertRecord(
      transaction,
      { id, type: "port", projectId: null, name, inputs: { name }, outputs: {}, status: "building" },
      at,
    );
    await reserve(transaction, id, reservations);
  });
  return id;
}

function change(id: ResourceId, patch: Parameters<typeof updateRecord>[2], within = database): Promise<void> {
  return within.transaction().execute((transaction) => updateRecord(transaction, id, patch, at));
}

describe("the store's files", () => {
  test("are their owner's only, as is their folder", () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "cloud")).mode & 0o777).toBe(0o700);
  });

  test("hold nothing of what was deleted, once scrubbed", async () => {
    const id = await insert("plaintext-to-forget");
    await database.transaction().execute((transaction) => deleteRecord(transaction, id));

    await scrub(database);

    const bytes = Buffer.concat([path, `${path}-wal`].map((file) => readFileSync(file)));
    expect(bytes.includes("plaintext-to-forget")).toBe(false);
  });

  test("of the version before the newest are brought up to date, with all that is in them", async () => {
    const id = await insert("a");
    await sql`alter table records drop column owner`.execute(database);
    await database.updateTable("settings").set({ value: "2" }).where("key", "=", "schema_version").execute();

    const opened = await openDatabase(path);

    const record = await readRecord(opened, id);
    expect(record).toMatchObject({ name: "a" });
    expect(record).not.toHaveProperty("owner");
    await opened.destroy();
  });

  test("of a newer version are refused", async () => {
    await database.updateTable("settings").set({ value: "99" }).where("key", "=", "schema_version").execute();

    await expect(openDatabase(path)).rejects.toMatchObject({
      code: "wrong-state",
      remedy: "Update stackyard.",
    });
  });
});

describe("a record", () => {
  test("counts its revisions, and changes only what is given", async () => {
    const id = await insert("a");

    await change(id, { outputs: { address: "10.0.0.5" } });
    await change(id, { status: "active" });

    expect(await readRecord(database, id)).toMatchObject({
      revision: 3,
      status: "active",
      inputs: { name: "a" },
      outputs: { address: "10.0.0.5" },
    });
  });

  test("loses its fault", async () => {
    const id = await insert("a");
    await change(id, { fault: { code: "internal", message: "broken", at } });
    expect(await readRecord(database, id)).toMatchObject({ fault: { message: "broken" } });

    await change(id, { fault: null });

    expect(await readRecord(database, id)).not.toHaveProperty("fault");
  });

  test("that is gone cannot be changed", async () => {
    await expect(change(newId<"resource">(), { status: "active" })).rejects.toMatchObject({
      code: "not-found",
    });
  });
});

describe("a reservation", () => {
  test("is held once, in the name of its holder", async () => {
    await insert("first", [address]);

    await expect(insert("second", [address])).rejects.toMatchObject({
      code: "conflict",
      field: "address",
      value: "10.0.0.5",
      message: expect.stringContaining('port "first"') as unknown,
    });
  });

  test("that is refused leaves nothing of its record", async () => {
    await insert("first", [address]);
    await insert("second", [address]).catch(() => undefined);

    expect(await database.selectFrom("records").select("name").execute()).toEqual([{ name: "first" }]);
  });

  test("goes with its record", async () => {
    const id = await insert("first", [address]);
    await database.transaction().execute((transaction) => deleteRecord(transaction, id));

    await expect(insert("second", [address])).resolves.toEqual(expect.any(String));
  });

  test("is given up when it is not asked for again", async () => {
    const id = await insert("first", [address]);
    await database.transaction().execute((transaction) => reserve(transaction, id, []));

    await expect(insert("second", [address])).resolves.toEqual(expect.any(String));
  });

  test("goes over to a record that is known to replace its holder", async () => {
    const first = await insert("first", [address]);
    const second = await insert("second");
    await database
      .transaction()
      .execute((transaction) => reserve(transaction, second, [address], new Set([first])));
    await database.transaction().execute((transaction) => deleteRecord(transaction, first));

    await expect(insert("third", [address])).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("a transaction", () => {
  test("waits for that of another connection in the same process, which goes on meanwhile", async () => {
    const entered = Promise.withResolvers<undefined>();
    const goOn = Promise.withResolvers<undefined>();
    const first = database.transaction().execute(async (transaction) => {
      await sql`update settings set value = '1' where key = 'sequence'`.execute(transaction);
      entered.resolve(undefined);
      await goOn.promise;
    });
    await entered.promise;
    const second = insert("late", [], other);
    goOn.resolve(undefined);

    await expect(Promise.all([first, second])).resolves.toHaveLength(2);
  });

  test("that fails leaves nothing", async () => {
    const failing = database.transaction().execute(async (transaction) => {
      await transaction.deleteFrom("settings").execute();
      throw new Error("no");
    });

    await expect(failing).rejects.toThrow("no");
    expect(await database.selectFrom("settings").select("key").execute()).not.toEqual([]);
  });
});

describe("a mirror", () => {
  function mirrorOf(source: Database): RecordMirror {
    return new RecordMirror(source, ({ inputs }) =>
      typeof inputs["address"] === "string" ? [{ ...address, value: inputs["address"] }] : [],
    );
  }

  test("sees what another process wrote, changed and removed, when it is refreshed", async () => {
    const mirror = mirrorOf(other);
    const kept = await insert("kept");
    const removed = await insert("removed");
    await mirror.refresh();
    expect(mirror.all("port").map(({ name }) => name)).toEqual(["kept", "removed"]);

    await change(kept, { name: "renamed" });
    await database.transaction().execute((transaction) => deleteRecord(transaction, removed));
    await mirror.refresh();

    expect(mirror.all("port").map(({ name }) => name)).toEqual(["renamed"]);
    expect(mirror.find(removed)).toBeUndefined();
  });

  test("knows who holds a value, and that nobody does once it is given up", async () => {
    const mirror = mirrorOf(database);
    const id = await insert("a");
    await change(id, { inputs: { address: "10.0.0.5" } });
    await mirror.refresh();
    expect(mirror.holder("address", "net", "10.0.0.5")).toBe(id);

    await change(id, { inputs: { address: "10.0.0.6" } });
    await mirror.refresh();

    expect(mirror.holder("address", "net", "10.0.0.5")).toBeUndefined();
    expect(mirror.holder("address", "net", "10.0.0.6")).toBe(id);
  });

  test("that is refreshed while it is being refreshed shows what was written in between", async () => {
    const mirror = mirrorOf(database);
    const early = mirror.refresh();
    await insert("late");

    await Promise.all([early, mirror.refresh()]);

    expect(mirror.all("port")).toHaveLength(1);
  });

  test("reads nothing when nothing was written", async () => {
    const mirror = mirrorOf(database);
    await insert("a");
    await mirror.refresh();
    const [before] = mirror.all("port");

    await mirror.refresh();

    expect(mirror.all("port")[0]).toBe(before);
  });
});
