import { expect, test } from "vitest";
import { makeSmallWorld, TestCloud } from "../../support/cloud.ts";

test("what a session has applied is there for its later plans", async () => {
  await using cloud = await TestCloud.open();
  const network = await cloud.make("network", "net");
  const subnet = await cloud.make("subnet", "subnet", { network: network.id, cidr: "10.1.0.0/29" });
  await cloud.make("port", "first", { network: network.id, address: "10.1.0.3" });
  await cloud.make("port", "second", { network: network.id, address: "10.1.0.4" });
  await cloud.make("port", "third", { network: network.id, address: "10.1.0.5" });

  const last = await cloud.make("port", "last", { network: network.id });

  expect(last.inputs).toMatchObject({ subnet: subnet.id, address: "10.1.0.6" });
});

test("an address that a session has given out is refused to its next resource, with the name of the holder", async () => {
  await using cloud = await TestCloud.open();
  const network = await cloud.make("network", "net");
  await cloud.make("subnet", "subnet", { network: network.id, cidr: "10.1.0.0/29" });
  await cloud.make("port", "first", { network: network.id, address: "10.1.0.3" });

  const { issues } = await cloud.cloud.plan({
    type: "port",
    inputs: { network: network.id, address: "10.1.0.3" },
    maker: "test:second",
    defaultName: "second",
  });

  expect(issues).toMatchObject([
    {
      code: "conflict",
      field: "address",
      value: "10.1.0.3",
      message: expect.stringContaining('port "first"') as unknown,
    },
  ]);
});

test("servers that are only planned do not count against the quota", async () => {
  await using cloud = await TestCloud.open();
  const project = await cloud.make("project", "small", { quota: { instances: 1 } });
  const world = await makeSmallWorld(cloud);
  const inputs = { ...world.server, project: project.id };
  const request = { type: "server", maker: "test:planned", defaultName: "planned" };
  await cloud.cloud.plan({ ...request, inputs });

  await expect(cloud.make("server", "built", inputs)).resolves.toMatchObject({
    outputs: { status: "ACTIVE" },
  });
});

test("servers that the session has built count against the quota", async () => {
  await using cloud = await TestCloud.open();
  const project = await cloud.make("project", "small", { quota: { instances: 1 } });
  const world = await makeSmallWorld(cloud);
  const inputs = { ...world.server, project: project.id };
  await cloud.make("server", "first", inputs);

  await expect(cloud.make("server", "second", inputs)).rejects.toMatchObject({
    code: "quota-exceeded",
    message: "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances",
  });
});
