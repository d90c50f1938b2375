import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Issue } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import { makeFullWorld, makerOf, TestCloud, type FullWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: FullWorld;
/** Pool that is not for volumes. */
let vms: string;

beforeAll(async () => {
  test1 = await TestCloud.open();
  world = await makeFullWorld(test1);
  vms = (await test1.make("storage-pool", "vms", { cluster: world.ceph.id, content: "vms" })).id;
});

afterAll(async () => {
  await test1[Symbol.asyncDispose]();
});

async function issuesOf(inputs: JsonObject): Promise<readonly Issue[]> {
  const request = { type: "volume-type", maker: makerOf("volume-type", "new"), defaultName: "new" };
  return (await test1.cloud.plan({ ...request, inputs })).issues;
}

test("needs nothing: its volumes are files without limits, each for one server", async () => {
  expect(await issuesOf({})).toEqual([]);
  expect((await test1.make("volume-type", "plain")).inputs).toMatchObject({ multiattach: false });
});

test("is in no pool for something else", async () => {
  expect(await issuesOf({ storagePool: vms })).toMatchObject([
    { code: "invalid-input", field: "storagePool", value: vms, message: "is a pool for vms" },
  ]);
});

test("shares only volumes that are in a pool", async () => {
  expect(await issuesOf({ multiattach: true })).toMatchObject([
    { code: "invalid-input", field: "multiattach", remedy: "Name a storagePool, or leave multiattach out." },
  ]);
  expect(await issuesOf({ multiattach: true, storagePool: world.pool.id })).toEqual([]);
});

describe("a total limit", () => {
  test.each([
    [{ totalBytesSec: 1, readBytesSec: 1 }, "qos.totalBytesSec", "is set beside readBytesSec"],
    [{ totalBytesSec: 1, writeBytesSec: 1 }, "qos.totalBytesSec", "is set beside writeBytesSec"],
    [{ totalIopsSec: 1, readIopsSec: 1 }, "qos.totalIopsSec", "is set beside readIopsSec"],
    [{ totalIopsSec: 1, writeIopsSec: 1 }, "qos.totalIopsSec", "is set beside writeIopsSec"],
  ])("excludes that of a direction: %j", async (qos, field, message) => {
    expect(await issuesOf({ qos })).toMatchObject([{ code: "invalid-input", field, message }]);
  });

  test("goes with limits of the other kind", async () => {
    expect(await issuesOf({ qos: { totalBytesSec: 1, readIopsSec: 1, writeIopsSec: 1 } })).toEqual([]);
  });
});

test.each([0, -1, 1.5, 1e15 + 1])("a limit is no %d", async (totalIopsSec) => {
  expect(await issuesOf({ qos: { totalIopsSec } })).toMatchObject([{ field: "qos.totalIopsSec" }]);
});

test("is read by every member, and made by administrators", async () => {
  const project = await test1.make("project", "shop");
  const member = await test1.logIn("ada", "member", project.id);

  expect(await member.read("volume-type", world.volumeType.id)).toMatchObject({ id: world.volumeType.id });
  await expect(test1.make("volume-type", "own", {}, { cloud: member })).rejects.toMatchObject({
    code: "forbidden",
  });
});
