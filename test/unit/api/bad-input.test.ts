import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Issue } from "../../../providers/core/cloud.ts";
import { hasCode, type ErrorCode } from "../../../providers/core/errors.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import {
  addressOfHost,
  hostInputs,
  makeSmallWorld,
  TestCloud,
  type SmallWorld,
} from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;
let taken: JsonObject;

beforeAll(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
  await test1.make("server", "web", world.server);
  taken = (await test1.make("port", "taken", { network: world.network.id, address: "10.1.0.9" })).inputs;
});

afterAll(async () => {
  await test1[Symbol.asyncDispose]();
});

/** An issue as a test expects it: values, or vitest's matchers. */
interface ExpectedIssue extends Readonly<Partial<Record<keyof Issue, unknown>>> {
  readonly code: ErrorCode;
  readonly field: string;
}

interface Case {
  readonly what: string;
  readonly type: string;
  readonly inputs: () => JsonObject;
  readonly name?: string;
  readonly issue: ExpectedIssue;
}

const cases: readonly Case[] = [
  {
    what: "an address outside its subnet",
    type: "port",
    inputs: () => ({ network: world.network.id, address: "10.2.0.9" }),
    issue: {
      code: "invalid-input",
      field: "address",
      value: "10.2.0.9",
      message: "lies outside its subnet 10.1.0.0/24",
    },
  },
  {
    what: "the address of the network itself",
    type: "port",
    inputs: () => ({ network: world.network.id, address: "10.1.0.0" }),
    issue: { code: "invalid-input", field: "address", message: "is the network address of 10.1.0.0/24" },
  },
  {
    what: "the broadcast address",
    type: "port",
    inputs: () => ({ network: world.network.id, address: "10.1.0.255" }),
    issue: { code: "invalid-input", field: "address", message: "is the broadcast address of 10.1.0.0/24" },
  },
  {
    what: "the address of the DHCP servers",
    type: "port",
    inputs: () => ({ network: world.network.id, address: "10.1.0.2" }),
    issue: {
      code: "invalid-input",
      field: "address",
      message: "is the address of the DHCP servers of 10.1.0.0/24",
    },
  },
  {
    what: "an address that is none",
    type: "port",
    inputs: () => ({ network: world.network.id, address: "10.1.0.256" }),
    issue: { code: "invalid-input", field: "address", value: "10.1.0.256" },
  },
  {
    what: "an address that another port has",
    type: "port",
    inputs: () => ({ network: world.network.id, address: "10.1.0.9" }),
    issue: { code: "conflict", field: "address", value: "10.1.0.9" },
  },
  {
    what: "a MAC that another port has",
    type: "port",
    inputs: () => ({ network: world.network.id, mac: taken["mac"] }),
    issue: { code: "conflict", field: "mac" },
  },
  {
    what: "a multicast MAC",
    type: "port",
    inputs: () => ({ network: world.network.id, mac: "01:00:5e:00:00:01" }),
    issue: { code: "invalid-input", field: "mac", value: "01:00:5e:00:00:01" },
  },
  {
    what: "a name that another server of the project has",
    type: "server",
    name: "web",
    inputs: () => world.server,
    issue: {
      code: "conflict",
      field: "name",
      value: "web",
      message: expect.stringContaining('server "web"') as unknown,
    },
  },
  {
    what: "a server's address that a port has",
    type: "server",
    inputs: () => ({ ...world.server, networks: [{ network: world.network.id, address: "10.1.0.9" }] }),
    issue: { code: "conflict", field: "networks.0.address", value: "10.1.0.9" },
  },
  {
    what: "a server's address outside its subnet",
    type: "server",
    inputs: () => ({ ...world.server, networks: [{ network: world.network.id, address: "10.2.0.9" }] }),
    issue: {
      code: "invalid-input",
      field: "networks.0.address",
      value: "10.2.0.9",
      message: "lies outside its subnet 10.1.0.0/24",
    },
  },
  {
    what: "a server's flavor that is not there",
    type: "server",
    inputs: () => ({ ...world.server, flavor: "4f0c1a2e-6d5b-4c7b-9a3e-5d1f7b8c9a01" }),
    issue: { code: "unknown-reference", field: "flavor", value: "4f0c1a2e-6d5b-4c7b-9a3e-5d1f7b8c9a01" },
  },
  {
    what: "a server's image by its name",
    type: "server",
    inputs: () => ({ ...world.server, image: "cirros" }),
    issue: { code: "invalid-input", field: "image", value: "cirros" },
  },
  {
    what: "a server that waits for SSH without a network",
    type: "server",
    inputs: () => ({ ...world.server, networks: [], waitFor: "ssh" }),
    issue: { code: "invalid-input", field: "waitFor", value: "ssh" },
  },
  {
    what: "a server without a flavor",
    type: "server",
    inputs: () => ({ image: world.image.id }),
    issue: { code: "invalid-input", field: "flavor", message: "is missing" },
  },
  {
    what: "a field that there is not",
    type: "flavor",
    inputs: () => ({ vcpus: 1, ramMib: 64, ram: 64 }),
    issue: { code: "invalid-input", field: "ram", remedy: expect.stringContaining("ramMib") as unknown },
  },
  {
    what: "a flavor without memory",
    type: "flavor",
    inputs: () => ({ vcpus: 1, ramMib: 0 }),
    issue: { code: "invalid-input", field: "ramMib", value: 0 },
  },
  {
    what: "a subnet that overlaps another of its network",
    type: "subnet",
    inputs: () => ({ network: world.network.id, cidr: "10.1.0.128/25" }),
    issue: { code: "conflict", field: "cidr", value: "10.1.0.128/25" },
  },
  {
    what: "a subnet with host bits",
    type: "subnet",
    inputs: () => ({ network: world.network.id, cidr: "10.3.0.1/24" }),
    issue: { code: "invalid-input", field: "cidr", value: "10.3.0.1/24" },
  },
  {
    what: "a subnet without room",
    type: "subnet",
    inputs: () => ({ network: world.network.id, cidr: "10.3.0.0/30" }),
    issue: { code: "invalid-input", field: "cidr" },
  },
  {
    what: "a gateway outside its subnet",
    type: "subnet",
    inputs: () => ({ network: world.network.id, cidr: "10.3.0.0/24", gateway: "10.4.0.1" }),
    issue: { code: "invalid-input", field: "gateway", value: "10.4.0.1" },
  },
  {
    what: "a pool that ends before it starts",
    type: "subnet",
    inputs: () => ({
      network: world.network.id,
      cidr: "10.3.0.0/24",
      allocationPools: [{ start: "10.3.0.20", end: "10.3.0.10" }],
    }),
    issue: { code: "invalid-input", field: "allocationPools" },
  },
  {
    what: "a network identifier that another network has",
    type: "network",
    inputs: () => ({ vni: world.network.inputs["vni"] }),
    issue: { code: "conflict", field: "vni" },
  },
  {
    what: "an image by URL without a checksum",
    type: "image",
    inputs: () => ({ disk: { location: "https://example.org/disk.qcow2" } }),
    issue: { code: "invalid-input", field: "disk", remedy: expect.stringContaining("sha256:") as unknown },
  },
  {
    what: "an image of nothing",
    type: "image",
    inputs: () => ({}),
    issue: { code: "invalid-input", field: "disk" },
  },
  {
    what: "an initial RAM disk without a kernel",
    type: "image",
    inputs: () => ({ disk: { location: "/images/cirros.qcow2" }, initrd: { location: "/images/vmlinuz" } }),
    issue: { code: "invalid-input", field: "initrd" },
  },
  {
    what: "a tunnel address that another host has",
    type: "host",
    inputs: () => ({ ...hostInputs(1), address: addressOfHost(2) }),
    issue: { code: "conflict", field: "tunnelAddress" },
  },
  {
    what: "a second role of the same kind",
    type: "role-assignment",
    inputs: () => ({ user: world.user.id, role: "owner" }),
    issue: { code: "invalid-input", field: "role", value: "owner" },
  },
];

