import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import { addressOfHost, hostInputs, makeFullWorld, TestCloud, type FullWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: FullWorld;
let server: ResourceView;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeFullWorld(test1);
  server = await test1.make("server", "web", { ...world.server, networks: [] });
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

function makeVolume(name: string, inputs: JsonObject = {}): Promise<ResourceView> {
  return test1.make("volume", name, { volumeType: world.volumeType.id, sizeGib: 1, ...inputs });
}

function attach(name: string, volume: ResourceView, inputs: JsonObject = {}): Promise<ResourceView> {
  return test1.make("volume-attachment", name, { server: server.id, volume: volume.id, ...inputs });
}

/** Inputs of a server that boots the volume. */
function bootInputs(volume: ResourceView): JsonObject {
  return { ...world.server, image: undefined, networks: [], bootVolume: { volume: volume.id } };
}

/** `DEVICE VOLUME` of what the running guest has. */
function plugged(of = server): readonly string[] {
  const found = test1.compute.withMachine(addressOfHost(1), ({ domains }) => domains[of.id]);
  return (found?.live?.volumes ?? []).map(({ device, id }) => `${device} ${id}`).toSorted();
}

async function statusOf(volume: ResourceView): Promise<unknown> {
  return (await test1.cloud.read("volume", volume.id))?.outputs["status"];
}

describe("an attachment", () => {
  test("plugs its volume into the running server, under a device that stays, and out again", async () => {
    const processId = test1.compute.processOf(server.id);
    const one = await makeVolume("one");
    const two = await makeVolume("two");
    const first = await attach("first", one);
    const second = await attach("second", two);

    expect([first, second].map(({ inputs }) => inputs["device"])).toEqual(["vdb", "vdc"]);
    expect(first.outputs["guestPath"]).toBe(`/dev/disk/by-id/virtio-${one.id.slice(0, 20)}`);
    expect(plugged()).toEqual([`vdb ${one.id}`, `vdc ${two.id}`]);
    expect(await statusOf(one)).toBe("in-use");

    await test1.cloud.remove("volume-attachment", first.id);
    expect(plugged()).toEqual([`vdc ${two.id}`]);
    expect(await statusOf(one)).toBe("available");
    const third = await attach("third", one);
    expect(third.inputs["device"]).toBe("vdb");
    expect(test1.compute.processOf(server.id)).toBe(processId);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("survives what is done to its server: a power cycle, another flavor, a definition that was lost", async () => {
    const volume = await makeVolume("data");
    await attach("data", volume);
    const large = await test1.make("flavor", "large", { vcpus: 2, ramMib: 512, diskGib: 1 });
    server = await test1.make("server", "web", { ...world.server, networks: [], flavor: large.id });
    expect(plugged()).toEqual([`vdb ${volume.id}`]);
    server = await test1.make("server", "web", { ...world.server, networks: [], running: false });
    server = await test1.make("server", "web", { ...world.server, networks: [] });
    expect(plugged()).toEqual([`vdb ${volume.id}`]);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("keeps its server and its volume from being removed", async () => {
    const volume = await makeVolume("data");
    await attach("data", volume);
    await expect(test1.cloud.remove("volume", volume.id)).rejects.toMatchObject({ code: "in-use" });
    await expect(test1.cloud.remove("server", server.id)).rejects.toMatchObject({ code: "in-use" });
  });

  test("of a volume that another server has, or boots, is refused; of two at once one wins", async () => {
    const volume = await makeVolume("data");
    const other = await test1.make("server", "other", { ...world.server, networks: [] });
    const results = await Promise.allSettled([
      attach("first", volume),
      attach("second", volume, { server: other.id }),
    ]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const [lost] = results.filter((result) => result.status === "rejected");
    expect(lost?.reason).toMatchObject({ code: "conflict", field: "volume" });
    expect([...plugged(), ...plugged(other)]).toEqual([`vdb ${volume.id}`]);

    const system = await makeVolume("system", { image: world.image.id });
    await test1.make("server", "db", bootInputs(system));
    await expect(attach("third", system)).rejects.toMatchObject({ code: "conflict", field: "volume" });
  });

  test("is shared by servers only where the volume's type says so", async () => {
    const other = await test1.make("server", "other", { ...world.server, networks: [] });
    const mine = await makeVolume("mine");
    await expect(attach("mine", mine, { shared: true })).rejects.toMatchObject({ field: "shared" });

    const type = await test1.make("volume-type", "shared", { storagePool: world.pool.id, multiattach: true });
    const ours = await makeVolume("ours", { volumeType: type.id });
    await attach("first", ours);
    await attach("second", ours, { server: other.id, readOnly: true });
    expect([...plugged(), ...plugged(other)]).toEqual([`vdb ${ours.id}`, `vdb ${ours.id}`]);
    await expect(attach("third", ours)).rejects.toMatchObject({ code: "conflict" });
  });

  test("takes a device of its own, and no two take one", async () => {
    const one = await makeVolume("one");
    const two = await makeVolume("two");
    await attach("first", one, { device: "vdm" });
    await expect(attach("second", two, { device: "vdm" })).rejects.toMatchObject({
      code: "conflict",
      field: "device",
    });
    await expect(attach("second", two, { device: "vda" })).rejects.toMatchObject({ field: "device" });
  });

  test("of a file goes to a server on its host, and no other", async () => {
    const type = await test1.make("volume-type", "files", {});
    test1.compute.addMachine(addressOfHost(2), { ramMib: 1_000_000 });
    const { id: host } = await test1.make("host", "h2", hostInputs(2));
    const [first] = world.hosts;
    const here = await makeVolume("here", { volumeType: type.id, host: first?.id ?? "" });
    const there = await makeVolume("there", { volumeType: type.id, host });
    await attach("here", here);
    expect(plugged()).toEqual([`vdb ${here.id}`]);
    await expect(attach("there", there)).rejects.toThrow("lies in a file on h2, and the server is on h1");
  });

  test("whose guest does not let go stays, with its volume, until it does", async () => {
    const volume = await makeVolume("data");
    const { id } = await attach("data", volume, { timeouts: { detach: 1 } });
    test1.compute.meddle(addressOfHost(1), server.id, "hold its volumes");

    await expect(test1.cloud.remove("volume-attachment", id)).rejects.toMatchObject({ code: "in-use" });
    expect(plugged()).toEqual([`vdb ${volume.id}`]);
    expect(await statusOf(volume)).toBe("in-use");
    server = await test1.make("server", "web", { ...world.server, networks: [], waitFor: "running" });
    expect(plugged()).toEqual([`vdb ${volume.id}`]);
  });

  test("that was pulled out by hand is drift of its server, and the next apply plugs it in again", async () => {
    const volume = await makeVolume("data");
    await attach("data", volume);
    test1.compute.meddle(addressOfHost(1), `${server.id}/vdb`, "detach the volume");
    expect((await test1.cloud.drift()).findings).toMatchObject([
      { resource: { name: "web" }, field: "volumes", label: "live" },
    ]);
    const process = test1.compute.processOf(server.id);

    server = await test1.make("server", "web", { ...world.server, networks: [] });

    expect(plugged()).toEqual([`vdb ${volume.id}`]);
    expect(test1.compute.processOf(server.id)).toBe(process);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });
});

describe("a server that boots a volume", () => {
  test("leaves it behind, with what was written, for the server after it", async () => {
    const system = await makeVolume("system", { image: world.image.id });
    const db = await test1.make("server", "db", bootInputs(system));
    expect(db.outputs).toMatchObject({
      status: "ACTIVE",
      blockDevices: [{ device: "vda", source: "volume", destination: "volume", sizeGib: 1 }],
    });
    expect(await statusOf(system)).toBe("in-use");
    await test1.cloud.remove("server", db.id);
    expect(await statusOf(system)).toBe("available");
    await test1.make("server", "next", bootInputs(system));
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("boots an image or a volume, never both and never neither", async () => {
    const system = await makeVolume("system");
    const both = { ...bootInputs(system), image: world.image.id };
    await expect(test1.make("server", "both", both)).rejects.toMatchObject({ field: "image" });
    const neither = { ...bootInputs(system), bootVolume: undefined };
    await expect(test1.make("server", "none", neither)).rejects.toMatchObject({ field: "image" });
  });

  test("grows as its volume does, and is told", async () => {
    const system = await makeVolume("system", { image: world.image.id });
    await test1.make("server", "db", bootInputs(system));
    const grown = await makeVolume("system", { image: world.image.id, sizeGib: 3 });
    expect(grown).toMatchObject({ id: system.id, outputs: { sizeGib: 3 } });
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("is placed where its volume is", async () => {
    const type = await test1.make("volume-type", "files", {});
    test1.compute.addMachine(addressOfHost(2), { ramMib: 1_000_000 });
    await test1.make("host", "h2", hostInputs(2));
    const [first] = world.hosts;
    const system = await makeVolume("system", {
      volumeType: type.id,
      host: first?.id ?? "",
      image: world.image.id,
    });
    const db = await test1.make("server", "db", bootInputs(system));
    expect(db.outputs).toMatchObject({ host: "h1" });
  });
});
