import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ResourceId } from "../../../providers/core/ids.ts";
import { deleteRecord, updateRecord } from "../../../providers/store/records.ts";
import { addressOfHost, make, makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1, 2);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

test("a build of another process that ends while hosts are asked is none", async () => {
  const other = await test1.open();
  const waitReady = vi.spyOn(test1.compute.domains, "waitReady");
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<undefined>();
  waitReady.mockImplementationOnce(() => mayGoOn);
  const building = make(other, "server", "web", world.server);
  await vi.waitFor(() => expect(waitReady).toHaveBeenCalled());
  vi.spyOn(test1.compute.leftovers, "list").mockImplementationOnce(async () => {
    goOn(undefined);
    await building;
    return [];
  });

  expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
});

test("a record that is whole by now is not removed", async () => {
  const { id } = await test1.make("server", "web", world.server);

  await test1.cloud.removeLeftover({ hostId: undefined, host: "-", kind: "record", id, description: "" });

  expect(await test1.cloud.find("server", "web")).toMatchObject({ id });
});

describe("with a host that cannot be reached", () => {
  beforeEach(async () => {
    const { id } = await test1.make("server", "web", world.server);
    const database = await test1.database();
    await database.transaction().execute((transaction) => deleteRecord(transaction, id));
  });

  test("what the other host has is listed, and the failure told", async () => {
    test1.compute.unreachable.add(addressOfHost(2));
    const { leftovers, failures } = await test1.cloud.listLeftovers();
    expect(new Set(leftovers.map(({ host }) => host))).toEqual(new Set(["h1"]));
    expect(failures).toMatchObject([{ host: "h2", error: { code: "host-unreachable" } }]);
  });

  test("what is on it is not listed as gone", async () => {
    test1.compute.unreachable.add(addressOfHost(1));
    expect(await test1.cloud.listLeftovers()).toMatchObject({ leftovers: [], failures: [{ host: "h1" }] });
  });

  test("a removal that was interrupted is listed from the store", async () => {
    const { id } = await test1.make("flavor", "late", { vcpus: 1, ramMib: 64 });
    await breakOff(id);
    test1.compute.unreachable.add(addressOfHost(1));
    expect(await test1.cloud.listLeftovers()).toMatchObject({
      leftovers: [
        { kind: "record", interruption: { resource: { type: "flavor", name: "late" }, was: "removal" } },
      ],
      failures: [{ host: "h1" }],
    });
  });

  test("an interruption is an error, and no failure of a host", async () => {
    const interruption = new AbortController();
    interruption.abort();
    await expect(test1.cloud.listLeftovers({ signal: interruption.signal })).rejects.toThrow();
  });
});

/** Makes a resource look as a run left it that was killed in its removal. */
async function breakOff(id: ResourceId): Promise<void> {
  const database = await test1.database();
  await database
    .updateTable("tasks")
    .set({ state: "running", kind: "remove", worker: "elsewhere/1/1", lease_until_ms: 0 })
    .where("record_id", "=", id)
    .execute();
  await database.transaction().execute(async (transaction) => {
    await updateRecord(transaction, id, { status: "deleting" }, new Date().toISOString());
  });
}
