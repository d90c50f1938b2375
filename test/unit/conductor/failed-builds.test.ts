import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../../providers/core/json.ts";
import {
  addressOfHost,
  hostInputs,
  makeSmallWorld,
  nameOfHost,
  TestCloud,
  type SmallWorld,
} from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** Failed builds of each host, by name. */
async function failedBuilds(): Promise<Readonly<Record<string, number>>> {
  const database = await test1.database();
  const rows = await database.selectFrom("providers").select(["host_id", "failed_builds"]).execute();
  const hosts = await test1.cloud.list("host");
  return Object.fromEntries(
    rows.map((row) => [
      hosts.find(({ id }) => id === row.host_id)?.record.name ?? row.host_id,
      row.failed_builds,
    ]),
  );
}

async function addSecondHost(): Promise<void> {
  test1.compute.addMachine(addressOfHost(2));
  await test1.make("host", nameOfHost(2), hostInputs(2));
}

/** Inputs of a server in a group of which a host may have so many. */
async function inGroup(maxServersPerHost: number): Promise<JsonObject> {
  const group = await test1.make("server-group", "few", { policy: "anti-affinity", maxServersPerHost });
  return { ...world.server, serverGroup: group.id };
}

describe("a host's failed builds", () => {
  beforeEach(async () => {
    await addSecondHost();
    test1.compute.fail("domains.spawn", { at: addressOfHost(1), code: "host-login-refused" });
    await test1.make("server", "web", world.server);
  });

  test("grow by one that another host took over", async () => {
    expect(await failedBuilds()).toEqual({ h1: 1, h2: 0 });
  });

  test("are forgotten when a build there succeeds", async () => {
    await test1.make("host", nameOfHost(2), { ...hostInputs(2), enabled: false });
    await test1.make("server", "next", world.server);
    expect(await failedBuilds()).toEqual({ h1: 0, h2: 0 });
  });
});

test("a change of a server says nothing of its host's builds, whether it succeeds or not", async () => {
  await test1.make("server", "web", world.server);
  await addSecondHost();
  await test1.make("host", nameOfHost(2), { ...hostInputs(2), enabled: false });
  test1.compute.fail("images.ensureCached", { code: "host-disk-full" });
  await expect(test1.make("server", "next", world.server)).rejects.toMatchObject({
    code: "retries-exhausted",
  });

  test1.compute.fail("domains.spawn");
  await expect(test1.make("server", "web", { ...world.server, running: false })).rejects.toThrow();
  await test1.make("server", "web", { ...world.server, running: false });

  expect(await failedBuilds()).toEqual({ h1: 1, h2: 0 });
});

describe("a limit of a server group that is lowered", () => {
  test("moves a build that has not ended to another host, and does not count against the first", async () => {
    const inputs = await inGroup(2);
    await test1.make("server", "first", inputs);
    test1.compute.fail("images.ensureCached", { code: "interrupted" });
    await expect(test1.make("server", "second", inputs)).rejects.toMatchObject({ code: "interrupted" });
    await addSecondHost();
    await inGroup(1);

    const second = await test1.make("server", "second", inputs);

    expect(second.outputs).toMatchObject({ host: nameOfHost(2) });
    expect(await failedBuilds()).toEqual({ h1: 0, h2: 0 });
  });

  test("leaves servers alone that are built, and lets them be changed", async () => {
    const inputs = await inGroup(2);
    await test1.make("server", "first", inputs);
    await test1.make("server", "second", inputs);
    await inGroup(1);

    await expect(test1.make("server", "second", { ...inputs, running: false })).resolves.toMatchObject({
      outputs: { status: "SHUTOFF" },
    });
  });
});
