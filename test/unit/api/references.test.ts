import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cloud, Issue, ResourceView } from "../../../providers/core/cloud.ts";
import { newId } from "../../../providers/core/ids.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import { make, makeSmallWorld, TestCloud, textOf, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
/** Resources of the project `admin`, which the member has no role on. */
let theirs: SmallWorld;
let theirPort: ResourceView;
let theirServer: ResourceView;
let member: Cloud;
/** Resources of the member's own project. */
let own: { readonly network: ResourceView; readonly subnet: ResourceView; readonly image: ResourceView };

beforeAll(async () => {
  test1 = await TestCloud.open();
  theirs = await makeSmallWorld(test1);
  theirPort = await test1.make("port", "theirs", { network: theirs.network.id });
  theirServer = await test1.make("server", "theirs", theirs.server);
  const project = await test1.make("project", "shop");
  member = await test1.logIn("ada", "member", project.id);
  const network = await make(member, "network", "own");
  const subnet = await make(member, "subnet", "own", { network: network.id, cidr: "10.2.0.0/24" });
  const image = await make(member, "image", "own", { disk: { location: "/images/cirros.qcow2" } });
  own = { network, subnet, image };
});

afterAll(async () => {
  await test1[Symbol.asyncDispose]();
});

async function issuesOf(type: string, inputs: JsonObject): Promise<readonly Issue[]> {
  return (await member.plan({ type, inputs, maker: `test:${newId()}`, defaultName: "mine" })).issues;
}

/** What is refused, in the words that a resource gets that is not there at all. */
function missing(type: string, field: string, value: string): object {
  return {
    code: "unknown-reference",
    field,
    value,
    message: `refers to a ${type} that does not exist`,
  };
}

describe("a member cannot use what another project owns:", () => {
  test.each(["image", "keypair"] as const)("its %s", async (field) => {
    const inputs = { flavor: theirs.flavor.id, image: own.image.id, [field]: theirs[field].id };
    expect(await issuesOf("server", inputs)).toEqual([missing(field, field, theirs[field].id)]);
  });

  test("its server group", async () => {
    const inputs = { flavor: theirs.flavor.id, image: own.image.id, serverGroup: theirs.group.id };
    expect(await issuesOf("server", inputs)).toEqual([
      missing("server-group", "serverGroup", theirs.group.id),
    ]);
  });

  test("its network, subnet and port, by a server", async () => {
    const inputs = { flavor: theirs.flavor.id, image: own.image.id };
    const networks = [
      { network: theirs.network.id },
      { subnet: theirs.subnet.id },
      { port: theirPort.id },
      { network: own.network.id },
    ];
    expect(await issuesOf("server", { ...inputs, networks })).toEqual([
      missing("port", "networks.2.port", theirPort.id),
      missing("network", "networks.0.network", theirs.network.id),
      missing("subnet", "networks.1.subnet", theirs.subnet.id),
    ]);
  });

  test("its network, by a subnet", async () => {
    expect(await issuesOf("subnet", { network: theirs.network.id, cidr: "10.9.0.0/24" })).toEqual([
      missing("network", "network", theirs.network.id),
    ]);
  });

  test("its subnet, by a port, which is given no address of it either", async () => {
    expect(await issuesOf("port", { subnet: theirs.subnet.id })).toEqual([
      missing("subnet", "subnet", theirs.subnet.id),
    ]);
  });

  test("the project itself", async () => {
    const project = theirs.network.record.projectId ?? "";
    expect(await issuesOf("network", { project })).toEqual([missing("project", "project", project)]);
  });
});

test("a reference to what does not exist is refused in the same words", async () => {
  const id = newId();
  expect(await issuesOf("port", { network: id })).toEqual([missing("network", "network", id)]);
});

test("a flavor, which is the cloud's, may be used by all", async () => {
  const inputs = { flavor: theirs.flavor.id, image: own.image.id, networks: [{ network: own.network.id }] };
  expect(await issuesOf("server", inputs)).toEqual([]);
});

test("an administrator may use what any project owns", async () => {
  const request = { type: "port", maker: "test:any", defaultName: "any" };
  expect((await test1.cloud.plan({ ...request, inputs: { network: own.network.id } })).issues).toEqual([]);
});

test("a conflict does not tell what it is with", async () => {
  const issues = await issuesOf("port", { network: own.network.id, mac: textOf(theirPort.inputs, "mac") });
  expect(issues).toMatchObject([
    { code: "conflict", field: "mac", message: "is taken by a resource that you may not see" },
  ]);
});

describe("an id that is another resource's", () => {
  const request = { maker: "test:thief", defaultName: "thief" };

  test("is not taken over by a resource of another type", async () => {
    await expect(
      member.apply({ ...request, type: "keypair", inputs: { id: theirServer.id } }),
    ).rejects.toMatchObject({ code: "conflict", field: "id", value: theirServer.id });
    expect((await test1.cloud.find("server", "theirs")).record.inputs).toEqual(theirServer.record.inputs);
  });

  test("is not taken over by a resource of another project", async () => {
    await expect(
      member.apply({ ...request, type: "keypair", inputs: { id: theirs.keypair.id } }),
    ).rejects.toMatchObject({ code: "forbidden" });
  });

  test("does not give up what it holds to whoever pretends to replace it", async () => {
    const mac = textOf(theirPort.inputs, "mac");
    const pretended = { id: theirPort.id, network: own.network.id, mac };
    await member.plan({ ...request, type: "port", inputs: pretended, prior: theirPort.inputs });
    await expect(make(member, "port", "thief", { network: own.network.id, mac })).rejects.toMatchObject({
      code: "conflict",
      field: "mac",
    });
  });
});

describe("a plan of one's own does not stand in for what is there:", () => {
  /** Plans a resource of the member's own project under the id of another. */
  async function pretend(type: string, id: string, inputs: JsonObject, unknown: readonly string[] = []) {
    const maker = `test:${newId()}`;
    await member.plan({ type, inputs: { ...inputs, id }, unknown, maker, defaultName: "pretended" });
  }

  function build(name: string, inputs: JsonObject): Promise<ResourceView> {
    return make(member, "server", name, { flavor: theirs.flavor.id, image: own.image.id, ...inputs });
  }

  test("not for another project's image", async () => {
    await pretend("image", theirs.image.id, { disk: { location: "/images/cirros.qcow2" } });
    await expect(build("thief", { image: theirs.image.id })).rejects.toMatchObject({
      code: "unknown-reference",
      field: "image",
    });
  });

  test("not for another project's image, in a later plan", async () => {
    await pretend("image", theirs.image.id, { disk: { location: "/images/cirros.qcow2" } });
    const inputs = {
      flavor: theirs.flavor.id,
      image: theirs.image.id,
      networks: [{ network: own.network.id }],
    };
    expect(await issuesOf("server", inputs)).toEqual([missing("image", "image", theirs.image.id)]);
  });

  test("not for another project's network, by something of one's own that is not known yet", async () => {
    await pretend("image", own.image.id, {}, ["disk"]);
    const networks = [{ network: theirs.network.id, subnet: theirs.subnet.id }];
    await expect(build("thief", { networks })).rejects.toMatchObject({ code: "unknown-reference" });
  });

  test("not for a flavor, by which the quota is counted", async () => {
    const huge = await test1.make("flavor", "huge", { vcpus: 21, ramMib: 64 });
    await pretend("flavor", huge.id, { vcpus: 1, ramMib: 64 });
    await expect(build("thief", { flavor: huge.id })).rejects.toMatchObject({ code: "quota-exceeded" });
  });
});
