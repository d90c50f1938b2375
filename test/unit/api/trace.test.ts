import { afterEach, beforeEach, expect, test } from "vitest";
import { makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

test("a server that is made anew under its id does not show how far its predecessor came", async () => {
  const { id } = await test1.make("server", "web", world.server);
  await test1.cloud.remove("server", id);
  const stop = new AbortController();
  const held = test1.compute.hold("images.ensureCached");
  const building = test1.make("server", "web", world.server, { signal: stop.signal });
  await held.reached;
  stop.abort();
  await building.catch(() => undefined);

  const steps = (await test1.cloud.trace(id)).map(({ number }) => number);

  expect(steps).toContain(7);
  expect(steps).not.toContain(28);
});
