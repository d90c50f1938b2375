import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ResourceId } from "../../../providers/core/ids.ts";
import { deleteRecord, updateRecord } from "../../../providers/store/records.ts";
import type { LeftoverReport } from "../../../providers/core/cloud.ts";
import type { FakeVolume } from "../../fakes/volume.ts";
import { addCephs, cephInputs } from "../../support/ceph.ts";
import {
  addressOfHost,
  make,
  makeSmallWorld,
  TestCloud,
  textOf,
  type SmallWorld,
} from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1, 2);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

test("a build of another process that ends while hosts are asked is none", async () => {
  const other = await test1.open();
  const waitReady = vi.spyOn(test1.compute.domains, "waitReady");
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<undefined>();
  waitReady.mockImplementationOnce(() => mayGoOn);
  const building = make(other, "server", "web", world.server);
  await vi.waitFor(() => expect(waitReady).toHaveBeenCalled());
  vi.spyOn(test1.compute.leftovers, "list").mockImplementationOnce(async () => {
    goOn(undefined);
    await building;
    return [];
  });

  expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
});

test("a record that is whole by now is not removed", async () => {
  const { id } = await test1.make("server", "web", world.server);

  await test1.cloud.removeLeftover({ hostId: undefined, host: "-", kind: "record", id, description: "" });

  expect(await test1.cloud.find("server", "web")).toMatchObject({ id });
});

describe("with a host that cannot be reached", () => {
  beforeEach(async () => {
    const { id } = await test1.make("server", "web", world.server);
    const database = await test1.database();
    await database.transaction().execute((transaction) => deleteRecord(transaction, id));
  });

  test("what the other host has is listed, and the failure told", async () => {
    test1.compute.unreachable.add(addressOfHost(2));
    const { leftovers, failures } = await test1.cloud.listLeftovers();
    expect(new Set(leftovers.map(({ host }) => host))).toEqual(new Set(["h1"]));
    expect(failures).toMatchObject([{ host: "h2", error: { code: "host-unreachable" } }]);
  });

  test("what is on it is not listed as gone", async () => {
    test1.compute.unreachable.add(addressOfHost(1));
    expect(await test1.cloud.listLeftovers()).toMatchObject({ leftovers: [], failures: [{ host: "h1" }] });
  });

  test("a removal that was interrupted is listed from the store", async () => {
    const { id } = await test1.make("flavor", "late", { vcpus: 1, ramMib: 64 });
    await breakOff(id);
    test1.compute.unreachable.add(addressOfHost(1));
    expect(await test1.cloud.listLeftovers()).toMatchObject({
      leftovers: [
        { kind: "record", interruption: { resource: { type: "flavor", name: "late" }, was: "removal" } },
      ],
      failures: [{ host: "h1" }],
    });
  });

  test("an interruption is an error, and no failure of a host", async () => {
    const interruption = new AbortController();
    interruption.abort();
    await expect(test1.cloud.listLeftovers({ signal: interruption.signal })).rejects.toThrow();
  });
});

/** Makes a resource look as a run left it that was killed in its removal. */
async function breakOff(id: ResourceId): Promise<void> {
  const database = await test1.database();
  await database
    .updateTable("tasks")
    .set({ state: "running", kind: "remove", worker: "elsewhere/1/1", lease_until_ms: 0 })
    .where("record_id", "=", id)
    .execute();
  await database.transaction().execute(async (transaction) => {
    await updateRecord(transaction, id, { status: "deleting" }, new Date().toISOString());
  });
}

