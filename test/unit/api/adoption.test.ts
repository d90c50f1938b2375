import type { JsonObject } from "../../../providers/core/json.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AdoptionRequest } from "../../../providers/core/adoption.ts";
import { addressOfHost, makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";
import { foreignDomain, foreignOfSize, foreignRaw } from "../../support/foreign-domain.ts";

const address = addressOfHost(1);
const content = "what somebody wrote";
const { id } = foreignDomain;

let test1: TestCloud;
let world: SmallWorld;
let request: AdoptionRequest;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
  test1.compute.defineForeign(address, foreignDomain, content);
  request = { host: "h1", domain: "legacy", inputs: { ...world.server, name: "web" } };
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

describe("a preview of an adoption", () => {
  test("tells what was found, and what changes", async () => {
    const preview = await test1.cloud.previewAdoption(request);
    expect(preview).toMatchObject({
      host: "h1",
      issues: [],
      inputs: { id, name: "web", networks: [{ mac: "52:54:00:aa:bb:cc" }] },
      found: { name: "legacy", state: "shut-off" },
      adoption: { domain: "legacy", diskPath: "/srv/legacy.qcow2", transfer: "move" },
      placement: { host: "h1", isKept: true },
      domains: [{ host: "h1", name: "web" }],
    });
    expect(preview).not.toHaveProperty("incomplete");
    expect(Object.fromEntries(preview.changes.map(({ field, ...change }) => [field, change]))).toEqual({
      name: { found: "legacy", declared: "web" },
      vcpus: { found: "2", declared: "1" },
      ramMib: { found: "512", declared: "256" },
      disk: {
        found: "/srv/legacy.qcow2",
        declared: `/var/lib/libvirt/images/stackyard/servers/${id}/disk`,
      },
      "interface 0": {
        found: "52:54:00:aa:bb:cc virtio on bridge br0",
        declared: "52:54:00:aa:bb:cc virtio on network net",
      },
      device: { found: "graphics vnc", declared: "none" },
      "config drive": { found: "none", declared: "attached: cloud-init takes it for a first boot" },
    });
  });

  test("writes nothing, to no store and no host", async () => {
    const [holdings, hosts, store] = [await test1.holdings(), test1.compute.dump(), test1.storeBytes()];
    await test1.cloud.previewAdoption(request);
    expect([await test1.holdings(), test1.compute.dump(), test1.storeBytes()]).toEqual([
      holdings,
      hosts,
      store,
    ]);
  });

  test("names the commands that would run", async () => {
    const { commands } = await test1.cloud.previewAdoption(request);
    expect(commands.map(({ step, purpose }) => `${step} ${purpose}`)).toEqual([
      "image images.ensureCached",
      "ports switching.ensureNetwork",
      "block-devices domains.takeOver",
      "spawn domains.spawn",
      "ready domains.waitReady",
    ]);
  });

  test("tells that the disk grows to what the flavor gives", async () => {
    test1.compute.defineForeign(address, foreignOfSize(512 * 1024 ** 2), content);
    const { changes } = await test1.cloud.previewAdoption(request);
    expect(changes).toContainEqual({ field: "disk size", found: "512 MiB", declared: "1 GiB" });
  });

  test("of wrong inputs tells what is wrong with them", async () => {
    const fieldsOf = async (inputs: JsonObject): Promise<readonly string[]> =>
      (await test1.cloud.previewAdoption({ ...request, inputs })).issues.map(({ field }) => field);
    expect(await fieldsOf({ name: "web" })).toEqual(["flavor"]);
    expect(await fieldsOf({ name: "web", flavor: world.flavor.id })).toEqual(["image"]);
  });
});

describe.each([foreignDomain, foreignRaw])("a domain that was adopted", (domain) => {
  beforeEach(async () => {
    test1.compute.defineForeign(address, domain, content);
    await test1.cloud.adopt(request);
  });

  test("is a server under its own uuid, with its own disk", async () => {
    const server = await test1.cloud.find("server", "web");
    expect(server).toMatchObject({
      id,
      record: { status: "active" },
      outputs: { status: "ACTIVE", host: "h1", adoptedFrom: { domain: "legacy" } },
    });
    expect(test1.compute.contentOf(address, id)).toBe(content);
    expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  });

  test("has no drift, and the plan of the same inputs is empty", async () => {
    expect(await test1.cloud.drift()).toMatchObject({ interrupted: [], findings: [], failures: [] });
    const server = await test1.cloud.read("server", id);
    const plan = await test1.cloud.plan({
      type: "server",
      maker: "somebody else",
      defaultName: "web",
      inputs: { ...request.inputs, id },
      prior: { ...server?.inputs, id },
    });
    expect(plan).toMatchObject({ issues: [], change: { action: "none" } });
  });

  test("claims the room that its flavor asks for", async () => {
    const holdings = await test1.holdings();
    expect(holdings.filter((line) => line.startsWith(`claim ${id}`))).toHaveLength(3);
  });

  test("is changed and repaired like any server, on its disk", async () => {
    test1.compute.meddle(address, id, "stop");
    const { cloud } = test1;
    const maker = "stack:web";
    const { inputs } = await cloud.plan({
      type: "server",
      maker,
      defaultName: "web",
      inputs: { ...request.inputs, id },
    });
    await cloud.apply({ type: "server", maker, defaultName: "web", inputs });
    expect(await cloud.drift()).toMatchObject({ findings: [] });
    expect(test1.compute.contentOf(address, id)).toBe(content);
  });

  test("is none any more that can be adopted", async () => {
    await expect(test1.cloud.adopt({ ...request, domain: id })).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining('is server "web" already') as unknown,
    });
  });

  test("that loses its disk gets one of the image, and has no drift then", async () => {
    test1.compute.meddle(address, id, "stop");
    test1.compute.meddle(address, id, "remove the disk");
    const drift = (await test1.cloud.drift()).findings.map(({ label }) => label);
    expect(drift).toContain("data-loss");
    const maker = "stack:web";
    const plan = { type: "server", maker, defaultName: "web" };
    const { inputs } = await test1.cloud.plan({ ...plan, inputs: { ...request.inputs, id } });
    await test1.cloud.apply({ ...plan, inputs });
    expect(await test1.cloud.drift()).toMatchObject({ findings: [] });
    expect((await test1.cloud.find("server", "web")).outputs).toMatchObject({
      blockDevices: [{ source: "image" }],
    });
  });
});

