import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Issue, ResourceView } from "../../../providers/core/cloud.ts";
import type { JsonObject } from "../../../providers/core/json.ts";
import {
  addressOfHost,
  hostInputs,
  makeFullWorld,
  makerOf,
  nameOfHost,
  TestCloud,
  type FullWorld,
} from "../../support/cloud.ts";
import { cephInputs } from "../../support/ceph.ts";
import { writeVolumeKey } from "../../support/volume-keys.ts";

let test1: TestCloud;
let world: FullWorld;
let keyFile: string;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeFullWorld(test1, { isEncrypted: true });
  keyFile = join(test1.folder, "volumes.key");
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

async function issuesOf(type: string, inputs: JsonObject): Promise<readonly Issue[]> {
  const request = { type, maker: makerOf(type, "new"), defaultName: "new" };
  return (await test1.cloud.plan({ ...request, inputs })).issues;
}

/** Ids of the volumes whose keys the n-th host has. */
function secretsOn(n: number): readonly string[] {
  return test1.compute.withMachine(addressOfHost(n), ({ volumeSecrets }) => Object.keys(volumeSecrets));
}

function attach(volume = world.volume): Promise<ResourceView> {
  return test1.make("volume-attachment", "vault", { server: world.instance.id, volume: volume.id });
}

/** One more type that encrypts, with the key of a file. */
function makeType(name: string, file: string): Promise<ResourceView> {
  return test1.make("volume-type", name, { storagePool: world.pool.id, encryption: { keyFile: file } });
}

describe("a type that encrypts", () => {
  test("names its key by an absolute path, and has no volumes for several servers", async () => {
    expect(await issuesOf("volume-type", { encryption: { keyFile: "volumes.key" } })).toMatchObject([
      { field: "encryption.keyFile", message: "must be an absolute path" },
    ]);
    const inputs = { storagePool: world.pool.id, multiattach: true, encryption: { keyFile } };
    expect(await issuesOf("volume-type", inputs)).toMatchObject([
      { field: "multiattach", message: "is true, but volumes of the type are encrypted" },
    ]);
  });

  test("makes volumes of snapshots and volumes with the same key alone", async () => {
    const [own, other] = [
      await makeType("own", keyFile),
      await makeType("other", writeVolumeKey(test1.folder, "other.key")),
    ];
    const plain = await test1.make("volume-type", "plain", { storagePool: world.pool.id });
    const open = await test1.make("volume", "open", { volumeType: plain.id, sizeGib: 1 });
    const snapshot = await test1.make("snapshot", "before", { volume: world.volume.id });
    for (const source of [{ snapshot: snapshot.id }, { volume: world.volume.id }]) {
      const [field = ""] = Object.keys(source);
      expect(await issuesOf("volume", { volumeType: own.id, ...source })).toEqual([]);
      for (const type of [other, plain])
        expect(await issuesOf("volume", { volumeType: type.id, ...source })).toMatchObject([
          { field, message: expect.stringContaining(`is encrypted with the key in ${keyFile}`) as unknown },
        ]);
    }
    expect(await issuesOf("volume", { volumeType: own.id, volume: open.id })).toMatchObject([
      { field: "volume", message: expect.stringContaining("is not encrypted") as unknown },
    ]);
  });

  test("has its key moved into another file, which is told from another key when a volume is opened", async () => {
    const [moved, wrong] = [join(test1.folder, "moved.key"), writeVolumeKey(test1.folder, "wrong.key")];
    const files = await test1.make("volume-type", "files", { encryption: { keyFile } });
    const { id: host } = world.hosts[0] ?? { id: "" };
    const volume = await test1.make("volume", "file", { volumeType: files.id, host, sizeGib: 1 });
    copyFileSync(keyFile, moved);
    rmSync(keyFile);
    const attachment = { server: world.instance.id, volume: volume.id };

    await expect(test1.make("volume-attachment", "file", attachment)).rejects.toMatchObject({
      code: "invalid-input",
      field: "encryption.keyFile",
    });
    await test1.change(files, "files", { encryption: { keyFile: wrong } });
    await expect(test1.make("volume-attachment", "file", attachment)).rejects.toMatchObject({
      message: expect.stringContaining("is not the one that the volume was made with") as unknown,
    });
    expect(secretsOn(1)).toEqual([]);
    await test1.change(files, "files", { encryption: { keyFile: moved } });
    await test1.make("volume-attachment", "file", attachment);
    expect(secretsOn(1)).toEqual([volume.id]);
  });
});

