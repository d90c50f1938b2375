import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ComputeMethod } from "../../fakes/fault.ts";
import {
  addressOfHost,
  hostInputs,
  makeSmallWorld,
  nameOfHost,
  TestCloud,
  textOf,
  type SmallWorld,
} from "../../support/cloud.ts";

const hostCount = 4;
const addresses = Array.from({ length: hostCount }, (_, index) => addressOfHost(index + 1));

let test1: TestCloud;
let world: SmallWorld;
let bare: readonly string[];

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1, hostCount);
  bare = await test1.holdings();
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** Addresses of hosts that a method was called on. */
function triedBy(method: ComputeMethod): readonly string[] {
  return test1.compute.calls.filter((call) => call.method === method).map((call) => call.at);
}

describe("a server whose first host fails", () => {
  test.each(["images.ensureCached", "switching.ensureNetwork", "domains.spawn"] as const)(
    "in %s is built on the second, and nothing of it stays on the first",
    async (method) => {
      test1.compute.fail(method, { moment: "after", at: addressOfHost(1) });

      const server = await test1.make("server", "web", world.server);

      expect(server.outputs).toMatchObject({ status: "ACTIVE", host: nameOfHost(2) });
      const { [addressOfHost(1)]: first, [addressOfHost(2)]: second } = test1.compute.survey();
      expect(first).toEqual([]);
      expect(second).toContain(`server ${server.id} running`);
      const claims = (await test1.holdings()).filter((line) => line.startsWith("claim"));
      expect(claims).toHaveLength(3);
      expect(claims.filter((line) => !line.includes(textOf(server.outputs, "hostId")))).toEqual([]);
    },
  );

  test("says so to whoever waits", async () => {
    const lines: string[] = [];
    test1.compute.fail("domains.spawn", { at: addressOfHost(1) });

    await test1.make("server", "web", world.server, { onProgress: (line) => lines.push(line) });

    expect(lines).toContain("host failed, choosing another (attempt 2 of 3)");
  });

  test("is weighed against that host the next time, until a build there succeeds", async () => {
    test1.compute.fail("domains.spawn", { at: addressOfHost(1) });
    await test1.make("server", "web", world.server);

    const next = await test1.make("server", "next", world.server);

    expect(next.outputs["host"]).not.toBe(nameOfHost(1));
  });

  test("leaves the failure in the journal, with its host's error", async () => {
    test1.compute.fail("domains.spawn", { at: addressOfHost(1), code: "host-disk-full" });

    const { id } = await test1.make("server", "web", world.server);

    const phases = (await test1.cloud.journal(id)).map(({ step, phase }) => `${phase} ${step}`);
    const from = phases.indexOf("failure spawn");
    expect(phases.slice(from, from + 6)).toEqual([
      "failure spawn",
      "undo spawn",
      "undo block-devices",
      "undo ports",
      "undo placement",
      "intent placement",
    ]);
  });
});

test("three hosts that fail are enough: the server is given up in Nova's words, and nothing is left", async () => {
  test1.compute.fail("domains.spawn", { times: 9, code: "host-unsuitable" });

  await expect(test1.make("server", "web", world.server)).rejects.toMatchObject({
    code: "retries-exhausted",
    message: expect.stringMatching(
      /^Exceeded maximum number of retries\. Exceeded max scheduling attempts 3 for instance [0-9a-f-]{36}\. Last exception: domains\.spawn was made to fail before its effect$/,
    ) as unknown,
    notes: expect.arrayContaining([
      "host h1: domains.spawn was made to fail before its effect [host-unsuitable]",
    ]) as unknown,
  });
  expect(triedBy("domains.spawn")).toEqual(addresses.slice(0, 3));
  expect(await test1.holdings()).toEqual(bare);
});

test("hosts that all fail before there were three attempts are told by Nova's other words", async () => {
  await test1.cloud.remove("host", world.hosts[3]?.id ?? "");
  await test1.cloud.remove("host", world.hosts[2]?.id ?? "");
  bare = await test1.holdings();
  test1.compute.fail("switching.ensureNetwork", { times: 9 });

  await expect(test1.make("server", "web", world.server)).rejects.toMatchObject({
    code: "retries-exhausted",
    message: expect.stringMatching(
      /^Exceeded maximum number of retries\. Exhausted all hosts available for retrying build failures for instance [0-9a-f-]{36}\.$/,
    ) as unknown,
    notes: expect.arrayContaining([
      "host h1: switching.ensureNetwork was made to fail before its effect [command-failed]",
      "host h2: switching.ensureNetwork was made to fail before its effect [command-failed]",
    ]) as unknown,
  });
  expect(await test1.holdings()).toEqual(bare);
});