describe.each(cases)("$what ($type)", ({ type, inputs, name = "mine", issue }) => {
  const request = { type, maker: "test:mine", defaultName: name };

  test("is named by the plan", async () => {
    const { issues } = await test1.cloud.plan({ ...request, inputs: inputs() });

    expect(issues[0]).toMatchObject(issue);
  });

  test("is refused by the apply, with the way out, and nothing is written", async () => {
    const before = await test1.holdings();
    const changes = test1.compute.changes.length;

    await expect(test1.cloud.apply({ ...request, inputs: inputs() })).rejects.toMatchObject({
      code: issue.code,
      field: issue.field,
      message: expect.stringContaining(`${type} "${name}" cannot be applied: ${issue.field} `) as unknown,
      remedy: expect.stringMatching(/\S/) as unknown,
    });

    expect(await test1.holdings()).toEqual(before);
    expect(test1.compute.changes).toHaveLength(changes);
  });
});

test("all that is wrong is told at once: the first leads, the others are notes", async () => {
  const request = { type: "flavor", maker: "test:mine", defaultName: "mine" };

  await expect(
    test1.cloud.apply({ ...request, inputs: { vcpus: 0, ramMib: 0, diskGib: -1 } }),
  ).rejects.toMatchObject({
    field: "vcpus",
    notes: [expect.stringMatching(/^also: ramMib /), expect.stringMatching(/^also: diskGib /)],
  });
});

