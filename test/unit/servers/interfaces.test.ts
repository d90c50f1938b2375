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

test("interfaces of one server on one subnet get addresses of their own, however few there are", async () => {
  // Room for four: without the network's and the broadcast address, the gateway's and the DHCP server's.
  const subnet = await test1.make("subnet", "narrow", { network: world.network.id, cidr: "10.9.0.0/29" });
  const free = { subnet: subnet.id };
  const networks = [free, free, { ...free, address: "10.9.0.3" }, free];

  const server = await test1.make("server", "web", { ...world.server, networks });

  const taken = server.inputs["networks"] as readonly { readonly address: string }[];
  expect(new Set(taken.map(({ address }) => address)).size).toBe(4);
  expect(taken[2]?.address).toBe("10.9.0.3");
});
