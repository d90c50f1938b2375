import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readConfig } from "../../../providers/config/config.ts";
import type { Cloud } from "../../../providers/core/cloud.ts";
import { brandId } from "../../../providers/core/ids.ts";
import { updateRecord } from "../../../providers/store/records.ts";
import type { TasksTable } from "../../../providers/store/tables.ts";
import { openCloud } from "../../../providers/wiring.ts";
import { make, makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";
import { testCost } from "../../support/identity-store.ts";

/** A worker of another machine, whose lease is over. */
const dead = "elsewhere/1/1";

let test1: TestCloud;
let world: SmallWorld;
let serverId: string;
let notices: string[];
let next: Cloud;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
  const server = await test1.make("server", "web", world.server);
  serverId = server.id;
  notices = [];
  next = await openCloud({
    config: readConfig({ STACKYARD_HOME: test1.folder, STACKYARD_CLOUD: "test" }),
    compute: test1.compute,
    scryptCost: testCost,
    notify: (line) => notices.push(line),
  });
});

afterEach(async () => {
  await next.close();
  await test1[Symbol.asyncDispose]();
});

/** Makes a resource look as a run left it that was killed in its removal. */
async function breakRemovalOff(id: string, task: Partial<TasksTable> = {}): Promise<void> {
  const database = await test1.database();
  await database
    .updateTable("tasks")
    .set({ state: "running", kind: "remove", worker: dead, lease_until_ms: 0, ...task })
    .where("record_id", "=", id)
    .execute();
  await database.transaction().execute(async (transaction) => {
    await updateRecord(transaction, brandId(id), { status: "deleting" }, new Date().toISOString());
  });
}

async function changeSomething(): Promise<void> {
  await make(next, "flavor", "other", { vcpus: 1, ramMib: 64 });
}

describe("what an earlier run left", () => {
  beforeEach(() => breakRemovalOff(serverId));

  test("stays while a session only reads and plans", async () => {
    await next.list("server");
    await next.plan({ type: "flavor", inputs: { vcpus: 1, ramMib: 64 }, maker: "m", defaultName: "f" });
    await next.close();

    expect((await test1.cloud.find("server", "web")).record.status).toBe("deleting");
  });

  test("is finished after a change, and the user is told", async () => {
    await changeSomething();
    await next.close();

    expect(await test1.cloud.list("server")).toEqual([]);
    expect(notices).toEqual(['an earlier run was killed in the removal of server "web": finishing it']);
  });

  test("is left to the next session when this one is to end now", async () => {
    const held = test1.compute.hold("domains.remove");
    await changeSomething();
    await held.reached;

    await next.close({ now: true });

    expect((await test1.cloud.find("server", "web")).record.status).not.toBe("active");
    held.goOn();
  });

  test("is looked for once a session: what is broken off later is left", async () => {
    const flavor = await test1.make("flavor", "left", { vcpus: 1, ramMib: 64 });
    await changeSomething();
    await vi.waitFor(async () => expect(await test1.cloud.list("server")).toEqual([]));
    await breakRemovalOff(flavor.id);
    await changeSomething();
    await next.close();

    expect((await test1.cloud.find("flavor", "left")).record.status).toBe("deleting");
  });

  test("is waited for by an apply of the same resource", async () => {
    const held = test1.compute.hold("domains.remove");
    await changeSomething();
    await held.reached;
    const applying = make(next, "server", "web", world.server);
    held.goOn();

    await expect(applying).resolves.toMatchObject({ outputs: { status: "ACTIVE" } });
    expect(await next.read("server", serverId)).toMatchObject({ drift: [] });
  });

  test("is taken up by an apply of the same resource that comes first", async () => {
    await make(next, "server", "web", world.server);
    await next.close();

    expect((await test1.cloud.find("server", "web")).record.status).toBe("active");
    expect(notices).toEqual([]);
  });

  test("is told when it cannot be finished", async () => {
    vi.spyOn(test1.compute.domains, "remove").mockRejectedValueOnce(new Error("out of order"));
    await changeSomething();
    await next.close();

    expect(notices[1]).toContain(
      'the removal of server "web", which an earlier run began, could not be finished',
    );
  });
});

test("the work of a living process is left alone", async () => {
  const held = test1.compute.hold("domains.stop");
  const large = await test1.make("flavor", "large", { vcpus: 2, ramMib: 512, diskGib: 1 });
  const changing = test1.make("server", "web", { ...world.server, flavor: large.id });
  await held.reached;
  await changeSomething();
  await next.close();

  held.goOn();

  await expect(changing).resolves.toMatchObject({ record: { status: "active" } });
  expect(notices).toEqual([]);
});

describe("a task that no worker has taken", () => {
  const untaken = { state: "pending", worker: null } as const;

  test("is left to whoever has just written it", async () => {
    await breakRemovalOff(serverId, { ...untaken, created_at: new Date().toISOString() });
    await changeSomething();
    await next.close();

    expect(notices).toEqual([]);
  });

  test("is one that was broken off after half a minute", async () => {
    const longAgo = new Date(Date.now() - 30_000).toISOString();
    await breakRemovalOff(serverId, { ...untaken, created_at: longAgo });
    await changeSomething();
    await next.close();

    expect(await test1.cloud.list("server")).toEqual([]);
  });
});
