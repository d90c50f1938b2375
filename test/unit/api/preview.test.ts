import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Cloud, Preview, ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import {
  addressOfHost,
  hostInputs,
  makerOf,
  makeSmallWorld,
  nameOfHost,
  passwordOf,
  TestCloud,
  type SmallWorld,
} from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1, 3);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

function preview(type: string, name: string, inputs: JsonObject, view?: ResourceView): Promise<Preview> {
  return previewAs(test1.cloud, type, name, inputs, view);
}

function previewAs(
  cloud: Cloud,
  type: string,
  name: string,
  inputs: JsonObject,
  view?: ResourceView,
): Promise<Preview> {
  return cloud.preview({
    type,
    inputs,
    ...(view === undefined ? {} : { prior: view.inputs }),
    maker: makerOf(type, name),
    defaultName: name,
  });
}

/** Host, step and purpose of each command. */
function summarize({ commands }: Preview): readonly string[] {
  return commands.map(({ host, step, purpose }) => `${host} ${step}: ${purpose}`);
}

test("a new server: the host that would be chosen, what each filter removes, its XML, and the commands", async () => {
  await test1.make("host", nameOfHost(2), { ...hostInputs(2), enabled: false });
  const { change, placement, domains, ...rest } = await preview("server", "web", world.server);
  expect(change.action).toBe("create");
  expect(placement).toMatchObject({ isKept: false, hosts: 3 });
  expect(placement?.filters).toContainEqual({ name: "ComputeFilter", before: 3, removed: 1 });
  expect(domains).toMatchObject([{ host: placement?.host, name: "web" }]);
  expect(domains[0]).not.toHaveProperty("before");
  expect(domains[0]?.after).toContain("<title>web</title>");
  expect(rest.incomplete).toBeUndefined();
  expect(summarize({ change, domains, ...rest })).toEqual([
    `${placement?.host ?? ""} image: images.ensureCached`,
    `${placement?.host ?? ""} ports: switching.ensureNetwork`,
    `${placement?.host ?? ""} spawn: domains.spawn`,
    `${placement?.host ?? ""} ready: domains.waitReady`,
  ]);
});

test("what is not known yet of a server tells nothing of hosts, be it new, changed or made anew", async () => {
  const { inputs: prior } = await test1.make("server", "web", { ...world.server, userData: "#!/bin/sh" });
  const known = Object.fromEntries(
    Object.entries(world.server).filter(([key]) => key !== "flavor" && key !== "networks"),
  );
  for (const [name, request] of [
    ["web", { inputs: known, unknown: ["flavor", "networks"], prior }],
    ["web", { inputs: known, unknown: ["flavor", "networks", "userData"], prior }],
    ["other", { inputs: world.server, unknown: ["userData"] }],
  ] as const) {
    const maker = makerOf("server", name);
    const seen = await test1.cloud.preview({ type: "server", defaultName: name, maker, ...request });
    expect(seen).toMatchObject({ issues: [], domains: [], commands: [] });
    expect(seen.incomplete).toBeUndefined();
  }
});

test("what a preview says is what the apply then does", async () => {
  const { placement, commands } = await preview("server", "web", world.server);
  test1.compute.calls.length = 0;
  const made = await test1.make("server", "web", world.server);
  expect(made.outputs["host"]).toBe(placement?.host);
  const promised = commands.map(({ command }) => command);
  const did = test1.compute.calls.map(({ method }) => method);
  expect(did.filter((method) => promised.includes(method))).toEqual(promised);
});

