import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Cloud, ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import { addCephs, cephInputs } from "../../support/ceph.ts";
import { addressOfHost, makeSmallWorld, TestCloud, textOf, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let cloud: Cloud;
let world: SmallWorld;
let pooled: ResourceView;
let server: ResourceView;
let before: readonly string[];

beforeEach(async () => {
  test1 = await TestCloud.open();
  ({ cloud } = test1);
  world = await makeSmallWorld(test1, 3);
  addCephs(test1.compute, test1.folder);
  const inputs = cephInputs("small", test1.folder, world.hosts[0]?.id);
  const clients = world.hosts.slice(0, 2).map(({ id }) => id);
  const cluster = await test1.make("ceph-cluster", "ceph", { ...inputs, hosts: clients });
  const images = await test1.make("storage-pool", "images", { cluster: cluster.id, content: "images" });
  const vms = await test1.make("storage-pool", "vms", {
    cluster: cluster.id,
    content: "vms",
    imagePool: images.id,
  });
  pooled = await test1.make("flavor", "pooled", { vcpus: 1, ramMib: 256, diskGib: 1, storagePool: vms.id });
  server = await test1.make("server", "web", { ...world.server, flavor: pooled.id });
  before = await test1.holdings();
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

function migrate(input: JsonObject = {}, by: Cloud = cloud): Promise<JsonObject> {
  return by.act("server", server.id, "live-migrate", input);
}

/** Host of a server as the store has it, and whether the record is well. */
async function look(): Promise<JsonObject> {
  const { record, drift } = (await cloud.read("server", server.id)) ?? server;
  const { host, status, migration } = record.outputs;
  return {
    host: host ?? null,
    status: status ?? null,
    state: record.status,
    isMoving: migration !== undefined,
    drift: drift.length,
  };
}

const settled = { status: "ACTIVE", state: "active", isMoving: false, drift: 0 };
const source = (): string => textOf(server.outputs, "host");
const target = (): string => (source() === "h1" ? "h2" : "h1");

/** All that is held is as before, but on the other host. */
async function expectMoved(): Promise<void> {
  expect(await look()).toEqual({ ...settled, host: target() });
  const [from, to] = [source(), target()].map((name) =>
    world.hosts.find((host) => host.inputs["name"] === name),
  );
  const moved = before.map((line) =>
    line.startsWith("on ")
      ? line.replace(`on ${source()}.test`, `on ${target()}.test`)
      : line.replace(`claim ${server.id} ${from?.id ?? ""}`, `claim ${server.id} ${to?.id ?? ""}`),
  );
  const plain = (lines: readonly string[]): readonly string[] =>
    lines.filter((line) => !line.includes("ceph client")).toSorted();
  expect(plain(await test1.holdings())).toEqual(plain(moved));
}

async function expectStayed(): Promise<void> {
  expect(await look()).toEqual({ ...settled, host: source() });
  expect(await test1.holdings()).toEqual(before);
}

test("a server moves with its claim, its wiring and its files to the only other host that reaches its disk", async () => {
  const lines: string[] = [];
  const answer = await cloud.act(
    "server",
    server.id,
    "live-migrate",
    {},
    { onProgress: (line) => lines.push(line) },
  );

  expect(answer).toMatchObject({ host: target() });
  await expectMoved();
  expect(lines).toContain(`moving the guest from host ${source()} to ${target()}`);
  expect(lines).toContain("moved 1 MiB of memory, 0 B left");
  expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  const journal = await cloud.journal(server.id);
  expect(journal.filter(({ kind }) => kind === "act live-migrate").map(({ step }) => step)).toContain(
    "migrate",
  );
  expect((await test1.plan(server, "web", { ...world.server, flavor: pooled.id })).change.action).toBe(
    "none",
  );
});

test("a server moves there and back, and is removed without a trace", async () => {
  await migrate({ host: target() });
  await migrate({ host: source() });
  await expectStayed();

  await cloud.remove("server", server.id);

  expect((await test1.holdings()).filter((line) => line.includes(server.id))).toEqual([]);
});

describe("a move is refused, and nothing changes", () => {
  async function expectRefused(refused: Promise<JsonObject>, error: object): Promise<void> {
    await expect(refused).rejects.toMatchObject(error);
    expect(await look()).toMatchObject({ host: source(), state: "active", isMoving: false });
    expect(test1.compute.calls.filter(({ method }) => method === "domains.migrate")).toEqual([]);
  }

  test("to who does not administer the cloud", async () => {
    const member = await test1.logIn("mallory", "member", server.record.projectId ?? "");
    await expectRefused(migrate({}, member), { code: "forbidden" });
  });

  test("of one that is off", async () => {
    await cloud.act("server", server.id, "stop", {});
    await expectRefused(migrate(), { code: "wrong-state" });
  });

  test("of one whose root disk is a file", async () => {
    server = await test1.make("server", "local", world.server);
    await expectRefused(migrate(), {
      code: "host-unsuitable",
      message: expect.stringContaining("its root disk is a file") as unknown,
    });
  });

  test("to where it is, to a host that is not there, and to one that is no client of the cluster", async () => {
    await expectRefused(migrate({ host: source() }), { code: "host-unsuitable", field: "host" });
    await expectRefused(migrate({ host: "nowhere" }), { code: "not-found", field: "host" });
    await expectRefused(migrate({ host: "h3" }), { code: "host-unsuitable", field: "host", value: "h3" });
  });

  test("to a host that is full, as for any build", async () => {
    const huge = await test1.make("flavor", "huge", { vcpus: 1, ramMib: 7_500, diskGib: 0 });
    for (const name of ["one", "two"]) await test1.make("server", name, { ...world.server, flavor: huge.id });
    await expectRefused(migrate({ host: target() }), { code: "no-valid-host" });
  });

  test("to where a domain of it is left over", async () => {
    const address = addressOfHost(Number(target().slice(1)));
    test1.compute.withMachine(addressOfHost(Number(source().slice(1))), ({ domains }) => {
      const domain = domains[server.id];
      if (domain === undefined) throw new Error("the server has no domain");
      test1.compute.withMachine(address, (machine) => (machine.domains[server.id] = structuredClone(domain)));
    });
    await expectRefused(migrate(), { code: "conflict", field: "host" });
  });
});

describe("a move that fails leaves the server where it was, and nothing elsewhere", () => {
  test.each([
    ["images.ensureCached", "before", false],
    ["switching.ensureNetwork", "before", true],
    ["switching.ensureNetwork", "after", true],
    ["domains.copyFiles", "before", true],
    ["domains.copyFiles", "after", true],
    ["domains.migrate", "before", true],
  ] as const)("at %s %s", async (method, moment, isCalled) => {
    test1.compute.fail(method, { moment });
    const moving = migrate();
    if (isCalled) await expect(moving).rejects.toMatchObject({ code: "command-failed" });
    else await moving;
    if (isCalled) await expectStayed();
    else await expectMoved();
  });

  test("when it is given up", async () => {
    const stop = new AbortController();
    const held = test1.compute.hold("domains.migrate");
    const moving = cloud.act("server", server.id, "live-migrate", {}, { signal: stop.signal });
    await held.reached;
    stop.abort();
    await expect(moving).rejects.toMatchObject({ code: "interrupted" });
    await expectStayed();
  });

  test("and one whose end was not heard of is at its end all the same", async () => {
    test1.compute.fail("domains.migrate", { moment: "after", code: "host-unreachable" });
    await expect(migrate()).rejects.toMatchObject({ code: "host-unreachable" });
    await expectMoved();
  });

  test("and is brought to its end by the next apply when even that failed", async () => {
    test1.compute.fail("domains.migrate", { moment: "after", code: "host-unreachable" });
    test1.compute.fail("domains.abortMigration", { code: "host-unreachable" });
    await expect(migrate()).rejects.toMatchObject({ code: "host-unreachable" });
    expect(await cloud.find("server", server.id)).toMatchObject({ record: { status: "error" } });
    await expect(migrate()).rejects.toMatchObject({
      code: "wrong-state",
      remedy: expect.stringContaining("Apply") as unknown,
    });

    await test1.make("server", "web", { ...world.server, flavor: pooled.id });

    await expectMoved();
  });
});

test("while a server moves, its claim counts on both hosts, and nothing of it is a leftover", async () => {
  const held = test1.compute.hold("domains.migrate");
  const moving = migrate();
  await held.reached;
  const claims = (await test1.holdings()).filter(
    (line) => line.startsWith("claim ") && line.endsWith("VCPU"),
  );
  expect(claims).toHaveLength(2);
  expect((await cloud.listLeftovers()).leftovers).toEqual([]);
  await expect(migrate()).rejects.toMatchObject({ code: "wrong-state" });
  held.goOn();
  await moving;
  await expectMoved();
});

/** Builds the server anew, with a volume of its own in a pool that both hosts reach. */
async function bootFromOwnVolume(): Promise<void> {
  await cloud.remove("server", server.id);
  const cluster = pooled.inputs["storagePool"];
  const { inputs } = await cloud.find("storage-pool", typeof cluster === "string" ? cluster : "");
  const volumes = { cluster: inputs["cluster"], imagePool: inputs["imagePool"], content: "volumes" };
  const pool = await test1.make("storage-pool", "volumes", volumes);
  const type = await test1.make("volume-type", "pooled", { storagePool: pool.id });
  server = await test1.make("server", "web", { ...world.server, bootVolume: { volumeType: type.id } });
  before = await test1.holdings();
}

test("a server moves with the volume that it has made for itself", async () => {
  await bootFromOwnVolume();

  await migrate();

  await expectMoved();
  expect((await cloud.drift()).findings).toEqual([]);
});

describe("a server whose host does not answer", () => {
  function evacuate(input: JsonObject = {}, by: Cloud = cloud): Promise<JsonObject> {
    return by.act("server", server.id, "evacuate", input);
  }

  const addressOf = (name: string): string => addressOfHost(Number(name.slice(1)));
  const isFenced = (): boolean =>
    test1.compute.withMachine(addressOf(source()), ({ domains }) => domains[server.id]?.isFenced === true);
  const lose = (): void => void test1.compute.unreachable.add(addressOf(source()));

  test("starts on another, once the host is shut out; what is left there goes with gc, and its disk stays", async () => {
    lose();
    const lines: string[] = [];
    const onProgress = (line: string): void => void lines.push(line);

    expect(await cloud.act("server", server.id, "evacuate", {}, { onProgress })).toMatchObject({
      host: target(),
    });

    expect(await look()).toEqual({ ...settled, host: target() });
    expect(isFenced()).toBe(true);
    expect(lines).toContain(`shutting host ${source()} out of the disks`);
    const order = test1.compute.calls.map(({ method }) => method);
    expect(order.lastIndexOf("ceph.fence")).toBeLessThan(order.lastIndexOf("domains.spawn"));
    test1.compute.unreachable.clear();
    const { leftovers } = await cloud.listLeftovers();
    expect(leftovers.map(({ kind, host }) => `${kind} ${host}`)).toContain(`server ${source()}`);
    await expect(migrate({ host: source() })).rejects.toMatchObject({ code: "conflict", field: "host" });
    for (const leftover of leftovers) await cloud.removeLeftover(leftover);
    expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
    await expectMoved();
  });

  test.each(["h1", "h2"])(
    "%s: starts on another from the volume that it has made for itself",
    async (host) => {
      await bootFromOwnVolume();
      if (source() !== host) await migrate({ host });
      server = await cloud.find("server", server.id);
      lose();

      await evacuate();

      expect(await look()).toMatchObject({ ...settled, host: target(), drift: 0 });
    },
  );

  test("is not evacuated while it answers, by who is no administrator, nor to where its disk is not reached", async () => {
    await expect(evacuate()).rejects.toMatchObject({ code: "wrong-state" });
    const member = await test1.logIn("mallory", "member", server.record.projectId ?? "");
    await expect(evacuate({}, member)).rejects.toMatchObject({ code: "forbidden" });
    lose();
    await expect(evacuate({ host: "h3" })).rejects.toMatchObject({ code: "host-unsuitable", field: "host" });
    test1.compute.unreachable.clear();
    expect(isFenced()).toBe(false);
    expect(await look()).toEqual({ ...settled, host: source() });
  });

  test("stays where it is when its disk is a file", async () => {
    server = await test1.make("server", "local", world.server);
    lose();
    await expect(evacuate()).rejects.toMatchObject({ code: "host-unsuitable" });
  });

  test("is evacuated by the next apply when the cluster did not answer at first", async () => {
    lose();
    test1.compute.fail("ceph.fence", { code: "ceph-unreachable", times: 2 });
    await expect(evacuate()).rejects.toMatchObject({ code: "ceph-unreachable" });
    expect(await cloud.find("server", server.id)).toMatchObject({
      record: { status: "error" },
      outputs: { host: source(), migration: { kind: "evacuation", isFencing: true } },
    });
    expect(isFenced()).toBe(false);

    await test1.make("server", "web", { ...world.server, flavor: pooled.id });

    expect(isFenced()).toBe(true);
    expect(await look()).toEqual({ ...settled, host: target() });
  });

  test("is built by the next apply when the new host failed", async () => {
    lose();
    test1.compute.fail("domains.spawn");
    await expect(evacuate()).rejects.toMatchObject({ code: "command-failed" });
    expect(await look()).toMatchObject({ host: target(), isMoving: false });

    await test1.make("server", "web", { ...world.server, flavor: pooled.id });

    expect(await look()).toEqual({ ...settled, host: target() });
  });
});