test("an adopted server is removed like any, and its disk with it", async () => {
  const before = await test1.holdings();
  await test1.cloud.adopt(request);
  await test1.cloud.remove("server", id);
  expect((await test1.holdings()).filter((line) => !before.includes(line))).toEqual([]);
  expect(test1.compute.contentOf(address, "/srv/legacy.qcow2")).toBeUndefined();
});

describe("is refused before anything is written", () => {
  test.each([
    ["that is not there", { domain: "absent" }, {}, { code: "not-found", field: "domain", value: "absent" }],
    ["on a host that is not enrolled", { host: "h9" }, {}, { code: "not-found", value: "h9" }],
    ["that runs", {}, { state: "running" as const }, { code: "wrong-state", field: "domain" }],
    ["that is managed", {}, { owner: { manager: "oVirt" } }, { code: "not-ours" }],
  ])("a domain %s", async (_what, asked, found, error) => {
    test1.compute.defineForeign(address, { ...foreignDomain, ...found }, content);
    const before = [await test1.holdings(), test1.compute.dump()];
    await expect(test1.cloud.previewAdoption({ ...request, ...asked })).rejects.toMatchObject(error);
    await expect(test1.cloud.adopt({ ...request, ...asked })).rejects.toMatchObject(error);
    expect([await test1.holdings(), test1.compute.dump()]).toEqual(before);
  });

  test.each([
    ["a flavor with a smaller disk", { diskGib: 0 }, { code: "invalid-input", field: "flavor" }],
    ["a flavor that does not fit on the host", { vcpus: 64 }, { code: "no-valid-host", field: "flavor" }],
  ])("with %s", async (_what, size, error) => {
    const flavor = await test1.make("flavor", "other", { vcpus: 1, ramMib: 256, diskGib: 1, ...size });
    const before = [await test1.holdings(), test1.compute.dump()];
    const asked = { ...request, inputs: { ...request.inputs, flavor: flavor.id } };
    await expect(test1.cloud.adopt(asked)).rejects.toMatchObject(error);
    expect([await test1.holdings(), test1.compute.dump()]).toEqual(before);
  });

  test("in another zone than its host's", async () => {
    const asked = { ...request, inputs: { ...request.inputs, availabilityZone: "attic" } };
    await expect(test1.cloud.adopt(asked)).rejects.toMatchObject({ field: "availabilityZone" });
  });

  test("beside a server that its group keeps apart from it", async () => {
    const inputs = { ...request.inputs, serverGroup: world.group.id };
    await test1.make("server", "other", { ...world.server, serverGroup: world.group.id });
    await expect(test1.cloud.adopt({ ...request, inputs })).rejects.toMatchObject({
      code: "host-unsuitable",
      field: "serverGroup",
    });
  });

  test("under a name that another server has, whoever made that", async () => {
    await test1.make("server", "web", world.server);
    await expect(test1.cloud.adopt(request)).rejects.toMatchObject({ code: "conflict", field: "name" });
  });

  test("on a host that does not answer", async () => {
    test1.compute.unreachable.add(address);
    await expect(test1.cloud.adopt(request)).rejects.toMatchObject({ code: "host-unreachable" });
  });

  test("by whoever does not administer the cloud", async () => {
    const project = await test1.make("project", "theirs");
    const member = await test1.logIn("ada", "member", project.id);
    await expect(member.previewAdoption(request)).rejects.toMatchObject({ code: "forbidden" });
    await expect(member.adopt(request)).rejects.toMatchObject({ code: "forbidden" });
  });
});