describe("the key of a volume", () => {
  test("is in the libvirt of a server's host while the server has the volume", async () => {
    expect(secretsOn(1)).toEqual([]);
    const attachment = await attach();
    expect(secretsOn(1)).toEqual([world.volume.id]);
    await test1.cloud.remove("volume-attachment", attachment.id);
    expect(secretsOn(1)).toEqual([]);
  });

  test("is taken back when the volume cannot be plugged in", async () => {
    test1.compute.fail("domains.attachVolume");
    await expect(attach()).rejects.toMatchObject({ code: "command-failed" });
    expect(secretsOn(1)).toEqual([]);
  });

  test("goes with a server that boots the volume", async () => {
    const server = await test1.make("server", "vault", {
      ...world.server,
      image: undefined,
      bootVolume: { volume: world.volume.id },
    });
    expect(secretsOn(1)).toEqual([world.volume.id]);
    await test1.cloud.remove("server", server.id);
    expect(secretsOn(1)).toEqual([]);
  });

  test("is missed where somebody took it, and given again by a start and by an apply", async () => {
    await attach();
    const lose = (): void =>
      test1.compute.withMachine(addressOfHost(1), ({ volumeSecrets }) => {
        Reflect.deleteProperty(volumeSecrets, world.volume.id);
      });
    lose();
    expect((await test1.cloud.drift()).findings).toMatchObject([
      { resource: { id: world.instance.id }, field: "secrets", label: "live" },
    ]);
    const processId = test1.compute.processOf(world.instance.id);
    await test1.make("server", "instance", { ...world.server, networks: [] });
    expect(secretsOn(1)).toEqual([world.volume.id]);
    expect(test1.compute.processOf(world.instance.id)).toBe(processId);

    await test1.cloud.act("server", world.instance.id, "stop", {});
    lose();
    await test1.cloud.act("server", world.instance.id, "start", {});
    expect(secretsOn(1)).toEqual([world.volume.id]);
    lose();
    await test1.cloud.act("server", world.instance.id, "reboot", { kind: "hard" });
    expect(secretsOn(1)).toEqual([world.volume.id]);
  });

  test("is left over where no server has the volume, and gc takes it", async () => {
    const { cloudId = "" } = test1.compute.withMachine(addressOfHost(1), ({ enrolment }) => ({
      ...enrolment,
    }));
    test1.compute.withMachine(addressOfHost(1), ({ volumeSecrets }) => {
      volumeSecrets[world.volume.id] = { cloudId, key: "sha256:any" };
    });
    const { leftovers } = await test1.cloud.listLeftovers();
    expect(leftovers).toMatchObject([{ kind: "volume-secret", id: world.volume.id, host: "h1" }]);
    for (const leftover of leftovers) await test1.cloud.removeLeftover(leftover);
    expect(secretsOn(1)).toEqual([]);
    await attach();
    expect((await test1.cloud.listLeftovers()).leftovers).toEqual([]);
  });

  test("is in no file of the store, read, journal or preview", async () => {
    const key = readFileSync(keyFile, "utf8").trim();
    const attachment = await attach();
    const shown = [
      await test1.cloud.list("volume-type"),
      await test1.cloud.read("volume", world.volume.id),
      await test1.cloud.journal(attachment.id),
      await test1.cloud.journal(world.volume.id),
    ];
    expect(JSON.stringify(shown)).not.toContain(key);
    expect(test1.storeBytes().includes(key)).toBe(false);
  });
});

describe("a server with an encrypted volume that moves to another host", () => {
  let moving: ResourceView;

  beforeEach(async () => {
    test1.compute.addMachine(addressOfHost(2));
    const second = await test1.make("host", nameOfHost(2), hostInputs(2));
    const hosts = [...world.hosts.map(({ id }) => id), second.id];
    await test1.change(world.ceph, "ceph", {
      ...cephInputs("small", test1.folder, undefined),
      hosts,
    });
    moving = await test1.make("server", "moving", {
      ...world.server,
      flavor: world.clonedFlavor.id,
      networks: [],
    });
    await test1.make("volume-attachment", "vault", {
      server: moving.id,
      volume: world.volume.id,
    });
  });

  /** Numbers of the hosts that have its key. */
  const holders = (): readonly number[] => [1, 2].filter((n) => secretsOn(n).length > 0);

  test("takes the key along, and leaves none", async () => {
    const [from = 0] = holders();
    await test1.cloud.act("server", moving.id, "live-migrate", {});
    expect(holders()).toEqual([from === 1 ? 2 : 1]);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("leaves none on the target when the move is given up", async () => {
    const [from = 0] = holders();
    test1.compute.fail("domains.migrate");
    await expect(test1.cloud.act("server", moving.id, "live-migrate", {})).rejects.toMatchObject({
      code: "command-failed",
    });
    expect(holders()).toEqual([from]);
    expect((await test1.cloud.drift()).findings).toEqual([]);
  });

  test("has its key where it is evacuated to, and what the lost host keeps is left over", async () => {
    const [from = 0] = holders();
    const to = from === 1 ? 2 : 1;
    test1.compute.unreachable.add(addressOfHost(from));
    await test1.cloud.act("server", moving.id, "evacuate", {});
    expect(holders()).toEqual([1, 2]);
    test1.compute.unreachable.clear();
    const { leftovers } = await test1.cloud.listLeftovers();
    expect(leftovers.filter(({ kind }) => kind === "volume-secret")).toMatchObject([
      { host: nameOfHost(from) },
    ]);
    for (const leftover of leftovers) await test1.cloud.removeLeftover(leftover);
    expect(holders()).toEqual([to]);
  });
});
