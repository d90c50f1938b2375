import { describe, expect, test } from "vitest";
import { makerOf, makeSmallWorld, TestCloud, textOf } from "../../support/cloud.ts";

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

test("a replacement that was broken off and is then removed gives it back too", async () => {
  await using test1 = await TestCloud.open();
  await makeSmallWorld(test1);
  const request = { type: "image", maker: "test:image/guest", defaultName: "guest" };
  const first = await test1.make("image", "guest", { disk: { location: "/images/cirros.qcow2" } });
  const before = await test1.holdings();
  const inputs = { disk: { location: "/images/vmlinuz" } };
  await test1.cloud.plan({ ...request, inputs, prior: first.inputs });
  const { inputs: planned } = await test1.cloud.plan({ ...request, inputs });
  test1.compute.fail("images.inspectDisk", { code: "interrupted" });
  await expect(test1.cloud.apply({ ...request, inputs })).rejects.toMatchObject({ code: "interrupted" });

  await test1.cloud.remove("image", textOf(planned, "id"));

  expect(await test1.holdings()).toEqual(before);
});

describe("a resource that was renamed under an alias and is then replaced", () => {
  const renamed = "test:renamed";

  test("takes over name and address of its predecessor, whose maker was another", async () => {
    await using test1 = await TestCloud.open();
    const { subnet } = await makeSmallWorld(test1);
    const first = await test1.make("port", "web", { subnet: subnet.id, address: "10.1.0.10" });
    const inputs = { subnet: subnet.id, address: "10.1.0.10", name: "web", mac: "fa:16:3e:00:00:09" };
    const request = { type: "port", defaultName: "renamed", inputs };
    // Pulumi checks twice: against the state, where the first maker is known, and once more as if there were none.
    await test1.cloud.plan({ ...request, maker: makerOf("port", "web"), prior: first.inputs });
    const { inputs: planned, issues } = await test1.cloud.plan({ ...request, maker: renamed });
    expect(issues).toEqual([]);

    await expect(test1.cloud.apply({ ...request, maker: renamed, inputs: planned })).resolves.toMatchObject({
      inputs: { address: "10.1.0.10", name: "web" },
    });
  });

  test("does not stand in the way of its own range", async () => {
    await using test1 = await TestCloud.open();
    const network = await test1.make("network", "net");
    const first = await test1.make("subnet", "range", { network: network.id, cidr: "10.1.0.0/24" });
    const inputs = { network: network.id, cidr: "10.1.0.0/23", name: "range" };
    const request = { type: "subnet", defaultName: "renamed", inputs };
    await test1.cloud.plan({ ...request, maker: makerOf("subnet", "range"), prior: first.inputs });

    expect((await test1.cloud.plan({ ...request, maker: renamed })).issues).toEqual([]);
  });
});
