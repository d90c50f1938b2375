import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DriftFinding, ResourceView } from "../../../providers/core/cloud.ts";
import { updateRecord } from "../../../providers/store/records.ts";
import type { Meddling } from "../../fakes/meddling.ts";
import { smallFsid } from "../../support/ceph.ts";
import {
  addressOfHost,
  makeFullWorld,
  makeSmallWorld,
  nameOfHost,
  TestCloud,
  textOf,
  type SmallWorld,
} from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;
let web: ResourceView;
let db: ResourceView;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1, 2);
  web = await test1.make("server", "web", { ...world.server, serverGroup: world.group.id });
  db = await test1.make("server", "db", { ...world.server, serverGroup: world.group.id });
  test1.compute.calls.length = 0;
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** Address of a server's host. */
function hostOf(server: ResourceView): string {
  return `${textOf(server.outputs, "host")}.test`;
}

/** Resource, field, label of each finding. */
function summarize(findings: readonly DriftFinding[]): readonly string[] {
  return findings.map(({ resource, field, label }) => `${resource.name} ${field} ${label ?? "stays"}`);
}

async function findings(): Promise<readonly string[]> {
  return summarize((await test1.cloud.drift()).findings);
}

test("what is as declared has no drift, and each host is asked once", async () => {
  const report = await test1.cloud.drift();
  expect(report).toMatchObject({ inWork: 0, findings: [], failures: [] });
  expect(test1.compute.calls).toEqual([
    { method: "scan.ask", at: addressOfHost(1) },
    { method: "scan.ask", at: addressOfHost(2) },
  ]);
});

test("volumes, snapshots and root disks, in files and in pools, are asked for together with their host", async () => {
  await using full = await TestCloud.open();
  const { volume, hosts, server, clonedFlavor } = await makeFullWorld(full);
  const { id: volumeType } = await full.make("volume-type", "files");
  await full.make("volume", "file", { volumeType, host: hosts[0]?.id ?? "", sizeGib: 1 });
  await full.make("snapshot", "kept", { volume: volume.id });
  const inputs = { ...server, flavor: clonedFlavor.id, networks: [] };
  const cloned = await full.make("server", "cloned", inputs);
  full.compute.calls.length = 0;

  expect(await full.cloud.drift()).toMatchObject({ findings: [], failures: [] });

  const ofCluster = ["ceph.inspect", "ceph.observePool"];
  const { calls } = full.compute;
  expect(calls.filter(({ method }) => !ofCluster.includes(method))).toEqual([
    { method: "scan.ask", at: addressOfHost(1) },
  ]);
  full.compute.withCeph(smallFsid, ({ pools }) => {
    for (const { images } of Object.values(pools)) {
      Reflect.deleteProperty(images, `${cloned.id}_disk`);
      Reflect.deleteProperty(images, `volume-${volume.id}`);
    }
  });
  expect(summarize((await full.cloud.drift()).findings).toSorted()).toEqual([
    "cloned disk data-loss",
    "data volume data-loss",
    "kept snapshot data-loss",
  ]);
});

const portOf = (server: ResourceView) =>
  String((server.outputs["interfaces"] as readonly { readonly port: string }[])[0]?.port);

test.each<readonly [Meddling, readonly string[]]>([
  ["stop", ["web running live"]],
  ["pause", ["web running live"]],
  ["undefine", ["web domain live"]],
  ["forget its definition", ["web definition live"]],
  ["take a processor", ["web vcpus restart"]],
  ["take memory", ["web ramMib restart"]],
  ["grow the disk", ["web diskBytes live"]],
  ["replace the disk", ["web disk stays"]],
  ["remove the disk", ["web disk data-loss"]],
  ["detach an interface", ["web interfaces restart"]],
  ["retag its ports", ["web ports.PORT.device live"]],
  ["remove its ports", ["web ports.PORT.device live"]],
])("%s: the scan and the read alone find the same", async (how, expected) => {
  test1.compute.meddle(hostOf(web), web.id, how);
  const found = (await test1.cloud.drift()).findings;
  expect(summarize(found).map((line) => line.replace(portOf(web), "PORT"))).toEqual(expected);
  const alone = await test1.cloud.read("server", web.id);
  expect(found).toEqual(alone?.drift.map((drift) => expect.objectContaining({ ...drift }) as unknown));
});

