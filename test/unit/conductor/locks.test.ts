import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { workerName } from "../../../providers/conductor/lease.ts";
import { makeStoreExclusive } from "../../../providers/conductor/locks.ts";
import type { Exclusive } from "../../../providers/core/exclusive.ts";
import { openDatabase, type Database } from "../../../providers/store/database.ts";
import { deadWorker } from "../../support/worker.ts";

const key = "network/1";
const script = new URL("../../support/hold-lock.ts", import.meta.url).pathname;

let folder: string;
let path: string;
/** Two connections to one store, each with its queues: to each other they are as two processes. */
let database: Database;
let otherDatabase: Database;
let first: Exclusive;
let second: Exclusive;
/** The time that both go by, and what happens when they look at it. */
let atMs: number;
const clock = vi.fn<() => number>();
/** What happened, in its order. */
let seen: string[];
let child: ChildProcess | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-locks-"));
  path = join(folder, "cloud.sqlite");
  database = await openDatabase(path);
  otherDatabase = await openDatabase(path);
  atMs = Date.now();
  clock.mockReset().mockImplementation(() => atMs);
  first = makeStoreExclusive(database, clock);
  second = makeStoreExclusive(otherDatabase, clock);
  seen = [];
});

afterEach(async () => {
  vi.useRealTimers();
  child?.kill("SIGKILL");
  child = undefined;
  await database.destroy();
  await otherDatabase.destroy();
  rmSync(folder, { recursive: true });
});

function note(line: string): () => Promise<void> {
  return () => {
    seen.push(line);
    return Promise.resolve();
  };
}

/** Work that has begun and goes on until it is told to end. */
async function hold(exclusive: Exclusive): Promise<{ readonly end: () => Promise<void> }> {
  const begun = Promise.withResolvers<undefined>();
  const released = Promise.withResolvers<undefined>();
  const held = exclusive(key, () => {
    begun.resolve(undefined);
    return released.promise;
  });
  await begun.promise;
  return {
    end: async () => {
      released.resolve(undefined);
      await held;
    },
  };
}

function listPlaces() {
  return database.selectFrom("locks").selectAll().orderBy("ticket").execute();
}

async function untilQueued(count: number): Promise<void> {
  await vi.waitFor(async () => expect(await listPlaces()).toHaveLength(count), { timeout: 20_000 });
}

/** Puts a place of another worker at the end of the queue. */
async function insertPlace(worker: string, leaseUntilMs: number): Promise<void> {
  await database.insertInto("locks").values({ name: key, worker, lease_until_ms: leaseUntilMs }).execute();
}

describe("work of two processes under one key", () => {
  test("does not overlap", async () => {
    const held = await hold(first);
    const waiting = second(key, note("second"));
    await untilQueued(2);
    seen.push("first ends");

    await held.end();

    await waiting;
    expect(seen).toEqual(["first ends", "second"]);
  });

  test("takes turns, however much each of them has to do", async () => {
    const held = await hold(first);
    const work = [
      ...["b1", "b2", "b3"].map((name) => second(key, note(name))),
      ...["a1", "a2", "a3"].map((name) => first(key, note(name))),
    ];
    await untilQueued(2);

    await held.end();

    await Promise.all(work);
    expect(seen).toEqual(["b1", "a1", "b2", "a2", "b3", "a3"]);
  });

  test("has one place a process in the queue, and none when it is done", async () => {
    const held = await hold(first);
    const work = [first(key, note("a")), second(key, note("b")), second(key, note("c"))];
    await untilQueued(2);

    await held.end();

    await Promise.all(work);
    expect(await listPlaces()).toEqual([]);
  });

  test("is given its turn also when what was before it failed", async () => {
    const failed = first(key, () => Promise.reject(new Error("broken")));
    await expect(failed).rejects.toThrow("broken");

    await second(key, note("second"));

    expect(seen).toEqual(["second"]);
  });

  test("does not wait for work under another key", async () => {
    const held = await hold(first);

    await second("network/2", note("second"));

    expect(seen).toEqual(["second"]);
    await held.end();
  });
});

