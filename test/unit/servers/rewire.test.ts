import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ResourceView } from "../../../providers/core/cloud.ts";
import type { Moment } from "../../fakes/fault.ts";
import { addressOfHost, makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;
/** A second network beside that of the world. */
let other: ResourceView;
let bare: readonly string[];

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
  other = await test1.make("network", "other");
  await test1.make("subnet", "other", { network: other.id, cidr: "10.8.0.0/24" });
  bare = await test1.holdings();
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

function build(network: ResourceView): Promise<ResourceView> {
  return test1.make("server", "web", { ...world.server, networks: [{ network: network.id }] });
}

/** Networks and ports on the world's host. */
function wired(): readonly string[] | undefined {
  return test1.compute.survey()[addressOfHost(1)]?.filter((line) => !line.startsWith("server"));
}

describe("a server that moves to another network", () => {
  test("has nothing left of the old one on its host", async () => {
    await build(world.network);

    const moved = await build(other);

    expect(moved.outputs["interfaces"]).toMatchObject([{ network: other.id }]);
    expect(wired()).toEqual([`network ${other.id}`, expect.stringMatching(/^port/)]);
    expect(await test1.cloud.read("server", moved.id)).toMatchObject({ drift: [] });
  });

  test.each(["before", "after"] as const satisfies readonly Moment[])(
    "and fails %s its domain is made anew, can go back, and nothing of the other network stays",
    async (moment) => {
      await build(world.network);
      test1.compute.fail("domains.spawn", { moment });
      await expect(build(other)).rejects.toMatchObject({ code: "command-failed" });

      await build(world.network);

      expect(wired()).toEqual([`network ${world.network.id}`, expect.stringMatching(/^port/)]);
    },
  );

  test("and fails on the way is removed with both networks", async () => {
    const { id } = await build(world.network);
    test1.compute.fail("domains.spawn");
    await expect(build(other)).rejects.toMatchObject({ code: "command-failed" });

    await test1.cloud.remove("server", id);

    expect(await test1.holdings()).toEqual(bare);
  });

  test("cannot be reached by its old host keeps the old port written down until it is gone", async () => {
    await build(world.network);
    test1.compute.fail("switching.releaseNetwork");
    await expect(build(other)).rejects.toMatchObject({ code: "command-failed" });

    await build(other);

    expect(wired()).toEqual([`network ${other.id}`, expect.stringMatching(/^port/)]);
  });
});

test("a server that takes another port gives the first one's place on the host up", async () => {
  const first = await test1.make("port", "first", { network: world.network.id });
  const second = await test1.make("port", "second", { network: world.network.id });
  await test1.make("server", "web", { ...world.server, networks: [{ port: first.id }] });

  await test1.make("server", "web", { ...world.server, networks: [{ port: second.id }] });

  expect(wired()).toEqual([`network ${world.network.id}`, `port ${second.id}`]);
});

test("a server whose build failed leaves no address behind", async () => {
  test1.compute.fail("domains.spawn", { code: "not-ours" });
  await expect(build(world.network)).rejects.toMatchObject({ code: "not-ours" });

  expect(await test1.holdings()).toEqual(bare);
});

test("a network whose subnets change is as declared to another process too", async () => {
  const first = { network: other.id, cidr: "10.8.0.0/24" };
  const second = await test1.make("subnet", "second", { network: other.id, cidr: "10.9.0.0/24" });
  const { id } = await test1.make("server", "web", { ...world.server, networks: [{ subnet: second.id }] });
  await test1.make("subnet", "other", { ...first, dnsServers: ["10.8.0.53"] });

  const elsewhere = await test1.open();

  expect(await elsewhere.read("server", id)).toMatchObject({ drift: [] });
});