test("another flavor: it stays on its host, is stopped and started, and its XML changes", async () => {
  const web = await test1.make("server", "web", world.server);
  const flavor = await test1.make("flavor", "small", { vcpus: 2, ramMib: 512, diskGib: 1 });
  const seen = await preview("server", "web", { ...world.server, flavor: flavor.id }, web);
  expect(seen.change.label).toBe("restart");
  expect(seen.placement).toEqual({ host: web.outputs["host"], isKept: true, hosts: 1, filters: [] });
  expect(summarize(seen).map((line) => line.replace(/.*: /, ""))).toEqual([
    "domains.stop",
    "domains.spawn",
    "domains.waitReady",
  ]);
  expect(seen.domains[0]?.before).toContain("<vcpu>1</vcpu>");
  expect(seen.domains[0]?.after).toContain("<vcpu>2</vcpu>");
});

test("several new servers are previewed beside each other, as they are then placed", async () => {
  const chosen: unknown[] = [];
  for (const name of ["a", "b", "c"])
    chosen.push((await preview("server", name, world.server)).placement?.host);
  expect(new Set(chosen).size).toBe(3);
  const made = [];
  for (const name of ["a", "b", "c"])
    made.push((await test1.make("server", name, world.server)).outputs["host"]);
  expect(made).toEqual(chosen);
});

test("previews at the same time are, too; a second one of the same server takes its own place", async () => {
  const all = (): Promise<readonly unknown[]> =>
    Promise.all(
      ["a", "b", "c"].map(async (name) => (await preview("server", name, world.server)).placement?.host),
    );
  const chosen = await all();
  expect(new Set(chosen).size).toBe(3);
  expect(await all()).toEqual(chosen);
});

test("members of a group that is apart leave no host for one too many", async () => {
  const group = await test1.make("server-group", "apart", { policy: "anti-affinity" });
  const member = { ...world.server, serverGroup: group.id };
  for (const name of ["a", "b", "c"])
    expect((await preview("server", name, member)).incomplete).toBeUndefined();
  expect((await preview("server", "d", member)).incomplete).toMatchObject({
    error: { code: "no-valid-host" },
  });
});

test("what would be on a host counts no more when it is there", async () => {
  const flavor = await test1.make("flavor", "half", { vcpus: 1, ramMib: 4096, diskGib: 1 });
  const large = { ...world.server, flavor: flavor.id };
  await preview("server", "a", large);
  const made = await test1.make("server", "a", large);
  const again = await preview("server", "a", large, made);
  expect(again.placement).toMatchObject({ host: made.outputs["host"], isKept: true });
  const hosts = [];
  for (const name of ["b", "c"]) hosts.push((await preview("server", name, large)).placement?.host);
  expect(new Set([...hosts, made.outputs["host"]]).size).toBe(3);
});

test("what the server refers to may be planned only", async () => {
  const planned = await test1.cloud.plan({
    type: "flavor",
    inputs: { vcpus: 3, ramMib: 512, diskGib: 1 },
    maker: makerOf("flavor", "planned"),
    defaultName: "planned",
  });
  const seen = await preview("server", "web", { ...world.server, flavor: planned.inputs["id"] });
  expect(seen.incomplete).toBeUndefined();
  expect(seen.placement?.hosts).toBe(3);
  expect(seen.domains[0]?.after).toContain("<vcpu>3</vcpu>");
});

test("of what is not known in full no host is asked", async () => {
  const { image, networks } = world.server;
  test1.compute.calls.length = 0;
  const seen = await test1.cloud.preview({
    type: "server",
    inputs: { image, networks },
    unknown: ["flavor"],
    maker: makerOf("server", "web"),
    defaultName: "web",
  });
  expect(seen).toMatchObject({ issues: [], commands: [], domains: [] });
  expect(seen).not.toHaveProperty("incomplete");
  expect(test1.compute.calls).toEqual([]);
});

test("a flavor for which the server's host has no room ends the preview with the apply's own error", async () => {
  const web = await test1.make("server", "web", world.server);
  const flavor = await test1.make("flavor", "huge", { vcpus: 1, ramMib: 1_000_000, diskGib: 1 });
  const seen = await preview("server", "web", { ...world.server, flavor: flavor.id }, web);
  expect(seen.incomplete).toMatchObject({ step: "placement", error: { code: "no-valid-host" } });
});