describe("volumes", () => {
  const unknown = "3b0c5a1e-0000-4000-8000-000000000001";
  const blank = (): FakeVolume => ({ sizeBytes: 1, bytes: {}, snapshots: {}, holders: [] });

  function describeLeftovers(report: LeftoverReport): readonly string[] {
    return report.leftovers.map(({ host, kind, id }) => `${host} ${kind} ${id}`).toSorted();
  }

  test("in files are left over without a record, whole or half-made", async () => {
    const half = unknown.replace(/1$/, "2");
    test1.compute.withMachine(addressOfHost(2), ({ volumes }) => {
      volumes[unknown] = { disk: blank() };
      volumes[half] = {};
    });
    const report = await test1.cloud.listLeftovers();
    expect(describeLeftovers(report)).toEqual([`h2 volume ${unknown}`, `h2 volume ${half}`]);
    for (const leftover of report.leftovers) await test1.cloud.removeLeftover(leftover);
    expect(test1.compute.withMachine(addressOfHost(2), ({ volumes }) => volumes)).toEqual({});
  });

  function ownCloudId(): string {
    return test1.compute.withMachine(addressOfHost(1), ({ enrolment }) => enrolment?.cloudId ?? "");
  }

  describe("in a pool", () => {
    let fsid: string;
    let clusterId: ResourceId;
    let serverId: ResourceId;

    function listImageNames(): readonly string[] {
      return test1.compute.withCeph(fsid, ({ pools }) => Object.keys(pools["vms"]?.images ?? {}).toSorted());
    }

    function put(name: string, id: string, cloudId: string = ownCloudId()): void {
      test1.compute.withCeph(fsid, ({ pools }) => {
        const pool = pools["vms"];
        if (pool === undefined) throw new Error("there is no pool");
        pool.images[name] = { ...blank(), ...(id === "" ? {} : { mark: { cloudId, id } }) };
      });
    }

    beforeEach(async () => {
      addCephs(test1.compute, test1.folder);
      const hosts = world.hosts.map(({ id }) => id);
      const inputs = { ...cephInputs("small", test1.folder, hosts[0]), hosts };
      fsid = textOf(inputs, "fsid");
      ({ id: clusterId } = await test1.make("ceph-cluster", "ceph", inputs));
      await test1.make("storage-pool", "vms", { cluster: clusterId, content: "vms" });
      ({ id: serverId } = await test1.make("server", "web", world.server));
    });

    test("are left over without a record, and told once, by the first of the cluster's clients", async () => {
      put(`${serverId}_disk`, serverId);
      put(`${unknown}_disk`, unknown);
      put(`volume-${unknown}`, unknown, "another");
      put(world.image.id, world.image.id);
      const report = await test1.cloud.listLeftovers();
      expect(describeLeftovers(report)).toEqual([`h1 rbd-image ${clusterId}/vms/${unknown}_disk`]);
      for (const leftover of [...report.leftovers, ...report.leftovers])
        await test1.cloud.removeLeftover(leftover);
      expect(listImageNames()).toEqual([`${serverId}_disk`, `volume-${unknown}`, world.image.id].toSorted());
    });

    test("that are half-made are left over when no task is at work on them", async () => {
      const names = [`${serverId}_disk`, world.image.id];
      for (const name of names) put(`${name}.${ownCloudId()}.part`, "");
      const { reached, goOn } = test1.compute.hold("domains.stop");
      const changing = test1.make("server", "web", { ...world.server, running: false });
      await reached;
      expect(describeLeftovers(await test1.cloud.listLeftovers())).toEqual([]);
      goOn();
      await changing;
      const report = await test1.cloud.listLeftovers();
      expect(describeLeftovers(report)).toEqual(
        names.map((name) => `h1 rbd-image ${clusterId}/vms/${name}.part`).toSorted(),
      );
    });

    test("are not removed once a record owns them", async () => {
      put(`${unknown}_disk`, unknown);
      const [leftover] = (await test1.cloud.listLeftovers()).leftovers;
      if (leftover === undefined) throw new Error("nothing is left over");
      put(`${unknown}_disk`, serverId);
      await test1.cloud.removeLeftover(leftover);
      expect(listImageNames()).toEqual([`${unknown}_disk`]);
    });

    test("of a cluster that does not answer are a failure, and what is on the hosts is told", async () => {
      test1.compute.withMachine(addressOfHost(1), ({ volumes }) => {
        volumes[unknown] = { disk: blank() };
      });
      test1.compute.withCeph(fsid, (ceph) => {
        ceph.isDown = true;
      });
      const report = await test1.cloud.listLeftovers();
      expect(describeLeftovers(report)).toEqual([`h1 volume ${unknown}`]);
      expect(report.failures).toMatchObject([{ host: "h1", error: { code: "ceph-unreachable" } }]);
    });

    test("that the cluster has no more hold nothing", async () => {
      test1.compute.withCeph(fsid, ({ pools }) => {
        Reflect.deleteProperty(pools, "vms");
      });
      expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
    });

    test("what a client has is left over where its cluster has no record, or does not name the host", async () => {
      const hosts = world.hosts.slice(0, 1).map(({ id }) => id);
      const kept = test1.compute.withMachine(addressOfHost(2), ({ cephClients }) => cephClients[clusterId]);
      if (kept === undefined) throw new Error("h2 is no client");
      await test1.make("ceph-cluster", "ceph", { ...cephInputs("small", test1.folder, hosts[0]), hosts });
      for (const id of [clusterId, unknown])
        test1.compute.withMachine(addressOfHost(2), ({ cephClients }) => {
          cephClients[id] = kept;
        });
      const report = await test1.cloud.listLeftovers();
      expect(describeLeftovers(report)).toEqual(
        [clusterId, unknown].map((id) => `h2 ceph-client ${id}`).toSorted(),
      );
      for (const leftover of report.leftovers) await test1.cloud.removeLeftover(leftover);
      expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
    });
  });
});
