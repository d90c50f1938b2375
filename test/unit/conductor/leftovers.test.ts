import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { make, makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
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

  expect(await test1.cloud.listLeftovers()).toEqual([]);
});

test("a record that is whole by now is not removed", async () => {
  const { id } = await test1.make("server", "web", world.server);

  await test1.cloud.removeLeftover({ hostId: undefined, host: "-", kind: "record", id, description: "" });

  expect(await test1.cloud.find("server", "web")).toMatchObject({ id });
});
