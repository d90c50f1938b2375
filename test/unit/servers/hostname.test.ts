import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { diffInputs } from "../../../providers/core/diff.ts";
import type { ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import { server } from "../../../providers/servers/server.ts";
import { makerOf, makeSmallWorld, TestCloud, textOf, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;
let web: ResourceView;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
  web = await declare({ hostname: "old" });
  test1.compute.calls.length = 0;
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

function declare(inputs: JsonObject): Promise<ResourceView> {
  return test1.make("server", "web", { ...world.server, ...inputs });
}

/** What the guest has been through: the process that runs it, its boots, its host name. */
function guest() {
  const { compute } = test1;
  return [compute.processOf(web.id), compute.bootsOf(web.id), compute.hostnameOf(web.id)];
}

/** What was done to the server, and what was waited for. */
function done(): readonly string[] {
  return test1.compute.calls
    .map(({ method }) => method)
    .filter((method) => method.startsWith("domains.") && method !== "domains.observe");
}

test.each([
  ["reboot", {}, {}],
  ["live", { running: false }, { running: false }],
  ["live", { running: false }, { running: true }],
  ["live", { running: true }, { running: false }],
] as const)("is %s to change from %j to %j", (label, before, after) => {
  const { fields } = diffInputs(server, { hostname: "old", ...before }, { hostname: "new", ...after });
  expect(fields).toContainEqual({ field: "hostname", from: "old", to: "new", label });
});

test("reaches a running guest by a reboot in its own process, after which it is waited for", async () => {
  const lines: string[] = [];
  await test1.cloud.apply({
    type: "server",
    inputs: { ...web.inputs, hostname: "new" },
    maker: makerOf("server", "web"),
    defaultName: "web",
    onProgress: (line) => lines.push(line),
  });
  expect(guest()).toEqual([1, 2, "new"]);
  expect(done()).toEqual(["domains.spawn", "domains.reboot", "domains.waitReady"]);
  expect(lines).toContain("rebooting the guest");
});

test("reaches the network's DHCP server", async () => {
  await declare({ hostname: "new" });
  expect(test1.compute.dump()).toContain(`${textOf(web.outputs, "address")} new`);
});

test("takes no reboot beside a power cycle, which is a boot too", async () => {
  const flavor = await test1.make("flavor", "small", { vcpus: 2, ramMib: 512, diskGib: 1 });
  await declare({ hostname: "new", flavor: flavor.id });
  expect(guest()).toEqual([2, 2, "new"]);
  expect(done()).not.toContain("domains.reboot");
});

test("takes no reboot of a guest that starts with it", async () => {
  await declare({ hostname: "old", running: false });
  await declare({ hostname: "new", running: true });
  expect(guest()).toEqual([2, 2, "new"]);
  expect(done()).not.toContain("domains.reboot");
});

test("waits on the drive of a server that is off for its next start", async () => {
  await declare({ hostname: "old", running: false });
  await declare({ hostname: "new", running: false });
  expect(guest()).toEqual([undefined, 1, "old"]);
  await test1.cloud.act("server", web.id, "start", {});
  expect(guest()).toEqual([2, 2, "new"]);
});

test("is told with whatever else the drive holds: another name of the server alone reboots nobody", async () => {
  await test1.cloud.apply({
    type: "server",
    inputs: { ...web.inputs, name: "renamed" },
    maker: makerOf("server", "web"),
    defaultName: "web",
  });
  expect(guest()).toEqual([1, 1, "old"]);
});

describe("broken off", () => {
  test("before the reboot, is finished by the next apply", async () => {
    test1.compute.fail("domains.reboot");
    await expect(declare({ hostname: "new" })).rejects.toMatchObject({ code: "command-failed" });
    expect(guest()).toEqual([1, 1, "old"]);
    await declare({ hostname: "new" });
    expect(guest()).toEqual([1, 2, "new"]);
  });

  test("after the reboot, reboots nobody again", async () => {
    test1.compute.fail("domains.reboot", { moment: "after" });
    await expect(declare({ hostname: "new" })).rejects.toMatchObject({ code: "command-failed" });
    await declare({ hostname: "new" });
    expect(guest()).toEqual([1, 2, "new"]);
  });

  test("is drift meanwhile, with what it takes", async () => {
    test1.compute.fail("domains.reboot");
    await expect(declare({ hostname: "new" })).rejects.toMatchObject({ code: "command-failed" });
    const drift = (await test1.cloud.read("server", web.id))?.drift;
    expect(drift).toContainEqual({
      field: "hostname",
      expected: "new",
      found: "old",
      host: textOf(web.outputs, "host"),
      repair: "reboots the guest with its own config drive",
      label: "reboot",
    });
  });

  test("and gone back on, reboots nobody", async () => {
    test1.compute.fail("domains.reboot");
    await expect(declare({ hostname: "new" })).rejects.toMatchObject({ code: "command-failed" });
    await declare({ hostname: "old" });
    expect(guest()).toEqual([1, 1, "old"]);
  });
});

test("is in the preview: the XML, the commands, and that nothing else happens", async () => {
  const before = test1.compute.dump();
  const seen = await test1.cloud.preview({
    type: "server",
    inputs: { ...world.server, hostname: "new" },
    prior: web.inputs,
    maker: makerOf("server", "web"),
    defaultName: "web",
  });
  expect(seen.change).toMatchObject({ action: "update", label: "reboot" });
  expect(seen.domains[0]?.before).toContain('hostname="old"');
  expect(seen.domains[0]?.after).toContain('hostname="new"');
  expect(seen.commands.map(({ host, purpose }) => `${host} ${purpose}`)).toEqual([
    "h1 switching.ensureNetwork",
    "h1 domains.spawn",
    "h1 domains.reboot",
    "h1 domains.waitReady",
  ]);
  expect(test1.compute.dump()).toBe(before);
});
