import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nameCephUser, type CephRole } from "../../providers/compute/marks.ts";
import type { CephCluster, CephPool, CephPort, FencedDisk } from "../../providers/core/ceph.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost, MarkedThing } from "../../providers/core/ports.ts";
import type { ComputePorts } from "../../providers/wiring.ts";
import type { ClientMeddling } from "../fakes/ceph-client.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;

/** A host, and a Ceph cluster that it reaches and nobody else has set up. */
export interface CephStage {
  readonly compute: Omit<ComputePorts, "close">;
  readonly host: ComputeHost;
  readonly cluster: CephCluster;
  /** File with a key of the cluster's user that is not the right one. */
  readonly wrongKeyringFile: string;
  /** A monitor that does not answer. */
  readonly deafMonitor: string;
  /** All that is on cluster and host of pools, users and the client, as text. */
  survey(): Promise<string>;
  /** Makes a pool as somebody else would. */
  makePool(name: string): Promise<void>;
  putImage(pool: string, name: string): Promise<void>;
  /** Moves an image into the pool's trash. */
  throwImageAway(pool: string, name: string): Promise<void>;
  emptyTrash(pool: string): Promise<void>;
  forbidDeletion(isForbidden: boolean): Promise<void>;
  /** Whether a user can do this on the host, by the files that are there. */
  tryOut(role: CephRole, action: "list" | "write", pool: string): Promise<boolean>;
  meddle(how: ClientMeddling): Promise<void>;
  /** Gives a user another key, and another one the next time. */
  renewKey(role: CephRole): Promise<void>;
  /** Defines a domain on the host that uses the secret, or takes it away. */
  useSecret(isUsed: boolean): Promise<void>;
  /** Keys of the cluster's user and of the cloud's. */
  keys(): Promise<readonly string[]>;
  /** All commands that were run on the host, and all arguments of processes seen there, as text. */
  transcript(): Promise<string>;
  close(): Promise<void>;
}

function poolOf(
  pool: string,
  content: CephPool["content"],
  more: Partial<Pick<CephPool, "size" | "pgCount">> = {},
): CephPool {
  return {
    id: deriveId<"resource">("pool", pool),
    pool,
    content,
    size: undefined,
    pgCount: undefined,
    ...more,
  };
}

const images = poolOf("images", "images");
const volumes = poolOf("volumes", "volumes");
const vms = poolOf("vms", "vms");
const roles = ["glance", "cinder", "libvirt"] as const;

