import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Cloud } from "../../../providers/core/cloud.ts";
import { newId } from "../../../providers/core/ids.ts";
import { makerOf, makeSmallWorld, TestCloud } from "../../support/cloud.ts";

let test1: TestCloud;
let projectId: string;
/** Sessions of members of two projects. */
let member: Cloud;
let stranger: Cloud;

beforeEach(async () => {
  test1 = await TestCloud.open();
  const [own, other] = [await test1.make("project", "own"), await test1.make("project", "other")];
  projectId = own.id;
  member = await test1.logIn("mem", "member", own.id);
  stranger = await test1.logIn("str", "member", other.id);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** A network under an id that somebody brings along. */
const request = (id: string) => ({
  type: "network",
  inputs: { id },
  maker: makerOf("network", "net"),
  defaultName: "net",
});

const refusal = {
  code: "invalid-input",
  field: "id",
  remedy: expect.stringContaining("Leave the id out") as unknown,
};

describe("a member who brings an id for a new resource", () => {
  test("is told so by the plan", async () => {
    expect((await member.plan(request(newId()))).issues).toMatchObject([refusal]);
  });

  test("is refused, and nothing is written", async () => {
    const before = await test1.holdings();

    await expect(member.apply(request(newId()))).rejects.toMatchObject(refusal);

    expect(await test1.holdings()).toEqual(before);
  });

  test("is refused one of another project, so that the journal of what was removed there stays theirs", async () => {
    const { id } = await test1.make("network", "net", {}, { cloud: stranger });
    await stranger.remove("network", id);

    await expect(member.apply(request(id))).rejects.toMatchObject(refusal);
    await expect(member.journal(id)).rejects.toMatchObject({ code: "forbidden" });
  });

  test("may bring the one that a plan of another session gave", async () => {
    const { inputs } = await member.plan({ ...request(""), inputs: {} });
    const session = await test1.open({
      STACKYARD_USERNAME: "mem",
      STACKYARD_PASSWORD: "open sesame, mem",
      STACKYARD_PROJECT: projectId,
    });

    await expect(session.apply({ ...request(""), inputs })).resolves.toMatchObject({ id: inputs["id"] });
  });
});

describe("an administrator's id", () => {
  test("is taken as it is", async () => {
    const id = newId();

    await expect(test1.cloud.apply(request(id))).resolves.toMatchObject({ id });
  });

  test("may be used by members of the project once the resource is there", async () => {
    const id = newId();
    await test1.cloud.apply({ ...request(id), inputs: { id, project: projectId } });

    await expect(member.apply({ ...request(id), inputs: { id, mtuBytes: 1400 } })).resolves.toMatchObject({
      id,
      inputs: { mtuBytes: 1400 },
    });
  });
});

describe("two ids whose devices would have one name", () => {
  /** An id that begins like another. */
  const twinOf = (id: string): string => `${id.slice(0, 11)}${newId().slice(11)}`;

  test("are refused to a network and a port", async () => {
    const { network, subnet } = await makeSmallWorld(test1);
    const inputs = { id: twinOf(network.id), subnet: subnet.id };

    await expect(
      test1.cloud.apply({ type: "port", inputs, maker: makerOf("port", "p"), defaultName: "p" }),
    ).rejects.toMatchObject({ code: "conflict", field: "id" });
  });

  test("are refused to a network and a server's own port", async () => {
    const world = await makeSmallWorld(test1);
    const server = await test1.make("server", "web", world.server);
    const [port = ""] = JSON.stringify(server.outputs["interfaces"]).match(/(?<="port":")[^"]+/) ?? [];

    await expect(test1.cloud.apply(request(twinOf(port)))).rejects.toMatchObject({
      code: "conflict",
      field: "id",
    });
  });
});