describe("a process that is killed", () => {
  test("while it works gives way at once, though its lease runs", async () => {
    const holder = spawn(process.execPath, [script, path, key], { stdio: ["ignore", "pipe", "inherit"] });
    child = holder;
    await once(holder.stdout, "data");
    const waiting = first(key, note("taken over"));
    await untilQueued(2);
    seen.push("killed");

    holder.kill("SIGKILL");

    await waiting;
    expect(seen).toEqual(["killed", "taken over"]);
    expect(await listPlaces()).toEqual([]);
  });

  test("while it waits holds up nobody behind it", async () => {
    const held = await hold(first);
    await insertPlace(await deadWorker(), atMs + 30_000);
    const waiting = second(key, note("second"));
    await untilQueued(3);

    await held.end();

    await waiting;
    expect(seen).toEqual(["second"]);
  });
});

describe("the lease of a worker on another machine", () => {
  test("keeps its place until it ends", async () => {
    await insertPlace("elsewhere/1/1", atMs + 30_000);
    const waiting = first(key, note("taken over"));
    await untilQueued(2);
    seen.push("lease ends");

    atMs += 30_000;

    await waiting;
    expect(seen).toEqual(["lease ends", "taken over"]);
  });

  test("keeps its place when it is renewed, if only between another's look at it and the taking over", async () => {
    await insertPlace("elsewhere/1/1", atMs + 30_000);
    const lines: string[] = [];
    const waiting = first(key, note("taken over"), { progress: (line) => lines.push(line) });
    await untilQueued(2);
    const elsewhere = new DatabaseSync(path);

    atMs += 30_000;
    clock.mockImplementation(() => {
      elsewhere.exec(
        `update locks set lease_until_ms = ${String(atMs + 30_000)} where worker = 'elsewhere/1/1'`,
      );
      return atMs;
    });

    await vi.waitFor(() => expect(lines).not.toEqual([]), { timeout: 20_000 });
    seen.push("given back");
    elsewhere.exec("delete from locks where worker = 'elsewhere/1/1'");
    await waiting;
    elsewhere.close();
    expect(seen).toEqual(["given back", "taken over"]);
  });
});

describe("the lease of this process", () => {
  test("is renewed for as long as it works, and no longer", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const held = await hold(first);
    expect(await listPlaces()).toMatchObject([{ worker: workerName, lease_until_ms: atMs + 30_000 }]);
    atMs += 10_000;

    vi.advanceTimersByTime(10_000);

    await vi.waitFor(async () =>
      expect(await listPlaces()).toMatchObject([{ lease_until_ms: atMs + 30_000 }]),
    );
    await held.end();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("that was taken for gone while it waited is taken anew, at the end of the queue", async () => {
    const held = await hold(first);
    const waiting = second(key, note("second"));
    await untilQueued(2);
    const [, lost] = await listPlaces();

    await database
      .deleteFrom("locks")
      .where("ticket", "=", lost?.ticket ?? 0)
      .execute();

    await untilQueued(2);
    await held.end();
    await waiting;
    expect(seen).toEqual(["second"]);
    expect(await listPlaces()).toEqual([]);
  });
});

describe("a wait for another process", () => {
  test("ends with its signal, and leaves the queue", async () => {
    const held = await hold(first);
    const stop = new AbortController();
    const waiting = second(key, note("second"), { signal: stop.signal });
    await untilQueued(2);

    stop.abort();

    await expect(waiting).rejects.toMatchObject({
      code: "interrupted",
      message: "the wait for network/1 was interrupted",
    });
    expect(await listPlaces()).toHaveLength(1);
    await held.end();
    expect(seen).toEqual([]);
  });

  test("of more than a second says who is at work", async () => {
    const held = await hold(first);
    const lines: string[] = [];
    const waiting = second(key, note("second"), { progress: (line) => lines.push(line) });
    await untilQueued(2);

    atMs += 1_001;

    await vi.waitFor(() => expect(lines).not.toEqual([]), { timeout: 20_000 });
    await held.end();
    await waiting;
    expect(lines).toEqual([`waiting for network/1: another process (${workerName}) is at work on it`]);
  });

  test("of less than that says nothing", async () => {
    const held = await hold(first);
    const lines: string[] = [];
    const waiting = second(key, note("second"), { progress: (line) => lines.push(line) });
    await untilQueued(2);
    atMs += 1_000;
    clock.mockClear();
    await vi.waitFor(() => expect(clock.mock.calls.length).toBeGreaterThan(3), { timeout: 20_000 });

    await held.end();

    await waiting;
    expect(lines).toEqual([]);
  });
});
