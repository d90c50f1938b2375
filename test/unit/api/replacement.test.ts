import { expect, test } from "vitest";
import { makeSmallWorld, TestCloud } from "../../support/cloud.ts";

test("a replacement that fails gives back what it had taken over from its predecessor", async () => {
  await using test1 = await TestCloud.open();
  await makeSmallWorld(test1);
  const request = { type: "image", maker: "test:image/guest", defaultName: "guest" };
  const disk = { location: "/images/cirros.qcow2" };
  const first = await test1.make("image", "guest", { disk });
  const before = await test1.holdings();
  const inputs = { disk: { location: "/images/vmlinuz" } };
  await test1.cloud.plan({ ...request, inputs, prior: first.inputs });
  test1.compute.fail("images.inspectDisk");

  await expect(test1.cloud.apply({ ...request, inputs })).rejects.toMatchObject({ code: "command-failed" });

  expect(await test1.holdings()).toEqual(before);
  const other = { type: "image", maker: "test:image/other", defaultName: "guest", inputs: { disk } };
  const session = await test1.open();
  expect((await session.plan(other)).issues).toMatchObject([{ code: "conflict", field: "name" }]);
});
