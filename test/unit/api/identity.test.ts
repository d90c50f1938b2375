import { describe, expect, test } from "vitest";
import { makerOf, TestCloud, textOf } from "../../support/cloud.ts";

describe("a resource that was renamed", () => {
  test("keeps its id, and leaves its old name to another resource", async () => {
    await using test1 = await TestCloud.open();
    const first = await test1.make("server-group", "web", { policy: "affinity" });
    const request = { type: "server-group", maker: makerOf("server-group", "web"), defaultName: "web" };
    const renamed = await test1.cloud.apply({ ...request, inputs: { ...first.inputs, name: "db" } });

    const second = await test1.make("server-group", "web", { policy: "affinity" });

    expect(renamed.id).toBe(first.id);
    expect(second.id).not.toBe(first.id);
    expect((await test1.cloud.list("server-group")).map(({ record }) => record.name).toSorted()).toEqual([
      "db",
      "web",
    ]);
  });

  test("leaves the id open to one whose name is not known yet", async () => {
    await using test1 = await TestCloud.open();
    await test1.make("server-group", "web", { policy: "affinity" });
    const planned = await test1.cloud.plan({
      type: "server-group",
      inputs: { policy: "affinity" },
      unknown: ["name"],
      maker: makerOf("server-group", "web"),
      defaultName: "web",
    });

    expect(planned.inputs).not.toHaveProperty("id");
  });

  test("belongs to whom it was applied by last", async () => {
    await using test1 = await TestCloud.open();
    const { inputs } = await test1.make("flavor", "tiny", { vcpus: 1, ramMib: 64 });
    const { record } = await test1.cloud.apply({
      type: "flavor",
      maker: "test:other",
      defaultName: "tiny",
      inputs,
    });

    expect(record.maker).toBe("test:other");
  });
});

test("a resource whose create was interrupted is taken up under another name too", async () => {
  await using test1 = await TestCloud.open();
  const request = { type: "image", maker: makerOf("image", "guest"), defaultName: "guest" };
  const inputs = { name: "guest", disk: { location: "/images/cirros.qcow2" } };
  const { inputs: planned } = await test1.cloud.plan({ ...request, inputs });
  const stop = AbortSignal.abort(new Error("enough"));
  await expect(test1.cloud.apply({ ...request, inputs: planned, signal: stop })).rejects.toThrow();

  expect((await test1.cloud.read("image", textOf(planned, "id")))?.record.status).toBe("error");
  const again = await test1.cloud.plan({ ...request, inputs: { ...inputs, name: "other" } });

  expect(again.inputs["id"]).toBe(planned["id"]);
});

test("who makes a resource need not be known: then its id is not either", async () => {
  await using test1 = await TestCloud.open();
  const planned = await test1.cloud.plan({
    type: "flavor",
    inputs: { name: "tiny", vcpus: 1, ramMib: 64 },
    maker: undefined,
    defaultName: "tiny",
  });

  expect(planned).toMatchObject({ issues: [], inputs: { name: "tiny", diskGib: 0 } });
  expect(planned.inputs).not.toHaveProperty("id");
});

test("a replacement made in another process takes over its predecessor's name", async () => {
  await using test1 = await TestCloud.open();
  const first = await test1.make("flavor", "tiny", { vcpus: 1, ramMib: 64 });
  const cloud = await test1.open();

  const second = await test1.make("flavor", "tiny", { vcpus: 2, ramMib: 64 }, { cloud });

  expect(second.id).not.toBe(first.id);
  expect(second.record.name).toBe("tiny");
});