test("a server that needs another is chosen a host for, as it will be", async () => {
  const web = await test1.make("server", "web", world.server);
  const seen = await preview("server", "web", { ...world.server, userData: "#!/bin/sh\n" }, web);
  expect(seen.change.action).toBe("replace");
  expect(seen.placement).toMatchObject({ isKept: false, hosts: 3 });
});

test("a host that cannot be reached ends the preview there, and the plan is there", async () => {
  const web = await test1.make("server", "web", world.server);
  for (const n of [1, 2, 3]) test1.compute.unreachable.add(addressOfHost(n));
  const seen = await preview("server", "web", world.server, web);
  expect(seen.change.action).toBe("none");
  expect(seen.incomplete).toMatchObject({ error: { code: "host-unreachable" } });
});

test("wrong inputs are issues, and nobody is asked", async () => {
  test1.compute.calls.length = 0;
  const seen = await preview("server", "web", { ...world.server, flavor: world.network.id });
  expect(seen.issues).toMatchObject([{ code: "unknown-reference", field: "flavor" }]);
  expect(test1.compute.calls).toEqual([]);
});

test("an image is not read for a preview", async () => {
  const seen = await preview("image", "other", { disk: { location: "/images/cirros.qcow2" } });
  expect(seen.incomplete).toMatchObject({ step: "inspect", error: { code: "wrong-state" } });
});

describe("nothing is written", () => {
  test.each([
    ["server", "new", {}],
    ["subnet", "new", { cidr: "10.9.0.0/24" }],
    ["host", "h9", hostInputs(9)],
    ["user", "ada", { password: passwordOf("ada") }],
  ] as const)("by a preview of a new %s: no store, no host", async (type, name, inputs) => {
    test1.compute.addMachine(addressOfHost(9));
    await test1.cloud.list("server");
    const [store, hosts] = [test1.storeBytes(), test1.compute.dump()];
    test1.compute.calls.length = 0;
    const own = { server: world.server, subnet: { network: world.network.id }, host: {}, user: {} }[type];
    const seen = await preview(type, name, { ...own, ...inputs });
    expect(seen.issues).toEqual([]);
    expect(test1.storeBytes().equals(store)).toBe(true);
    expect(test1.compute.dump()).toBe(hosts);
    expect(test1.compute.changes).toEqual([]);
  });

  test("by a preview of a change", async () => {
    const web = await test1.make("server", "web", world.server);
    const [store, hosts] = [test1.storeBytes(), test1.compute.dump()];
    const changes = test1.compute.changes.length;
    await preview("server", "web", { ...world.server, running: false }, web);
    expect(test1.storeBytes().equals(store)).toBe(true);
    expect(test1.compute.dump()).toBe(hosts);
    expect(test1.compute.changes).toHaveLength(changes);
  });
});

describe("a member", () => {
  test("sees the plan of what it may make, and nothing of hosts", async () => {
    const project = await test1.make("project", "other");
    const member = await test1.logIn("eve", "member", project.id);
    const seen = await previewAs(member, "network", "lan", {});
    expect(seen.change.action).toBe("create");
    expect(seen).toMatchObject({ commands: [], domains: [], incomplete: { error: { code: "forbidden" } } });
    expect(seen).not.toHaveProperty("placement");
  });

  test("is refused a change of what another project has", async () => {
    const project = await test1.make("project", "other");
    const member = await test1.logIn("eve", "member", project.id);
    const inputs = { id: world.network.id };
    await expect(previewAs(member, "network", "lan", inputs)).rejects.toMatchObject({ code: "forbidden" });
  });

  test("is refused what it may not make", async () => {
    const project = await test1.make("project", "other");
    const reader = await test1.logIn("ron", "reader", project.id);
    await expect(previewAs(reader, "network", "lan", {})).rejects.toMatchObject({ code: "forbidden" });
  });
});
