import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Cloud, ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import type { FakeDomain } from "../../fakes/host.ts";
import { addCephs, cephInputs } from "../../support/ceph.ts";
import {
  addressOfHost,
  hostInputs,
  makeSmallWorld,
  TestCloud,
  textOf,
  type SmallWorld,
} from "../../support/cloud.ts";

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

const addressOf = (name: string): string => addressOfHost(Number(name.slice(1)));

/** What a host has of the server. */
function domainOn(host: string): FakeDomain | undefined {
  return test1.compute.withMachine(addressOf(host), ({ domains }) => domains[server.id]);
}

/** Leaves what the source has of the server on another host, too. */
function leaveCopy(host: string): void {
  const domain = domainOn(source());
  if (domain === undefined) throw new Error("the server has no domain");
  test1.compute.withMachine(addressOf(host), ({ domains }) => (domains[server.id] = structuredClone(domain)));
}

/** A volume of a type, in a pool, or else in a file on the source, that the server is given. */
async function attachData(pool: string | undefined): Promise<ResourceView> {
  const type = await test1.make("volume-type", "data", pool === undefined ? {} : { storagePool: pool });
  const host = world.hosts.find(({ inputs }) => inputs["name"] === source())?.id;
  const place = pool === undefined ? { host } : {};
  const volume = await test1.make("volume", "data", { volumeType: type.id, sizeGib: 1, ...place });
  await test1.make("volume-attachment", "data", { server: server.id, volume: volume.id });
  return volume;
}

/** A pool for volumes of the servers' cluster. */
async function makeVolumePool(): Promise<string> {
  const { id: cluster } = await cloud.find("ceph-cluster", "ceph");
  return (await test1.make("storage-pool", "volumes", { cluster, content: "volumes" })).id;
}

