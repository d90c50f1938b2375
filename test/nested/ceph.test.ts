import { afterAll, beforeAll, expect, test } from "vitest";
import { describeCeph } from "../../lab/ceph-commands.ts";
import { bringUp, changePower, runOnHost } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

/** A Ceph of three virtual machines outlives the loss of one: what it holds is there, and goes on being written. */
const labName = "ceph-hosts";
const well = { health: "HEALTH_OK", monitors: ["a", "b", "c"], osds: { up: 3, all: 3 } };
const patience = { timeout: 600_000, interval: 1_000 };

let labs: LabFolder;

beforeAll(async () => {
  labs = openLabFolder(labName);
  const hosts = ["h1", "h2", "h3"].map((name) => ({ name, roles: ["ceph"], vcpus: 1 }));
  await bringUp(parseTopology({ name: labName, driver: "nested", hosts }));
});

afterAll(() => labs.close());

/** Runs a command where the cluster's admin is, which must succeed. */
async function ask(command: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runOnHost(labName, "h1", ["sh", "-c", command], {
    timeoutMs: 300_000,
  });
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

test("it has a monitor and an OSD on each host, and keeps three copies", async () => {
  await expect.poll(() => describeCeph(labName), patience).toMatchObject(well);
  await ask("ceph osd pool create kept 8 && ceph osd pool application enable kept test");
  expect(await ask("ceph osd pool get kept size")).toBe("size: 3\n");
  await ask("printf before | rados --pool kept put before -");
});

test("what it holds is read and written while a host is without power", async () => {
  await changePower(labName, "h3", "cut");
  await expect.poll(async () => (await describeCeph(labName)).osds.up, patience).toBe(2);
  expect(await ask("rados --pool kept get before -")).toBe("before");
  await ask("printf after | rados --pool kept put after -");
  expect(await ask("rados --pool kept get after -")).toBe("after");
});

test("it is well again when the host is back, which has what was written meanwhile", async () => {
  await changePower(labName, "h3", "on");
  await expect.poll(() => describeCeph(labName), patience).toMatchObject(well);
  const placed = await ask("ceph osd map kept after --format json");
  expect(JSON.parse(placed)).toMatchObject({ acting: expect.arrayContaining([0, 1, 2]) as unknown });
});