describe("no host at all", () => {
  test("is told with what each filter removed, and leaves nothing", async () => {
    const flavor = await test1.make("flavor", "huge", { vcpus: 1, ramMib: 20_000, diskGib: 1 });
    bare = await test1.holdings();

    await expect(test1.make("server", "web", { ...world.server, flavor: flavor.id })).rejects.toMatchObject({
      code: "no-valid-host",
      message: expect.stringMatching(
        /^no host can take server [0-9a-f-]{36}: placement removed 4 of 4$/,
      ) as unknown,
    });
    expect(await test1.holdings()).toEqual(bare);
    expect(triedBy("images.ensureCached")).toEqual([]);
  });

  test("names the filter that removed the last ones", async () => {
    await expect(
      test1.make("server", "web", { ...world.server, availabilityZone: "mars" }),
    ).rejects.toMatchObject({
      code: "no-valid-host",
      notes: expect.arrayContaining([expect.stringContaining("AvailabilityZoneFilter")]) as unknown,
    });
  });
});

test.each(["invalid-input", "image-checksum", "not-ours", "unknown-reference"] as const)(
  "%s concerns what was asked for: no other host is tried, and nothing is left",
  async (code) => {
    test1.compute.fail("domains.spawn", { code, moment: "after" });

    await expect(test1.make("server", "web", world.server)).rejects.toMatchObject({ code });

    expect(triedBy("domains.spawn")).toEqual([addressOfHost(1)]);
    expect(await test1.holdings()).toEqual(bare);
  },
);

test("a domain of somebody else is never adopted nor touched", async () => {
  const request = { type: "server", maker: "test:server/web", defaultName: "web" };
  const planned = await test1.cloud.plan({ ...request, inputs: world.server });
  const id = textOf(planned.inputs, "id");
  for (const address of addresses) test1.compute.meddle(address, id, "define a foreign domain");

  await expect(test1.make("server", "web", world.server)).rejects.toMatchObject({ code: "not-ours" });

  expect(test1.compute.survey()[addressOfHost(1)]).toContain(`server ${id} shut-off`);
});

describe("a server that does not get ready in time", () => {
  beforeEach(async () => {
    test1.compute.fail("domains.waitReady", { code: "not-ready" });
    await expect(test1.make("server", "web", world.server)).rejects.toMatchObject({ code: "not-ready" });
  });

  test("stays as it is, with its fault", async () => {
    const { record } = await test1.cloud.find("server", "web");
    expect(record).toMatchObject({ status: "error", fault: { code: "not-ready" } });
    expect(test1.compute.survey()[addressOfHost(1)]).toContain(`server ${record.id} running`);
  });

  test("is waited for again by the next apply, in the same process", async () => {
    const before = test1.compute.dump();

    const server = await test1.make("server", "web", world.server);

    expect(server.record).toMatchObject({ status: "active" });
    expect(test1.compute.dump()).toBe(before);
  });
});

test("a host that cannot take back what was built keeps the record, which a removal clears away later", async () => {
  test1.compute.fail("domains.spawn", { moment: "after", at: addressOfHost(1) });
  test1.compute.fail("domains.remove", { at: addressOfHost(1), code: "host-unreachable" });

  await expect(test1.make("server", "web", world.server)).rejects.toMatchObject({
    code: "command-failed",
    notes: [expect.stringContaining("could not be taken back")],
  });

  const { record } = await test1.cloud.find("server", "web");
  expect(record.status).toBe("error");
  await test1.cloud.remove("server", record.id);
  expect(await test1.holdings()).toEqual(bare);
});

test("a build that comes to a host while another server leaves it wires nothing for that one", async () => {
  await test1.make("host", nameOfHost(1), { ...hostInputs(1), availabilityZone: "attic" });
  test1.compute.fail("domains.spawn", { moment: "after", at: addressOfHost(1) });
  const leaving = test1.compute.hold("switching.releaseNetwork", "after");
  const web = test1.make("server", "web", world.server);
  await leaving.reached;
  const arriving = Promise.withResolvers<undefined>();
  const other = test1.make(
    "server",
    "other",
    { ...world.server, availabilityZone: "attic" },
    { onProgress: (line) => (line.startsWith("wiring") ? arriving.resolve(undefined) : undefined) },
  );
  await arriving.promise;

  leaving.goOn();
  await Promise.all([web, other]);

  expect(test1.compute.survey()[addressOfHost(1)]?.filter((line) => line.startsWith("port"))).toEqual([
    `port ${await portOf("other")}`,
  ]);
});

async function portOf(name: string): Promise<string> {
  const { outputs } = await test1.cloud.find("server", name);
  const [first] = z.array(z.object({ port: z.string() })).parse(outputs["interfaces"]);
  return first?.port ?? "";
}