/** What every implementation of the port to Ceph does. Its tests follow each other. */
export function describeCephPort(name: string, open: () => Promise<CephStage>): void {
  describe(name, () => {
    let stage: CephStage;
    let ceph: CephPort;
    let host: ComputeHost;
    let cluster: CephCluster;

    beforeAll(async () => {
      stage = await open();
      ({ host, cluster } = stage);
      ({ ceph } = stage.compute);
    });

    afterAll(async () => {
      await stage.close();
    });

    test("a cluster tells its version and health", async () => {
      expect(await ceph.inspect(host, cluster, signal)).toEqual({
        version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
        health: expect.stringMatching(/^HEALTH_(OK|WARN)$/) as string,
        osds: 1,
      });
    });

    test("a host without Ceph's tools is told what it lacks where packages are required, and is asked for nothing where it has all", async () => {
      await ceph.ensureTools(host, silent, signal);
      await stage.meddle("hide a tool");
      await expect(ceph.ensureTools(host, silent, signal)).rejects.toMatchObject({
        code: "host-unsuitable",
        message: `Host ${host.name} cannot be a client of a Ceph cluster: ceph-common missing`,
      });
      await stage.meddle("give the tool back");
      await ceph.ensureTools(host, silent, signal);
    });

    test("a wrong key, a wrong fsid, a deaf monitor and a missing keyring each name their field", async () => {
      const inspect = (wrong: Partial<CephCluster>) => ceph.inspect(host, { ...cluster, ...wrong }, signal);
      const fsid = deriveId<"resource">("another cluster");
      await expect(inspect({ keyringFile: stage.wrongKeyringFile })).rejects.toMatchObject({
        code: "ceph-refused",
        field: "keyringFile",
      });
      await expect(inspect({ fsid })).rejects.toMatchObject({
        code: "conflict",
        field: "fsid",
        value: fsid,
        message: expect.stringContaining(cluster.fsid) as string,
      });
      await expect(inspect({ monitors: [stage.deafMonitor] })).rejects.toMatchObject({
        code: "ceph-unreachable",
        field: "monitors",
      });
      await expect(inspect({ keyringFile: "/nowhere/keyring" })).rejects.toMatchObject({
        code: "invalid-input",
        field: "keyringFile",
      });
    });

    test("a dry run makes no pool, no user and no client", async () => {
      const before = await stage.survey();
      const run = await stage.compute.dryRun();
      await run.ports.ceph.inspect(host, cluster, signal);
      await run.ports.ceph.ensurePool(host, cluster, volumes, signal);
      await run.ports.ceph.ensureUsers(host, cluster, [volumes], signal);
      await run.ports.ceph.ensureClient(host, host, cluster, signal);
      expect(run.commands.length).toBeGreaterThanOrEqual(3);
      expect(await stage.survey()).toBe(before);
    });

    test("a pool is made, and made again is as it was", async () => {
      expect(await ceph.observePool(host, cluster, volumes, signal)).toBeUndefined();
      for (const pool of [images, volumes, vms]) await ceph.ensurePool(host, cluster, pool, signal);
      const made = await stage.survey();
      await ceph.ensurePool(host, cluster, volumes, signal);
      expect(await stage.survey()).toBe(made);
      expect(await ceph.observePool(host, cluster, volumes, signal)).toMatchObject({ images: 0, drift: [] });
    });

    test("of a disk that nobody has open nobody is shut out, and one that is not there is an error", async () => {
      const diskOf = (name: string): FencedDisk => ({
        volume: {
          place: {
            backend: "rbd",
            clusterId: cluster.id,
            monitors: cluster.monitors,
            pool: vms.pool,
            content: "vms",
          },
          id: deriveId<"resource">(name),
          name,
        },
        isShared: false,
      });
      await stage.putImage(vms.pool, "lost");
      expect(await ceph.fence(host, cluster, [], host.id, signal)).toEqual([]);
      expect(await ceph.fence(host, cluster, [diskOf("lost")], host.id, signal)).toEqual([]);
      await expect(ceph.fence(host, cluster, [diskOf("nowhere")], host.id, signal)).rejects.toMatchObject({
        code: "not-found",
      });
      await stage.throwImageAway(vms.pool, "lost");
      await stage.emptyTrash(vms.pool);
    });

    test("a pool of somebody else, of another resource or another cloud is left alone", async () => {
      await stage.makePool("legacy");
      const before = await stage.survey();
      const legacy = poolOf("legacy", "volumes");
      const twin = { ...volumes, id: deriveId<"resource">("another pool") };
      const other = { ...cluster, cloudId: deriveId<"cloud">("another") };
      for (const [asked, pool] of [
        [cluster, legacy],
        [cluster, twin],
        [other, volumes],
      ] as const)
        for (const method of ["ensurePool", "observePool", "removePool"] as const)
          await expect(ceph[method](host, asked, pool, signal)).rejects.toMatchObject({
            code: "not-ours",
            field: "pool",
          });
      expect(await stage.survey()).toBe(before);
    });

    test("a pool is brought to another size, and back to one copy", async () => {
      const larger = { ...volumes, size: 2, pgCount: 16 };
      const { drift } = (await ceph.observePool(host, cluster, larger, signal)) ?? {};
      expect(drift).toMatchObject([
        { field: "size", expected: "2" },
        { field: "pgCount", expected: "16" },
      ]);
      await ceph.ensurePool(host, cluster, larger, signal);
      expect(await ceph.observePool(host, cluster, larger, signal)).toMatchObject({
        size: 2,
        pgCount: 16,
        drift: [],
      });
      await ceph.ensurePool(host, cluster, { ...volumes, size: 1 }, signal);
      expect(await ceph.observePool(host, cluster, volumes, signal)).toMatchObject({ size: 1, pgCount: 16 });
    });

    test("a client needs the cloud's users", async () => {
      await expect(ceph.ensureClient(host, host, cluster, signal)).rejects.toMatchObject({
        code: "not-found",
      });
    });

    test("a host without a client has all of it missing", async () => {
      const drift = await ceph.observeClient(host, cluster, signal);
      expect(drift.map(({ field, found, label }) => [field, found, label])).toEqual(
        ["ceph.conf", ...roles.map((role) => keyringOf(role)), "mark", "secret"].map((part) => [
          `client.${part}`,
          "missing",
          "live",
        ]),
      );
    });

    test("on a client each user can do what its role takes, and no more", async () => {
      await ceph.ensureUsers(host, cluster, [images, volumes, vms], signal);
      await ceph.ensureClient(host, host, cluster, signal);
      expect(await ceph.observeClient(host, cluster, signal)).toEqual([]);
      await stage.putImage("images", "base");
      expect(await tryAllOut()).toEqual({
        glance: { images: ["list", "write"], volumes: [], vms: [], legacy: [] },
        cinder: {
          images: ["list"],
          volumes: ["list", "write"],
          vms: ["list", "write"],
          legacy: [],
        },
        libvirt: {
          images: ["list"],
          volumes: ["list", "write"],
          vms: ["list", "write"],
          legacy: [],
        },
      });
    });

    test("a user loses what a pool that is gone had given, and all without pools", async () => {
      await ceph.ensureUsers(host, cluster, [images], signal);
      expect(await tryAllOut()).toMatchObject({
        glance: { images: ["list", "write"] },
        cinder: { images: ["list"], volumes: [], vms: [] },
      });
      await ceph.ensureUsers(host, cluster, [], signal);
      const nothing = { images: [], volumes: [], vms: [], legacy: [] };
      expect(await tryAllOut()).toEqual({
        glance: nothing,
        cinder: nothing,
        libvirt: nothing,
      });
      await ceph.ensureUsers(host, cluster, [images, volumes, vms], signal);
    });

    test("set up again, users keep their keys and the client stays as it is", async () => {
      const [before, keys] = [await stage.survey(), await stage.keys()];
      await ceph.ensureUsers(host, cluster, [images, volumes, vms], signal);
      await ceph.ensureClient(host, host, cluster, signal);
      expect(await stage.keys()).toEqual(keys);
      expect(await stage.survey()).toBe(before);
    });

    test.each([
      ["remove the conf", "ceph.conf", "missing"],
      ["alter the conf", "ceph.conf", "altered"],
      ["remove a keyring", keyringOf("cinder"), "missing"],
      ["alter a keyring", keyringOf("cinder"), "altered"],
      ["open a keyring", `${keyringOf("cinder")}.mode`, "644, owner 0"],
      ["remove the mark", "mark", "missing"],
      ["undefine the secret", "secret", "missing"],
    ] as const)("to %s is drift of the client, and is put right", async (how, part, found) => {
      await stage.meddle(how);
      const drift = await ceph.observeClient(host, cluster, signal);
      expect(drift).toMatchObject([{ field: `client.${part}`, found, label: "live" }]);
      await ceph.ensureClient(host, host, cluster, signal);
      expect(await ceph.observeClient(host, cluster, signal)).toEqual([]);
      expect(await stage.tryOut("cinder", "write", "volumes")).toBe(true);
    });

    test("another address of a monitor is drift of the client", async () => {
      const moved = {
        ...cluster,
        monitors: [...cluster.monitors, stage.deafMonitor],
      };
      expect(await ceph.observeClient(host, moved, signal)).toMatchObject([
        { field: "client.ceph.conf", found: "altered" },
      ]);
    });

    test("a scan finds the same as a look at the client alone", async () => {
      const other = { ...cluster, id: deriveId<"resource">("another cluster") };
      const answers = await stage.compute.scan.ask(
        host.address,
        {
          enrolments: [],
          domains: [],
          networks: [],
          images: [],
          cephClients: [cluster, other].map((asked) => ({
            host,
            cluster: asked,
          })),
          volumes: [],
        },
        signal,
      );
      expect(answers.cephClients).toEqual([
        { value: [] },
        { value: await ceph.observeClient(host, other, signal) },
      ]);
    });

    test("a key that was renewed in the cluster is brought to the host", async () => {
      await stage.renewKey("cinder");
      expect(await stage.tryOut("cinder", "list", "volumes")).toBe(false);
      await ceph.ensureClient(host, host, cluster, signal);
      expect(await stage.tryOut("cinder", "list", "volumes")).toBe(true);
    });

    test("a dry run over what is right notes no change to pool or client", async () => {
      const before = await stage.survey();
      const { ports, commands } = await stage.compute.dryRun();
      await ports.ceph.ensurePool(host, cluster, volumes, signal);
      await ports.ceph.ensureClient(host, host, cluster, signal);
      expect(commands.filter(({ purpose }) => !purpose.startsWith("ask for the keys"))).toEqual([]);
      expect(await stage.survey()).toBe(before);
    });

    test("no key was in a command or an argument", async () => {
      const [transcript, keys] = [await stage.transcript(), await stage.keys()];
      expect(keys).toHaveLength(4);
      expect(keys.filter((key) => transcript.includes(key))).toEqual([]);
    });

    test("what a host has of a client is listed for its cloud alone, and goes by what is listed", async () => {
      const { leftovers } = stage.compute;
      const list = async (): Promise<readonly unknown[]> => {
        const things = await leftovers.list(host, signal);
        return things.map(({ kind, id, ownerIds }) => ({ kind, id, ownerIds }));
      };
      const client = { kind: "ceph-client", id: cluster.id, ownerIds: [cluster.id] };
      expect(await list()).toEqual([client]);
      const other = { ...host, cloudId: deriveId<"cloud">("another") };
      expect(await leftovers.list(other, signal)).toEqual([]);
      // Its secret tells whose it is, too.
      await stage.meddle("remove the mark");
      expect(await list()).toEqual([client]);
      const things = await leftovers.list(host, signal);
      for (const thing of [...things, ...things]) await leftovers.remove(host, thing, signal);
      expect(await list()).toEqual([]);
      expect(await ceph.observeClient(host, cluster, signal)).toHaveLength(6);
      await ceph.ensureClient(host, host, cluster, signal);
    });

    test("a client goes when no domain uses its secret, and then whole", async () => {
      await stage.useSecret(true);
      const before = await stage.survey();
      const client = { kind: "ceph-client", id: cluster.id, ownerIds: [cluster.id] } as const;
      const leftover: MarkedThing = { ...client, description: "client" };
      await expect(stage.compute.leftovers.remove(host, leftover, signal)).rejects.toMatchObject({
        code: "in-use",
      });
      await expect(ceph.removeClient(host, cluster, signal)).rejects.toMatchObject({ code: "in-use" });
      expect(await stage.survey()).toBe(before);
      await stage.useSecret(false);
      await ceph.removeClient(host, cluster, signal);
      expect(await ceph.observeClient(host, cluster, signal)).toHaveLength(6);
      await ceph.removeClient(host, cluster, signal);
    });

    test("users go, and once more", async () => {
      await ceph.removeUsers(host, cluster, signal);
      await ceph.removeUsers(host, cluster, signal);
      expect(await stage.survey()).not.toContain(nameCephUser(cluster.cloudId, "glance"));
    });

    test("a pool stays while images are in it, be it in the trash, or while none may be deleted", async () => {
      await stage.putImage("volumes", "disk");
      expect(await ceph.observePool(host, cluster, volumes, signal)).toMatchObject({ images: 1 });
      await expect(ceph.removePool(host, cluster, volumes, signal)).rejects.toMatchObject({ code: "in-use" });
      await stage.throwImageAway("volumes", "disk");
      expect(await ceph.observePool(host, cluster, volumes, signal)).toMatchObject({ images: 1 });
      await expect(ceph.removePool(host, cluster, volumes, signal)).rejects.toMatchObject({ code: "in-use" });
      await stage.emptyTrash("volumes");
      await stage.forbidDeletion(true);
      await expect(ceph.removePool(host, cluster, volumes, signal)).rejects.toMatchObject({
        code: "ceph-refused",
      });
      await stage.forbidDeletion(false);
      expect(await ceph.observePool(host, cluster, volumes, signal)).toMatchObject({ images: 0 });
    });

    test("a pool goes, and once more", async () => {
      await ceph.removePool(host, cluster, volumes, signal);
      await ceph.removePool(host, cluster, volumes, signal);
      expect(await ceph.observePool(host, cluster, volumes, signal)).toBeUndefined();
    });

    function keyringOf(role: CephRole): string {
      return `ceph.client.${nameCephUser(deriveId<"cloud">("compute test"), role)}.keyring`;
    }

    /** What each user can do with each pool. */
    async function tryAllOut() {
      const answers = [];
      for (const role of roles) {
        const pools = [];
        for (const pool of ["images", "volumes", "vms", "legacy"]) {
          const can = [];
          for (const action of ["list", "write"] as const)
            if (await stage.tryOut(role, action, pool)) can.push(action);
          pools.push([pool, can] as const);
        }
        answers.push([role, Object.fromEntries(pools)] as const);
      }
      return Object.fromEntries(answers);
    }
  });
}