/** Breaks a move off once the guest has moved, so that nobody could see to its end. */
async function breakOff(moment: "before" | "after"): Promise<void> {
  test1.compute.fail("domains.migrate", { moment, code: "host-unreachable" });
  test1.compute.fail("domains.abortMigration", { code: "host-unreachable" });
  await expect(migrate()).rejects.toMatchObject({ code: "host-unreachable" });
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

  test("to a host whose folder is another than that which the guest was made for", async () => {
    test1.compute.addMachine(addressOfHost(4));
    const { id } = await test1.make("host", "h4", { ...hostInputs(4), folder: "/srv/stackyard" });
    const { inputs } = await cloud.find("ceph-cluster", "ceph");
    const hosts = [...world.hosts.slice(0, 2).map((host) => host.id), id];
    await test1.make("ceph-cluster", "ceph", { ...inputs, hosts });
    await expectRefused(migrate({ host: "h4" }), {
      code: "host-unsuitable",
      message: expect.stringContaining(
        "it has the folder /srv/stackyard, and the guest was made for",
      ) as unknown,
    });
  });

  test("to a host that does not reach a volume of it", async () => {
    const host = world.hosts.find(({ inputs }) => inputs["name"] === source());
    const other = await test1.make("ceph-cluster", "other", cephInputs("other", test1.folder, host?.id));
    const pool = await test1.make("storage-pool", "far", { cluster: other.id, content: "volumes" });
    await attachData(pool.id);
    await expectRefused(migrate(), { code: "no-valid-host" });
    await expectRefused(migrate({ host: target() }), {
      code: "host-unsuitable",
      message: expect.stringContaining('it does not reach volume "data"') as unknown,
    });
  });

  test("of one with a volume in a file", async () => {
    const volume = await attachData(undefined);
    await expectRefused(migrate({ host: target() }), {
      code: "host-unsuitable",
      message: expect.stringContaining(`volume ${volume.id} (vdb) is a file there`) as unknown,
    });
  });

  test("to a host that is full, as for any build", async () => {
    const huge = await test1.make("flavor", "huge", { vcpus: 1, ramMib: 7_500, diskGib: 0 });
    for (const name of ["one", "two"]) await test1.make("server", name, { ...world.server, flavor: huge.id });
    await expectRefused(migrate({ host: target() }), { code: "no-valid-host" });
  });

  test("to where a domain of it is left over", async () => {
    leaveCopy(target());
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

describe("a move that was broken off", () => {
  const apply = (): Promise<ResourceView> =>
    test1.make("server", "web", { ...world.server, flavor: pooled.id });

  test("and whose guest has stopped on the target since, is there, and started by the next apply", async () => {
    await breakOff("after");
    test1.compute.meddle(addressOf(target()), server.id, "stop");

    await apply();

    await expectMoved();
  });

  test("is brought to no end while the guest runs on both hosts: neither is touched", async () => {
    await breakOff("before");
    leaveCopy(target());
    const before = [source(), target()].map(domainOn);

    await expect(apply()).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining(`runs on host ${source()} and on host ${target()}`) as unknown,
      remedy: expect.stringContaining(`virsh destroy ${server.id}`) as unknown,
    });

    expect([source(), target()].map(domainOn)).toEqual(before);
    test1.compute.meddle(addressOf(target()), server.id, "undefine");
    await apply();
    await expectStayed();
  });

  test("while its guest stood still, has that go on where it was", async () => {
    const stop = new AbortController();
    const held = test1.compute.hold("domains.migrate");
    const moving = cloud.act("server", server.id, "live-migrate", {}, { signal: stop.signal });
    await held.reached;
    test1.compute.meddle(addressOf(source()), server.id, "pause");
    stop.abort();
    await expect(moving).rejects.toMatchObject({ code: "interrupted" });

    await expectStayed();
  });
});

test("a server that boots a kernel finds it where it has moved to", async () => {
  const image = await test1.make("image", "kernel", {
    disk: { location: "/images/cirros.qcow2" },
    kernel: { location: "/images/vmlinuz" },
  });
  server = await test1.make("server", "direct", { ...world.server, flavor: pooled.id, image: image.id });

  await migrate();

  expect(await look()).toEqual({ ...settled, host: target() });
});

test.each([
  [{}, 2 * 800],
  [{ timeoutSeconds: 7 }, 7],
])("a move with %j may take %d s", async (input, limitSeconds) => {
  const large = await test1.make("flavor", "large", {
    ...{ vcpus: 1, ramMib: 1536, diskGib: 1 },
    storagePool: textOf(pooled.inputs, "storagePool"),
  });
  server = await test1.make("server", "large", { ...world.server, flavor: large.id });
  const held = test1.compute.hold("domains.migrate");
  const moving = migrate(input);
  await held.reached;

  expect((await cloud.find("server", server.id)).outputs["migration"]).toMatchObject({
    kind: "live",
    limitSeconds,
  });

  held.goOn();
  await moving;
});

test("a volume that is attached while its server moves is plugged in where that has moved to", async () => {
  const pool = await makeVolumePool();
  const held = test1.compute.hold("domains.migrate");
  const moving = migrate();
  await held.reached;
  const begun = Promise.withResolvers<undefined>();
  const type = await test1.make("volume-type", "data", { storagePool: pool });
  const volume = await test1.make("volume", "data", { volumeType: type.id, sizeGib: 1 });
  const onProgress = (line: string): void => {
    if (line.startsWith("plugging")) begun.resolve(undefined);
  };
  const attaching = test1.make(
    "volume-attachment",
    "data",
    { server: server.id, volume: volume.id },
    { onProgress },
  );
  await begun.promise;
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(test1.compute.calls.map(({ method }) => method)).not.toContain("domains.attachVolume");
  held.goOn();
  await moving;

  const there = world.hosts.find(({ inputs }) => inputs["name"] === target());
  expect((await attaching).outputs["hostId"]).toBe(there?.id);
  expect(domainOn(target())?.live?.volumes).toMatchObject([{ id: volume.id }]);
  expect((await cloud.drift()).findings).toEqual([]);
});

test("a volume that is taken from a server while it moves is unplugged where that has moved to", async () => {
  const volume = await attachData(await makeVolumePool());
  const attachment = await cloud.find("volume-attachment", "data");
  const held = test1.compute.hold("domains.migrate");
  const moving = migrate();
  await held.reached;
  const removing = cloud.remove("volume-attachment", attachment.id);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(test1.compute.calls.map(({ method }) => method)).not.toContain("domains.detachVolume");
  held.goOn();
  await moving;
  await removing;

  expect(domainOn(target())?.live?.volumes).toEqual([]);
  expect((await cloud.read("volume", volume.id))?.outputs["status"]).toBe("available");
  expect((await cloud.drift()).findings).toEqual([]);
});

test("a move waits for a volume that is being attached, and takes it along", async () => {
  const pool = await makeVolumePool();
  const held = test1.compute.hold("domains.attachVolume");
  const attaching = attachData(pool);
  await held.reached;
  const copied = test1.compute.hold("domains.copyFiles");
  const moving = migrate();
  await copied.reached;
  copied.goOn();
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(test1.compute.calls.map(({ method }) => method)).not.toContain("domains.migrate");
  held.goOn();
  const volume = await attaching;
  await moving;

  expect(domainOn(target())?.live?.volumes).toMatchObject([{ id: volume.id }]);
  expect((await cloud.drift()).findings).toEqual([]);
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

  const isFenced = (): boolean => domainOn(source())?.isFenced === true;
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
    // Until it is shut out, its host may still run the guest: room is held on both.
    const claims = (await test1.holdings()).filter(
      (line) => line.startsWith("claim ") && line.endsWith("VCPU"),
    );
    expect(claims).toHaveLength(2);

    await test1.make("server", "web", { ...world.server, flavor: pooled.id });

    expect(isFenced()).toBe(true);
    expect(await look()).toEqual({ ...settled, host: target() });
  });

  test("is evacuated to the host of the first try, whichever is named when it is tried again", async () => {
    const { inputs } = await cloud.find("ceph-cluster", "ceph");
    await test1.make("ceph-cluster", "ceph", { ...inputs, hosts: world.hosts.map(({ id }) => id) });
    lose();
    test1.compute.fail("ceph.fence", { code: "ceph-unreachable", times: 2 });
    await expect(evacuate({ host: target() })).rejects.toMatchObject({ code: "ceph-unreachable" });

    expect(await evacuate({ host: "h3" })).toMatchObject({ host: target() });
  });

  test("is not lost when its host answers with a failure", async () => {
    test1.compute.fail("domains.observe");
    await expect(evacuate()).rejects.toMatchObject({ code: "command-failed" });
    expect(isFenced()).toBe(false);
    expect(await look()).toEqual({ ...settled, host: source() });
  });

  test("is not built over a domain of it that is left on the other host", async () => {
    leaveCopy(target());
    lose();
    await expect(evacuate()).rejects.toMatchObject({ code: "conflict", field: "host", value: target() });
    expect(isFenced()).toBe(false);
  });

  test("shuts its host out of its volumes too, and nobody else out of those that are shared", async () => {
    const { id: cluster } = await cloud.find("ceph-cluster", "ceph");
    const { id: pool } = await test1.make("storage-pool", "volumes", { cluster, content: "volumes" });
    const type = await test1.make("volume-type", "shared", { storagePool: pool, multiattach: true });
    const shared = await test1.make("volume", "shared", { volumeType: type.id, sizeGib: 1 });
    const other = await test1.make("server", "other", { ...world.server, flavor: pooled.id });
    for (const { id } of [server, other])
      await test1.make("volume-attachment", id, { server: id, volume: shared.id });
    const own = await attachData(pool);
    const fenced: string[] = [];
    const fence = test1.compute.ceph.fence.bind(test1.compute.ceph);
    test1.compute.ceph.fence = (via, ceph, held, lost, signal) => {
      fenced.push(...held.map(({ volume, isShared }) => `${volume.id} ${isShared ? "shared" : "own"}`));
      return fence(via, ceph, held, lost, signal);
    };
    lose();

    await evacuate();

    expect(fenced.toSorted()).toEqual(
      [`${server.id} own`, `${own.id} own`, `${shared.id} shared`].toSorted(),
    );
    expect(
      test1.compute.withMachine(addressOf(textOf(other.outputs, "host")), ({ domains }) => domains[other.id]),
    ).not.toMatchObject({ isFenced: true });
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