test("a type that there is not is refused with those that there are", async () => {
  await expect(
    test1.cloud.apply({ type: "vm", inputs: {}, maker: "test:mine", defaultName: "mine" }),
  ).rejects.toMatchObject({ code: "not-found", remedy: expect.stringContaining("server-group") as unknown });
});

describe("what only the hosts can tell", () => {
  test.each([
    ["a host that cannot be reached", "host", () => ({ ...hostInputs(7) }), "host-unreachable"],
    ["an image that is not there", "image", () => ({ disk: { location: "/absent" } }), "image-unreachable"],
    [
      "an image with another checksum",
      "image",
      () => ({ disk: { location: "/images/cirros.qcow2", checksum: `sha256:${"0".repeat(64)}` } }),
      "image-checksum",
    ],
    [
      "an image of another format",
      "image",
      () => ({ disk: { location: "/images/cirros.qcow2", format: "raw" } }),
      "image-format",
    ],
  ] as const)("%s is an error that leaves nothing", async (_what, type, inputs, code) => {
    const before = await test1.holdings();

    await expect(test1.make(type, "mine", inputs())).rejects.toMatchObject({ code });

    expect(await test1.holdings()).toEqual(before);
  });

  test("a host of another cloud is refused, and stays that cloud's", async () => {
    await using other = await TestCloud.open();
    other.compute.addMachine(addressOfHost(1));
    await other.make("host", "theirs", hostInputs(1));
    const hosts = other.compute.dump();
    await using mine = await TestCloud.openOver(other.compute);

    await expect(mine.make("host", "mine", hostInputs(1))).rejects.toMatchObject({ code: "foreign-cloud" });

    expect(other.compute.dump()).toBe(hosts);
    expect(await mine.cloud.list("host")).toEqual([]);
  });
});

describe("a removal of what others use", () => {
  test.each(["flavor", "image", "keypair", "network", "subnet"] as const)(
    "of a %s is refused by the name of its user",
    async (type) => {
      await expect(test1.cloud.remove(type, world[type].id)).rejects.toMatchObject({
        code: "in-use",
        message: expect.stringMatching(/is used by .*(server "web"|subnet "subnet"|port "taken")/) as unknown,
      });
    },
  );

  test("of a host is refused by the names of its servers, and the host stays usable", async () => {
    const [host] = world.hosts;
    await expect(test1.cloud.remove("host", host?.id ?? "")).rejects.toMatchObject({
      code: "in-use",
      message: 'host "h1" is used by server "web"',
    });
    await test1.make("host", "h1", hostInputs(1));
    await expect(test1.make("server", "more", world.server)).resolves.toMatchObject({
      outputs: { status: "ACTIVE" },
    });
  });
});

describe("an action", () => {
  test.each([
    ["that there is not", "dance", {}, "not-found"],
    ["with a wrong input", "reboot", { kind: "quick" }, "invalid-input"],
    ["with an input that it does not know", "reboot", { now: true }, "invalid-input"],
  ] as const)("%s is refused", async (_what, action, input, code) => {
    const { id } = await test1.cloud.find("server", "web");
    await expect(test1.cloud.act("server", id, action, input)).rejects.toMatchObject({ code });
  });
});

test("a change of what cannot change is refused, with the field", async () => {
  const other = await test1.make("image", "other", { disk: { location: "/images/vmlinuz" } });
  const { id, inputs } = await test1.cloud.find("server", "web");
  const request = { type: "server", maker: "test:server/web", defaultName: "web" };

  const outcome: unknown = await test1.cloud
    .apply({ ...request, inputs: { ...inputs, id, image: other.id } })
    .catch((error: unknown) => error);

  expect(hasCode(outcome, "invalid-input") ? outcome.field : outcome).toBe("image");
});

test("names are found by id first, and an ambiguous one asks for the id", async () => {
  await test1.make("server-group", "first", { name: "twins", policy: "affinity" });
  await test1.make("server-group", "second", { name: "twins", policy: "affinity" });

  await expect(test1.cloud.find("server-group", "twins")).rejects.toMatchObject({
    code: "conflict",
    remedy: expect.stringMatching(/^Use the id: .{36}, .{36}\.$/) as unknown,
  });
  const groups = await test1.cloud.list("server-group");
  const ids = z.array(z.string()).parse(groups.map(({ id }) => id));
  await expect(test1.cloud.find("server-group", ids[0] ?? "")).resolves.toMatchObject({ id: ids[0] });
});
