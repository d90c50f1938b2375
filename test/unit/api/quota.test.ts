import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../../providers/core/json.ts";
import { makeSmallWorld, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
/** Of the project `admin`, which servers of another may use by an administrator. */
let world: SmallWorld;
let projectId: string;
/** Inputs of a server with one processor and 256 MiB, in a project of its own. */
let inputs: JsonObject;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
  const project = await test1.make("project", "small");
  projectId = project.id;
  inputs = { ...world.server, project: project.id };
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

async function limit(quota: JsonObject): Promise<void> {
  await test1.make("project", "small", { quota });
}

describe("a quota that was lowered below what is used", () => {
  test("lets a server that is there be changed", async () => {
    await test1.make("server", "web", inputs);
    await limit({ instances: 0, cores: 0, ramMib: 0 });

    await expect(test1.make("server", "web", { ...inputs, running: false })).resolves.toMatchObject({
      outputs: { status: "SHUTOFF" },
    });
  });

  test("lets it shrink", async () => {
    const large = await test1.make("flavor", "large", { vcpus: 4, ramMib: 1024, diskGib: 1 });
    await test1.make("server", "web", { ...inputs, flavor: large.id });
    await limit({ cores: 2, ramMib: 512 });

    await expect(test1.make("server", "web", inputs)).resolves.toMatchObject({
      inputs: { flavor: inputs["flavor"] },
    });
  });
});

test("a server that grows is counted with what it has and what it asks for more", async () => {
  await test1.make("server", "web", inputs);
  const large = await test1.make("flavor", "large", { vcpus: 4, ramMib: 1024, diskGib: 1 });
  await limit({ cores: 2 });

  await expect(test1.make("server", "web", { ...inputs, flavor: large.id })).rejects.toMatchObject({
    code: "quota-exceeded",
    message: "Quota exceeded for cores: Requested 3, but already used 1 of 2 cores",
  });
});

test("all limits that are exceeded are named at once, as Nova does", async () => {
  await test1.make("server", "web", inputs);
  await limit({ instances: 1, cores: 1, ramMib: 256 });

  await expect(test1.make("server", "next", inputs)).rejects.toMatchObject({
    message:
      "Quota exceeded for cores, instances, ram: Requested 1, 1, 256, but already used 1, 1, 256 of 1, 1, 256 cores, instances, ram",
  });
});

describe.each([
  ["keyPairs", "key_pairs", "keypair", () => ({})],
  ["serverGroups", "server_groups", "server-group", () => ({ policy: "affinity" })],
  ["networks", "networks", "network", () => ({})],
  [
    "subnets",
    "subnets",
    "subnet",
    (n: number) => ({ network: world.network.id, cidr: `10.2.${String(n)}.0/24` }),
  ],
  ["ports", "ports", "port", () => ({ subnet: world.subnet.id })],
] as const)("the quota %s", (quota, name, type, inputsOf) => {
  const makeNth = (n: number, project = projectId) =>
    test1.make(type, `r${String(n)}`, { ...inputsOf(n), project });

  test("stops the first that is too many", async () => {
    await limit({ [quota]: 1 });
    await makeNth(1);

    await expect(makeNth(2)).rejects.toMatchObject({
      code: "quota-exceeded",
      message: `Quota exceeded for ${name}: Requested 1, but already used 1 of 1 ${name}`,
      field: "project",
      value: "small",
    });
  });

  test("leaves what is there to be applied again", async () => {
    await makeNth(1);
    await limit({ [quota]: 0 });

    await expect(makeNth(1)).resolves.toMatchObject({ record: { status: "active" } });
  });

  test("is of one project: others have their own", async () => {
    await limit({ [quota]: 0 });
    const other = await test1.make("project", "other");

    await expect(makeNth(1, other.id)).resolves.toMatchObject({ record: { status: "active" } });
  });
});

describe("the quota ports", () => {
  test("counts the ports that servers have of their own", async () => {
    await limit({ ports: 1 });
    await test1.make("server", "web", inputs);

    await expect(
      test1.make("port", "p", { project: projectId, subnet: world.subnet.id }),
    ).rejects.toMatchObject({ code: "quota-exceeded" });
  });

  test("counts a port that a server takes once", async () => {
    await limit({ ports: 1 });
    const port = await test1.make("port", "p", { project: projectId, subnet: world.subnet.id });

    await expect(
      test1.make("server", "web", { ...inputs, networks: [{ port: port.id }] }),
    ).resolves.toMatchObject({ outputs: { status: "ACTIVE" } });
  });

  test("asks what a server gets more, when it gets one", async () => {
    await limit({ ports: 1 });
    await test1.make("server", "web", inputs);
    const networks = [{ network: world.network.id }, { network: world.network.id }];

    await expect(test1.make("server", "web", { ...inputs, networks })).rejects.toMatchObject({
      message: "Quota exceeded for ports: Requested 1, but already used 1 of 1 ports",
    });
  });
});

describe("the quota serverGroupMembers", () => {
  const makeMember = (name: string, group: { readonly id: string }) =>
    test1.make("server", name, { ...inputs, serverGroup: group.id });
  const makeGroup = (name: string) =>
    test1.make("server-group", name, { project: projectId, policy: "soft-anti-affinity" });

  test("stops the first server that is too many for its group", async () => {
    await limit({ serverGroupMembers: 1 });
    const group = await makeGroup("one");
    await makeMember("a", group);

    await expect(makeMember("b", group)).rejects.toMatchObject({
      message:
        "Quota exceeded for server_group_members: Requested 1, but already used 1 of 1 server_group_members",
    });
  });

  test("is of one group: others have their own, and servers without one have none", async () => {
    await limit({ serverGroupMembers: 1 });
    await makeMember("a", await makeGroup("one"));

    await expect(makeMember("b", await makeGroup("two"))).resolves.toMatchObject({ type: "server" });
    await expect(test1.make("server", "c", inputs)).resolves.toMatchObject({ type: "server" });
  });
});

test("a limit that the record of a project does not name is the default", async () => {
  const database = await test1.database();
  await database
    .updateTable("records")
    .set({ inputs: '{"quota":{"instances":0}}' })
    .where("id", "=", projectId)
    .execute();

  await expect(test1.make("network", "net", { project: projectId })).resolves.toMatchObject({
    type: "network",
  });
});
