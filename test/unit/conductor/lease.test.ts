import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isWorkerDead, takeLease, workerName } from "../../../providers/conductor/lease.ts";
import { newId } from "../../../providers/core/ids.ts";
import { make, makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";
import { deadWorker } from "../../support/worker.ts";

let test1: TestCloud;
let world: SmallWorld;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

describe("a worker", () => {
  test("that runs is alive", () => {
    expect(isWorkerDead(workerName)).toBe(false);
  });

  test("whose process has ended is dead", async () => {
    expect(isWorkerDead(await deadWorker())).toBe(true);
  });

  test("whose number another process got is dead", () => {
    const [machine, pid] = workerName.split("/");
    expect(isWorkerDead(`${machine ?? ""}/${pid ?? ""}/1`)).toBe(true);
  });

  test("of which the start is not known may be alive", () => {
    const [machine] = workerName.split("/");
    expect(isWorkerDead(`${machine ?? ""}/1/?`)).toBe(false);
  });

  test("on another machine may be alive", () => {
    expect(isWorkerDead("elsewhere/1/1")).toBe(false);
  });
});

describe("while one process builds a server", () => {
  test.each(["apply", "remove"] as const)("another is refused to %s it", async (what) => {
    const held = test1.compute.hold("domains.spawn");
    const building = test1.make("server", "web", world.server);
    await held.reached;
    const other = await test1.open();
    const { id } = await other.find("server", "web");

    const attempt =
      what === "apply" ? make(other, "server", "web", world.server) : other.remove("server", id);

    await expect(attempt).rejects.toMatchObject({
      code: "wrong-state",
      message: `another process (${workerName}) is at work on this resource`,
    });
    held.goOn();
    await expect(building).resolves.toMatchObject({ outputs: { status: "ACTIVE" } });
  });
});

describe("a task of a worker", () => {
  /** A server whose last task looks as if it were in the hands of that worker. */
  async function leaveTask(worker: string, leaseUntilMs: number): Promise<string> {
    const { id } = await test1.make("server", "web", world.server);
    const database = await test1.database();
    await database
      .updateTable("tasks")
      .set({ state: "running", worker, lease_until_ms: leaseUntilMs })
      .where("record_id", "=", id)
      .execute();
    return id;
  }

  test("that is dead is taken over at once, though its lease has not ended", async () => {
    await leaveTask(await deadWorker(), Date.now() + 30_000);

    await expect(test1.make("server", "web", world.server)).resolves.toMatchObject({
      record: { status: "active" },
    });
  });

  test("on another machine is its own until its lease ends", async () => {
    const id = await leaveTask("elsewhere/1/1", Date.now() + 30_000);

    await expect(test1.cloud.remove("server", id)).rejects.toMatchObject({ code: "wrong-state" });
  });

  test("on another machine whose lease has ended is taken over", async () => {
    const id = await leaveTask("elsewhere/1/1", Date.now() - 1);

    await test1.cloud.remove("server", id);

    expect(await test1.cloud.list("server")).toEqual([]);
  });
});

describe("a lease", () => {
  async function insertTask() {
    const database = await test1.database();
    const id = newId<"task">();
    await database
      .insertInto("tasks")
      .values({
        id,
        record_id: world.group.id,
        type: "server-group",
        kind: "reconcile",
        state: "pending",
        error: null,
        worker: null,
        lease_until_ms: 0,
        created_at: "2026-01-02T03:04:05.000Z",
        finished_at: null,
      })
      .execute();
    return { database, id };
  }

  test("that another worker has taken over is not given back by who had it before", async () => {
    const { database, id } = await insertTask();
    const lease = await takeLease(database, id);
    await database.updateTable("tasks").set({ worker: "elsewhere/1/1" }).where("id", "=", id).execute();

    await lease?.release();

    const task = database.selectFrom("tasks").select("worker").where("id", "=", id);
    expect(await task.executeTakeFirst()).toEqual({ worker: "elsewhere/1/1" });
  });

  test("is given once", async () => {
    const { database, id } = await insertTask();

    const leases = await Promise.all([takeLease(database, id), takeLease(database, id)]);

    expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1);
    for (const lease of leases) await lease?.release();
  });

  test("is given again once it was given back", async () => {
    const { database, id } = await insertTask();
    const first = await takeLease(database, id);
    await first?.release();

    const second = await takeLease(database, id);

    expect(second).toBeDefined();
    await second?.release();
  });

  test("is not given for a task that has ended, or is not there", async () => {
    const { database, id } = await insertTask();
    await database.updateTable("tasks").set({ state: "succeeded" }).where("id", "=", id).execute();

    expect(await takeLease(database, id)).toBeUndefined();
    expect(await takeLease(database, newId<"task">())).toBeUndefined();
  });
});

describe("a build that is stopped", () => {
  test.each([
    "images.ensureCached",
    "switching.ensureNetwork",
    "domains.spawn",
    "domains.waitReady",
  ] as const)("in %s leaves a record that the next apply finishes", async (method) => {
    const stop = new AbortController();
    const held = test1.compute.hold(method);
    const building = test1.make("server", "web", world.server, { signal: stop.signal });
    await held.reached;

    stop.abort();

    await expect(building).rejects.toMatchObject({ code: "interrupted" });
    expect((await test1.cloud.find("server", "web")).record).toMatchObject({
      status: "error",
      fault: { code: "interrupted" },
    });
    const server = await test1.make("server", "web", world.server);
    expect(await test1.cloud.read("server", server.id)).toMatchObject({ drift: [] });
  });

  test("before it begins writes its record only", async () => {
    const bare = await test1.holdings();
    await expect(
      test1.make("server", "web", world.server, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "interrupted" });
    const { id } = await test1.cloud.find("server", "web");

    await test1.cloud.remove("server", id);

    expect(await test1.holdings()).toEqual(bare);
  });
});

describe("a token that is revoked while a server is built", () => {
  test("ends the build at the next service, which takes everything back", async () => {
    const bare = await test1.holdings();
    const session = await test1.open();
    const held = test1.compute.hold("images.ensureCached");
    const building = make(session, "server", "web", world.server);
    await held.reached;

    await session.revoke();
    held.goOn();

    await expect(building).rejects.toMatchObject({ code: "unauthenticated" });
    expect(await test1.holdings()).toEqual(bare);
    expect(test1.compute.calls.map(({ method }) => method)).not.toContain("switching.ensureNetwork");
  });
});
