import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Cloud, ResourceView } from "../../../providers/core/cloud.ts";
import { networkKey } from "../../../providers/servers/rewire.ts";
import { deleteRecord } from "../../../providers/store/records.ts";
import { make, makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;
/** A server that is there already. */
let old: ResourceView;
/** A session with queues of its own, as another process has. */
let other: Cloud;
/** What was done to networks on hosts, in its order. */
let seen: string[];

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
  old = await test1.make("server", "old", world.server);
  other = await test1.open();
  seen = [];
  test1.compute.onMoment = (method, moment) => {
    if (/^(switching|leftovers)/.test(method)) seen.push(`${method} ${moment}`);
  };
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** Waits until both processes are in the queue for the world's network. */
async function untilBothQueue(): Promise<void> {
  const database = await test1.database();
  const places = database
    .selectFrom("locks")
    .select("ticket")
    .where("name", "=", networkKey(world.network.id));
  await vi.waitFor(async () => expect(await places.execute()).toHaveLength(2), { timeout: 20_000 });
}

describe("while one process wires a network, another one", () => {
  test.each<[string, string, () => Promise<unknown>]>([
    [
      "that builds a server on it",
      "switching.ensureNetwork",
      () => make(other, "server", "next", world.server),
    ],
    ["that removes a server from it", "switching.releaseNetwork", () => other.remove("server", old.id)],
    [
      "that changes what its DHCP servers say",
      "switching.ensureNetwork",
      () =>
        make(other, "subnet", "subnet", {
          network: world.network.id,
          cidr: "10.1.0.0/24",
          dnsServers: ["10.1.0.9"],
        }),
    ],
  ])("%s waits", async (_, method, act) => {
    const held = test1.compute.hold("switching.ensureNetwork");
    const building = test1.make("server", "web", world.server);
    await held.reached;
    const acting = act();
    await untilBothQueue();

    held.goOn();

    await Promise.all([building, acting]);
    expect(seen).toEqual([
      "switching.ensureNetwork before",
      "switching.ensureNetwork after",
      `${method} before`,
      `${method} after`,
    ]);
  });
});

test("a build waits while another process clears its network away as a leftover, and wires it anew", async () => {
  const database = await test1.database();
  await database.transaction().execute((transaction) => deleteRecord(transaction, old.id));
  const { leftovers } = await other.listLeftovers();
  const network = leftovers.find(({ kind }) => kind === "network");
  const held = test1.compute.hold("leftovers.remove");
  const clearing = other.removeLeftover(network ?? expect.fail());
  await held.reached;
  const building = test1.make("server", "web", world.server);
  await untilBothQueue();

  held.goOn();

  await clearing;
  const { id } = await building;
  expect(await test1.cloud.read("server", id)).toMatchObject({ drift: [] });
});