test.each<Meddling>([
  "stop",
  "pause",
  "undefine",
  "forget its definition",
  "take a processor",
  "take memory",
  "grow the disk",
  "remove the disk",
  "detach an interface",
  "retag its ports",
  "remove its ports",
])("%s: the next apply leaves no drift", async (how) => {
  test1.compute.meddle(hostOf(web), web.id, how);
  await test1.make("server", "web", { ...world.server, serverGroup: world.group.id });
  expect(await findings()).toEqual([]);
});

test.each<readonly [Meddling, string]>([
  ["pause", "same"],
  ["grow the disk", "same"],
  ["forget its definition", "same"],
  ["take memory", "other"],
])("%s: the server runs on in the %s process, as its label says", async (how, process) => {
  const before = test1.compute.processOf(web.id);
  test1.compute.meddle(hostOf(web), web.id, how);
  await test1.make("server", "web", { ...world.server, serverGroup: world.group.id });
  const after = test1.compute.processOf(web.id);
  expect(after === before ? "same" : "other").toBe(process);
});

test("a replaced disk is kept by the next apply, and still told", async () => {
  test1.compute.meddle(hostOf(web), web.id, "replace the disk");
  await test1.make("server", "web", { ...world.server, serverGroup: world.group.id });
  expect(await findings()).toEqual(["web disk stays"]);
});

test("a DHCP server that was killed is found with each server that it serves, and started by the next apply", async () => {
  test1.compute.meddle(hostOf(web), world.network.id, "kill its DHCP server");
  expect(await findings()).toEqual(["web dhcp.server live"]);
  await test1.make("server", "web", { ...world.server, serverGroup: world.group.id });
  expect(await findings()).toEqual([]);
});

test("an image that was altered on a host is the image's drift there, and either's apply brings it anew", async () => {
  test1.compute.meddle(hostOf(web), world.image.id, "alter its files");
  const [found] = (await test1.cloud.drift()).findings;
  expect(found).toMatchObject({
    resource: { type: "image" },
    host: web.outputs["host"],
    field: "cache.disk",
  });
  await test1.make("image", "cirros", { disk: { location: "/images/cirros.qcow2" } });
  expect(await findings()).toEqual([]);
});

test("a foreign domain in a server's place is drift at which the apply stops", async () => {
  test1.compute.meddle(hostOf(web), web.id, "undefine");
  test1.compute.meddle(hostOf(web), web.id, "define a foreign domain");
  const [found] = (await test1.cloud.drift()).findings;
  expect(found).toMatchObject({ resource: { name: "web" }, field: "domain", expected: "this cloud's own" });
  expect(found?.repair).toMatch(/^stops, and leaves it/);
  await expect(
    test1.make("server", "web", { ...world.server, serverGroup: world.group.id }),
  ).rejects.toMatchObject({ code: "not-ours" });
});

test("a host that cannot be reached is a failure with its resources, and the other's findings are there", async () => {
  test1.compute.meddle(hostOf(web), web.id, "stop");
  test1.compute.unreachable.add(hostOf(db));
  const report = await test1.cloud.drift();
  expect(summarize(report.findings)).toEqual(["web running live"]);
  expect(report.failures).toMatchObject([
    {
      host: db.outputs["host"],
      error: { code: "host-unreachable" },
      resources: expect.arrayContaining([expect.objectContaining({ name: "db" })]) as unknown,
    },
  ]);
});

test("findings come host by host", async () => {
  for (const server of [web, db]) {
    test1.compute.meddle(hostOf(server), server.id, "stop");
    test1.compute.meddle(hostOf(server), world.image.id, "alter its files");
  }
  const hosts = (await test1.cloud.drift()).findings.map(({ host }) => host);
  expect(hosts).toEqual([nameOfHost(1), nameOfHost(1), nameOfHost(2), nameOfHost(2)]);
});

test.each([true, false])("a look that is deep: %j asks hosts of images so", async (deep) => {
  const ask = vi.spyOn(test1.compute.scan, "ask");
  await test1.cloud.drift({ deep });
  expect(ask.mock.lastCall?.[1].images).toMatchObject([{ deep }]);
});

