import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openInProcessBus } from "../../../providers/bus/in-process.ts";
import { openPlacement } from "../../../providers/conductor/claim.ts";
import { openTracer } from "../../../providers/conductor/tracer.ts";
import { makeExclusive } from "../../../providers/core/exclusive.ts";
import { newId, type ResourceId } from "../../../providers/core/ids.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import type { PlacementPort } from "../../../providers/core/ports.ts";
import { readSchedulerOptions } from "../../../providers/scheduler/options.ts";
import { schedule } from "../../../providers/scheduler/schedule.ts";
import type { Database } from "../../../providers/store/database.ts";
import { RecordMirror } from "../../../providers/store/mirror.ts";
import { insertRecord } from "../../../providers/store/records.ts";
import { make, makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;

/** Three quarters of a host's memory: a host takes one. */
const large = { vcpus: 1, ramMib: 6000, diskGib: 1 };

beforeEach(async () => {
  test1 = await TestCloud.open();
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** What became of several builds at once: the code of each that failed, the status of each that did not. */
async function outcomes(builds: readonly Promise<unknown>[]): Promise<readonly string[]> {
  const settled = await Promise.allSettled(builds);
  return settled.map((entry) => (entry.status === "fulfilled" ? "built" : codeOf(entry.reason))).toSorted();
}

/** Inputs of the n-th server that is built at once with others: plans that are made at once do not see which address another takes. */
function numbered(inputs: JsonObject, n: number): JsonObject {
  return { ...inputs, networks: [{ network: world.network.id, address: `10.1.0.${String(100 + n)}` }] };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

describe("two processes that race for the last place", () => {
  test("get it once: the other finds no valid host, and leaves nothing", async () => {
    world = await makeSmallWorld(test1);
    const flavor = await test1.make("flavor", "large", large);
    const inputs = { ...world.server, flavor: flavor.id };
    const [first, second] = [await test1.open(), await test1.open()];

    const ended = await outcomes([
      make(first, "server", "one", numbered(inputs, 1)),
      make(second, "server", "two", numbered(inputs, 2)),
    ]);

    expect(ended).toEqual(["built", "no-valid-host"]);
    const claims = (await test1.holdings()).filter((line) => line.startsWith("claim"));
    expect(claims).toHaveLength(3);
    expect(await test1.cloud.list("server")).toHaveLength(1);
  });

  test("for many places on few hosts fill each host once, and none twice", async () => {
    world = await makeSmallWorld(test1, 3);
    const flavor = await test1.make("flavor", "large", large);
    const inputs = { ...world.server, flavor: flavor.id };
    const sessions = [await test1.open(), await test1.open(), await test1.open(), await test1.open()];

    const ended = await outcomes(
      sessions.map((session, index) => make(session, "server", `s${String(index)}`, numbered(inputs, index))),
    );

    expect(ended).toEqual(["built", "built", "built", "no-valid-host"]);
    const servers = await test1.cloud.list("server");
    expect(servers.map(({ outputs }) => outputs["host"]).toSorted()).toEqual(["h1", "h2", "h3"]);
  });
});

test("a claim that another process was quicker with schedules anew, and takes no place twice", async () => {
  world = await makeSmallWorld(test1);
  const flavor = await test1.make("flavor", "large", large);
  const database = await test1.database();
  const inputs = { flavor: flavor.id, image: world.image.id, schedulerHints: {} };
  const [first, second] = [
    await insertServer(database, "a", inputs),
    await insertServer(database, "b", inputs),
  ];
  const quick = placementOver(database, () => Promise.resolve());
  const slow = placementOver(database, () => quick.claim(newId<"task">(), second).then(() => undefined));

  await expect(slow.claim(newId<"task">(), first)).rejects.toMatchObject({ code: "no-valid-host" });

  const claims = await database.selectFrom("allocations").select("consumer_id").distinct().execute();
  expect(claims).toEqual([{ consumer_id: second }]);
});

/** Placement as another process has it; `between` runs once after the scheduler has chosen and before the claim. */
function placementOver(database: Database, between: () => Promise<void>): PlacementPort {
  const bus = openInProcessBus();
  const options = readSchedulerOptions({});
  let rounds = 0;
  bus.serve("scheduler", {
    select_destinations: async ({ hosts, request, weights }) => {
      const answer = schedule(hosts, request, options, { weights });
      rounds += 1;
      if (rounds === 1) await between();
      return answer;
    },
  });
  const mirror = new RecordMirror(database, () => []);
  const tracerOf = (recordId: string) => openTracer(database, recordId);
  return openPlacement({ database, mirror, bus, options, exclusive: makeExclusive(), tracerOf });
}

async function insertServer(database: Database, name: string, inputs: JsonObject): Promise<ResourceId> {
  const id = newId<"resource">();
  const record = {
    id,
    type: "server",
    projectId: null,
    name,
    inputs,
    outputs: {},
    status: "building",
  } as const;
  await database
    .transaction()
    .execute((transaction) => insertRecord(transaction, record, "2026-01-02T03:04:05.000Z"));
  return id;
}

describe("three servers that are to be kept apart, built at once on three hosts,", () => {
  test("by one process, are on one host each", async () => {
    world = await makeSmallWorld(test1, 3);
    const inputs = { ...world.server, serverGroup: world.group.id };

    const built = await Promise.all(
      ["a", "b", "c"].map((name, index) => test1.make("server", name, numbered(inputs, index))),
    );

    expect(built.map(({ outputs }) => outputs["host"]).toSorted()).toEqual(["h1", "h2", "h3"]);
  });

  test("by three processes, are on one host each", async () => {
    world = await makeSmallWorld(test1, 3);
    const inputs = { ...world.server, serverGroup: world.group.id };
    const sessions = [await test1.open(), await test1.open(), await test1.open()];

    const built = await Promise.all(
      sessions.map((session, index) => make(session, "server", `s${String(index)}`, numbered(inputs, index))),
    );

    expect(built.map(({ outputs }) => outputs["host"]).toSorted()).toEqual(["h1", "h2", "h3"]);
  });

  test("leave no room for a fourth, which is told by which filter", async () => {
    world = await makeSmallWorld(test1, 3);
    const inputs = { ...world.server, serverGroup: world.group.id };
    await Promise.all(
      ["a", "b", "c"].map((name, index) => test1.make("server", name, numbered(inputs, index))),
    );

    await expect(test1.make("server", "d", inputs)).rejects.toMatchObject({
      code: "no-valid-host",
      message: expect.stringContaining("ServerGroupAntiAffinityFilter removed 3 of 3") as unknown,
    });
  });
});

test("servers on one host whose group allows fewer there by now can be changed where they are", async () => {
  world = await makeSmallWorld(test1);
  const policy = "anti-affinity";
  const group = await test1.make("server-group", "few", { policy, maxServersPerHost: 2 });
  const inputs = { ...world.server, serverGroup: group.id };
  await test1.make("server", "one", inputs);
  await test1.make("server", "two", inputs);
  await test1.make("server-group", "few", { policy, maxServersPerHost: 1 });

  const stopped = await test1.make("server", "two", { ...inputs, running: false });

  expect(stopped.outputs).toMatchObject({ status: "SHUTOFF", host: "h1" });
});

test("two processes that race for the last server of a quota get one", async () => {
  world = await makeSmallWorld(test1);
  const project = await test1.make("project", "small", { quota: { instances: 1 } });
  const inputs = { ...world.server, project: project.id };
  const [first, second] = [await test1.open(), await test1.open()];

  const ended = await outcomes([
    make(first, "server", "one", numbered(inputs, 1)),
    make(second, "server", "two", numbered(inputs, 2)),
  ]);

  expect(ended).toEqual(["built", "quota-exceeded"]);
});

test("two processes that race for one address get it once", async () => {
  world = await makeSmallWorld(test1);
  const inputs = { network: world.network.id, address: "10.1.0.77" };
  const [first, second] = [await test1.open(), await test1.open()];

  const ended = await outcomes([make(first, "port", "one", inputs), make(second, "port", "two", inputs)]);

  expect(ended).toEqual(["built", "conflict"]);
});

describe("a server that gets another flavor", () => {
  test("keeps its host, with the claim of the new amounts", async () => {
    world = await makeSmallWorld(test1);
    const flavor = await test1.make("flavor", "large", large);
    const { outputs } = await test1.make("server", "web", world.server);

    const resized = await test1.make("server", "web", { ...world.server, flavor: flavor.id });

    expect(resized.outputs["host"]).toBe(outputs["host"]);
    const database = await test1.database();
    const claim = await database
      .selectFrom("allocations")
      .select("used")
      .where("resource_class", "=", "MEMORY_MB")
      .executeTakeFirst();
    expect(claim).toEqual({ used: 6000 });
  });

  test("that its host cannot hold is refused, and stays as it was", async () => {
    world = await makeSmallWorld(test1);
    const flavor = await test1.make("flavor", "large", large);
    await test1.make("server", "big", { ...world.server, flavor: flavor.id });
    const { id } = await test1.make("server", "web", world.server);
    const before = await test1.holdings();

    await expect(test1.make("server", "web", { ...world.server, flavor: flavor.id })).rejects.toMatchObject({
      code: "no-valid-host",
      field: "flavor",
      message: expect.stringContaining("MEMORY_MB free") as unknown,
    });

    expect(await test1.holdings()).toEqual(before);
    expect(await test1.cloud.read("server", id)).toMatchObject({ outputs: { status: "ACTIVE" } });
  });
});

test("a flavor without a disk claims the image's size: a small file may make a disk larger than the host's", async () => {
  world = await makeSmallWorld(test1);
  const flavor = await test1.make("flavor", "diskless", { vcpus: 1, ramMib: 64 });
  const facts = { format: "qcow2", sizeBytes: 196_616, checksum: `sha256:${"0".repeat(64)}` } as const;
  vi.spyOn(test1.compute.images, "inspectDisk").mockResolvedValueOnce({
    ...facts,
    virtualSizeBytes: 200 * 1024 ** 3,
  });
  const image = await test1.make("image", "vast", { disk: { location: "/images/vast.qcow2" } });

  const building = test1.make("server", "vast", { ...world.server, flavor: flavor.id, image: image.id });

  await expect(building).rejects.toMatchObject({ code: "no-valid-host" });
});
