import { afterAll, beforeAll, expect, test } from "vitest";
import { describeCeph } from "../../lab/ceph-commands.ts";
import { changePower } from "../../lab/lab.ts";
import { textOf } from "../support/cloud.ts";
import { DeployedQuickstart, noDrift } from "../support/quickstart.ts";

/** A Ceph of three virtual machines, each of which runs servers too: what it holds outlives the loss of a host. */
const labName = "quickstart-ceph-nested";
const patience = { timeout: 600_000, interval: 2_000 };

let stack: DeployedQuickstart;

beforeAll(async () => {
  stack = await DeployedQuickstart.deploy(labName, ["--ceph", "--nested"]);
});

afterAll(() => stack.destroy());

async function hostOf(server: string): Promise<string> {
  return textOf((await stack.cloud.find("server", server)).outputs, "host");
}

test("has a monitor and an OSD on each host, and keeps three copies", async () => {
  expect(await describeCeph(labName)).toMatchObject({
    health: "HEALTH_OK",
    monitors: ["a", "b", "c"],
    osds: { up: 3, all: 3 },
  });
});

test("goes on when a host loses power, whose servers start on others with what they had written", async () => {
  const { cloud } = stack;
  // The manager is on h1; without it the cluster works, and tells less.
  const names = ["web1", "web2", "db"];
  const places = await Promise.all(names.map(hostOf));
  const at = places.findIndex((host) => host !== "h1");
  const [name, lost] = [names[at] ?? "", places[at] ?? ""];
  await stack.tryInGuest(name, "echo kept > /data/kept; sync");
  const { id } = await cloud.find("server", name);

  await changePower(labName, lost, "cut");
  await expect.poll(async () => (await describeCeph(labName)).osds.up, patience).toBe(2);
  await cloud.act("server", id, "evacuate", {});

  expect(await hostOf(name)).not.toBe(lost);
  await expect
    .poll(async () => (await stack.tryInGuest(name, "cat /data/kept")).stdout, patience)
    .toBe("kept\n");
}, 1_800_000);

test("is well again when the host is back, and all is as the stack declares it", async () => {
  const { cloud } = stack;
  for (const host of ["h1", "h2", "h3"]) await changePower(labName, host, "on");
  await expect.poll(async () => (await describeCeph(labName)).health, patience).toBe("HEALTH_OK");
  const { leftovers } = await cloud.listLeftovers();
  for (const leftover of leftovers) await cloud.removeLeftover(leftover);
  expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  await expect.poll(() => stack.findDrift(), patience).toMatchObject(noDrift);
  expect(await stack.preview()).toMatchObject({ exitCode: 0 });
});
