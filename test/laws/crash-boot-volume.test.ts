import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../providers/core/json.ts";
import { KilledCloud, killTimeoutMs, type KilledTask } from "../support/killed-cloud.ts";
import { make, makeFullWorld, TestCloud, type FullWorld } from "../support/cloud.ts";

/** Before and after each effect on a host of the volume that a server makes for itself, and what comes after it. */
const buildPoints = [
  "making the volume",
  "volumes.ensureVolume before",
  "volumes.ensureVolume after",
  "domains.spawn before",
  "domains.spawn after",
];
const changePoints = [
  "growing the volume",
  "volumes.growVolume before",
  "volumes.growVolume after",
  "domains.resizeVolume before",
  "domains.resizeVolume after",
];
const removalPoints = [
  "domains.remove after",
  "removing the volume",
  "volumes.removeVolume before",
  "volumes.removeVolume after",
];

let template: TestCloud;
let world: FullWorld;
let inputs: JsonObject;
let grown: JsonObject;
let bare: readonly string[];
let killed: KilledCloud;
let test1: TestCloud;

async function kill(task: KilledTask, point: string): Promise<void> {
  expect(await killed.kill(task, point, [inputs, { bootVolume: grown["bootVolume"] }])).toBe("SIGKILL");
}

beforeAll(async () => {
  template = await TestCloud.open();
  world = await makeFullWorld(template);
  const bootVolume = { volumeType: world.volumeType.id };
  inputs = { ...world.server, networks: [], bootVolume };
  grown = { ...inputs, bootVolume: { ...bootVolume, sizeGib: 2 } };
  // What the first one brings into the pool is there for all after it.
  await template.cloud.remove("server", (await template.make("server", "web", inputs)).id);
  bare = await template.holdings();
  await template.cloud.close();
  killed = new KilledCloud(template);
});

afterAll(async () => {
  await template[Symbol.asyncDispose]();
  killed.dispose();
});

beforeEach(async () => {
  test1 = await killed.open();
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** Server and volume are whole, and there is nothing else. */
async function expectConverged(desired: JsonObject): Promise<void> {
  const server = await test1.make("server", "web", desired);
  expect(server.outputs["status"]).toBe("ACTIVE");
  await expectWhole();
  await test1.cloud.remove("server", server.id);
  expect(await test1.holdings()).toEqual(bare);
}

async function expectWhole(): Promise<void> {
  expect(await test1.cloud.drift()).toMatchObject({ inWork: 0, interrupted: [], findings: [], failures: [] });
  const volumes = await test1.cloud.list("volume");
  expect(volumes.map(({ record }) => [record.name, record.status])).toEqual([
    ["data", "active"],
    ["web-boot", "active"],
  ]);
  expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
}

/** Changes something, which begins to finish what others left, and waits until that is done. */
async function runOtherSession(): Promise<void> {
  const other = await test1.open();
  const { id, name, description } = world.group.inputs;
  await make(other, "server-group", "apart", { id, name, description, policy: "anti-affinity" });
  await other.close();
}

describe.each(buildPoints)("a build that is killed at: %s", (point) => {
  beforeAll(() => kill("build", point), killTimeoutMs);

  test("is finished by the next apply, and removed without a trace", () => expectConverged(inputs));

  test("is taken back by the next session that changes anything", async () => {
    await runOtherSession();

    expect(await test1.holdings()).toEqual(bare);
  });

  test("is one thing that was broken off, which gc clears away", async () => {
    expect(await test1.cloud.drift()).toMatchObject({
      inWork: 0,
      interrupted: [{ resource: { type: "server", name: "web" }, was: "creation" }],
    });
    const { leftovers } = await test1.cloud.listLeftovers();
    for (const leftover of leftovers) await test1.cloud.removeLeftover(leftover);

    expect(leftovers).toHaveLength(1);
    expect(await test1.holdings()).toEqual(bare);
  });
});

describe.each(changePoints)("a growth that is killed at: %s", (point) => {
  beforeAll(() => kill("change", point), killTimeoutMs);

  test("is finished by the next apply", () => expectConverged(grown));

  test("is finished by the next session that changes anything", async () => {
    await runOtherSession();

    await expectWhole();
  });
});

describe.each(removalPoints)("a removal that is killed at: %s", (point) => {
  beforeAll(() => kill("remove", point), killTimeoutMs);

  test("is finished by the next session that changes anything", async () => {
    await runOtherSession();

    expect(await test1.holdings()).toEqual(bare);
  });

  test("is made up for by an apply", () => expectConverged(inputs));
});
