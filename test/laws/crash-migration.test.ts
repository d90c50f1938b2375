import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../providers/core/json.ts";
import { addCephs, cephInputs } from "../support/ceph.ts";
import { KilledCloud, killTimeoutMs } from "../support/killed-cloud.ts";
import { make, makeSmallWorld, TestCloud, textOf, type SmallWorld } from "../support/cloud.ts";

/** Before and after each effect on a host; the last of them once the guest has moved. */
const points = [
  "switching.ensureNetwork after",
  "domains.copyFiles before",
  "domains.copyFiles after",
  "domains.migrate before",
  "domains.migrate after",
  "domains.remove before",
  "domains.remove after",
  "switching.releaseNetwork after",
];

let template: TestCloud;
let world: SmallWorld;
let inputs: JsonObject;
let bare: readonly string[];
let killed: KilledCloud;
let test1: TestCloud;

async function kill(point: string): Promise<void> {
  expect(await killed.kill("migrate", point, [inputs])).toBe("SIGKILL");
}

beforeAll(async () => {
  template = await TestCloud.open();
  world = await makeSmallWorld(template, 2);
  addCephs(template.compute, template.folder);
  const cluster = await template.make("ceph-cluster", "ceph", {
    ...cephInputs("small", template.folder, undefined),
    hosts: world.hosts.map(({ id }) => id),
  });
  const images = await template.make("storage-pool", "images", { cluster: cluster.id, content: "images" });
  const vms = await template.make("storage-pool", "vms", {
    cluster: cluster.id,
    content: "vms",
    imagePool: images.id,
  });
  const flavor = await template.make("flavor", "pooled", {
    vcpus: 1,
    ramMib: 256,
    diskGib: 1,
    storagePool: vms.id,
  });
  inputs = { ...world.server, flavor: flavor.id };
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

describe.each(points)("a move that is killed at: %s", (point) => {
  beforeAll(() => kill(point), killTimeoutMs);

  /** On one host, with all that it holds, and on no other. */
  async function expectSettled(): Promise<void> {
    const { id } = await test1.cloud.find("server", "web");
    const seen = await test1.cloud.read("server", id);
    expect(seen).toMatchObject({ drift: [], record: { status: "active" }, outputs: { status: "ACTIVE" } });
    expect(seen?.outputs).not.toHaveProperty("migration");
    expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
    const held = (await test1.holdings()).filter((line) => line.includes(id));
    expect(held.filter((line) => line.startsWith("on h"))).toHaveLength(1);
    const claims = (await test1.holdings()).filter((line) => line.startsWith("claim "));
    expect(claims).toHaveLength(2);
    expect(
      claims.every((line) => line.startsWith(`claim ${id} ${textOf(seen?.outputs ?? {}, "hostId")} `)),
    ).toBe(true);
  }

  test("is finished or taken back by the next apply", async () => {
    await test1.make("server", "web", inputs);

    await expectSettled();
  });

  test("is finished or taken back by the next session that changes anything", async () => {
    const other = await test1.open();
    const { id, name, description } = world.group.inputs;
    await make(other, "server-group", "apart", { id, name, description, policy: "anti-affinity" });
    await other.close();

    await expectSettled();
  });

  test("is named by drift, and nothing of it is a leftover", async () => {
    expect(await test1.cloud.drift()).toMatchObject({
      interrupted: [{ resource: { type: "server", name: "web" }, was: "change" }],
    });
    expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  });

  test("leaves nothing once the server is removed", async () => {
    const { id } = await test1.cloud.find("server", "web");

    await test1.cloud.remove("server", id);

    expect(await test1.holdings()).toEqual(bare);
  });
});