test("a look that is given up is an error, and no report", async () => {
  await expect(test1.cloud.drift({ signal: AbortSignal.abort() })).rejects.toThrow();
});

test("who asks hears which hosts are waited for", async () => {
  const heard: (readonly string[])[] = [];
  const held = test1.compute.hold("scan.ask");
  const asking = test1.cloud.drift({ onWaiting: (hosts) => heard.push(hosts) });
  await vi.waitFor(() => expect(heard).toEqual([["h1", "h2"], ["h1"]]));
  held.goOn();
  await asking;
  expect(heard).toHaveLength(2);
});

test("what a task is at work on is left out", async () => {
  const held = test1.compute.hold("domains.spawn");
  const building = test1.make("server", "late", world.server);
  await held.reached;
  expect(await test1.cloud.drift()).toMatchObject({ inWork: 1, interrupted: [], findings: [] });
  held.goOn();
  await building;
});

test("a server that is not wired yet is no drift of its neighbour", async () => {
  const held = test1.compute.hold("switching.ensureNetwork");
  const building = test1.make("server", "late", world.server);
  await held.reached;
  expect(await findings()).toEqual([]);
  held.goOn();
  await building;
});

test("a server that is not wired yet is no drift at the other end of its network", async () => {
  await test1.cloud.remove("server", db.id);
  const held = test1.compute.hold("switching.ensureNetwork");
  const building = test1.make("server", "late", { ...world.server, serverGroup: world.group.id });
  await held.reached;
  expect(await findings()).toEqual([]);
  held.goOn();
  await building;
});

test("a DHCP entry that is gone is the drift of its own server, and of no neighbour", async () => {
  const late = await test1.make("server", "late", world.server);
  const neighbour = `${world.network.id}/${portOf(late)}`;
  test1.compute.meddle(hostOf(late), neighbour, "remove its DHCP entry");
  expect(await findings()).toEqual([`late ports.${portOf(late)}.entry live`]);
});

describe("a change that was broken off", () => {
  beforeEach(async () => {
    const database = await test1.database();
    await database
      .updateTable("tasks")
      .set({ state: "running", worker: "elsewhere/1/1", lease_until_ms: 0 })
      .where("record_id", "=", web.id)
      .execute();
    await database.transaction().execute(async (transaction) => {
      await updateRecord(transaction, web.id, { status: "building" }, new Date().toISOString());
    });
  });

  test("is named, and nothing is said to be at work on it", async () => {
    expect(await test1.cloud.drift()).toMatchObject({
      inWork: 0,
      interrupted: [{ resource: { type: "server", id: web.id, name: "web" }, was: "change" }],
      findings: [],
    });
  });

  test("is named to whoever asks for the resource alone, and to nobody for another", async () => {
    const [asked, other] = await Promise.all([
      test1.cloud.drift({ resource: { type: "server", id: web.id } }),
      test1.cloud.drift({ resource: { type: "server", id: db.id } }),
    ]);
    expect([asked.interrupted.length, other.interrupted.length]).toEqual([1, 0]);
  });

  test("is not told to members of other projects", async () => {
    const project = await test1.make("project", "other");
    const member = await test1.logIn("eve", "member", project.id);
    expect((await member.drift()).interrupted).toEqual([]);
  });
});

describe("a member", () => {
  test("sees drift of its own project's resources only, and asks only their hosts", async () => {
    const project = await test1.make("project", "other");
    const member = await test1.logIn("eve", "member", project.id);
    test1.compute.meddle(hostOf(web), web.id, "stop");
    test1.compute.calls.length = 0;
    expect(await member.drift()).toMatchObject({ checked: 0, findings: [] });
    expect(test1.compute.calls).toEqual([]);
  });

  test("may not ask for one of another project", async () => {
    const project = await test1.make("project", "other");
    const member = await test1.logIn("eve", "member", project.id);
    await expect(member.drift({ resource: { type: "server", id: web.id } })).rejects.toMatchObject({
      code: "forbidden",
    });
  });
});

test("one resource is looked at alone", async () => {
  test1.compute.meddle(hostOf(web), web.id, "stop");
  const report = await test1.cloud.drift({ resource: { type: "server", id: db.id } });
  expect(report).toMatchObject({ checked: 1, findings: [] });
});
