import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readInventory } from "../../lab/inventory.ts";
import { bringUp } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { openVolumes } from "../../providers/compute/volumes/volumes.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import type { ImportedImage, RbdPlace, VolumeRef, VolumeSpec } from "../../providers/core/volume-backend.ts";
import { sh } from "../../providers/hosts/command.ts";
import { openHostPool } from "../../providers/hosts/pool.ts";
import { describeVolumesPort, imageByte, imageBytes } from "../contract/volumes-port.ts";
import type { VolumeStage } from "../contract/volumes-port.ts";
import { cloudId } from "../support/compute-specimens.ts";
import { openLabFolder } from "../support/lab-folder.ts";
import { rbd, stageFiles, stageRbd } from "../support/volume-stage.ts";
import type { VolumeHost } from "../support/volume-stage.ts";

const labName = "volumes";
const { signal } = new AbortController();
const silent = (): void => undefined;
const labs = openLabFolder("volumes-test");
const pool = openHostPool({ ssh: { environment: { home: labs.path, user: "root" } } });
const place: RbdPlace = {
  backend: "rbd",
  client: { confFile: "/etc/ceph/test.conf", user: "admin" },
  pool: "volumes",
};
/** Nobody listens there. */
const deaf: RbdPlace = { ...place, client: { ...place.client, confFile: "/etc/ceph/deaf.conf" } };
let on: VolumeHost;
let unreachable: ComputeHost;

beforeAll(async () => {
  const hosts = [{ name: "h1" }, { name: "c1", roles: ["ceph"] }];
  await bringUp(parseTopology({ name: labName, hosts }));
  const { hosts: found, ceph } = readInventory(labName);
  const [h1] = found;
  if (h1 === undefined || ceph === undefined) throw new Error("the lab has no compute host, or no Ceph");
  const host: ComputeHost = {
    id: deriveId<"host">("h1"),
    name: "h1",
    cloudId,
    address: { transport: "ssh", ...h1 },
    datapath: "netdev",
    tunnelAddress: h1.tunnelAddress.replace(/\/.*/, ""),
    virtType: "qemu",
    folder: "/var/lib/libvirt/images/stackyard",
  };
  const run = async (command: string, stdin = ""): Promise<string> => {
    const connection = await pool.get(host.address);
    const result = await connection.run(sh`sh -c ${command}`, { stdin });
    return result.stdout;
  };
  on = { host, volumes: openVolumes(pool), run };
  unreachable = { ...host, address: { ...host.address, port: 1 } };
  await run(
    "mkdir -p /etc/ceph; umask 077; cat > /etc/ceph/test.keyring",
    readFileSync(ceph.keyringFile, "utf8"),
  );
  const confOf = (monitors: string): string =>
    `[global]\nfsid = ${ceph.fsid}\nmon_host = ${monitors}\nkeyring = /etc/ceph/test.keyring\n`;
  await run("cat > /etc/ceph/test.conf", confOf(ceph.monitors.join(",")));
  await run("cat > /etc/ceph/deaf.conf", confOf("127.0.0.1"));
  const { confFile } = place.client;
  await run(
    `for pool in volumes images; do ceph -c ${confFile} osd pool create $pool 8 && ${rbd(place)} pool init $pool || exit 1; done`,
  );
}, 120_000);

afterAll(async () => {
  await pool.closeAll();
  await labs.close();
}, 60_000);

describeVolumesPort("volumes in files", () => stageFiles(on, unreachable));
describeVolumesPort("volumes in RBD", () => stageRbd(on, place, deaf));

describe("only in RBD", () => {
  const images: RbdPlace = { ...place, pool: "images" };
  let stage: VolumeStage;
  let image: ImportedImage;

  beforeAll(async () => {
    stage = await stageRbd(on, place, deaf);
    const id = deriveId<"resource">("image");
    image = { ...stage.images.qcow2, id, name: id };
  });

  const importInto = (target: RbdPlace, wanted = image, progress: (line: string) => void = silent) =>
    on.volumes.importImage(on.host, target, wanted, progress, signal);
  const idOf = (name: string): Promise<string> => on.run(`${rbd(place)} info --format json images/${name}`);
  const refOf = (label: string): VolumeRef => ({ place, id: deriveId<"resource">(label) });
  const blankOf = (volume: VolumeRef): VolumeSpec => ({ ...volume, sizeGib: 1, source: { kind: "blank" } });

  test("an image is brought into a pool once, after a try that was broken off, however many ask", async () => {
    await on.run(`${rbd(place)} create --size 4G images/${image.name}.${cloudId}.part`);
    const [parent] = await Promise.all([importInto(images), importInto(images)]);
    const made = await idOf(image.name);
    expect(await importInto(images)).toEqual(parent);
    expect(await idOf(image.name)).toBe(made);
    expect(parent).toEqual({ pool: "images", image: image.name, snapshot: "snap" });
    expect(await on.run(`${rbd(place)} ls images`)).toBe(`${image.name}\n`);
    const snapshots = await on.run(`${rbd(place)} snap ls --format json images/${image.name}`);
    expect(JSON.parse(snapshots)).toMatchObject([{ name: "snap", size: imageBytes, protected: "true" }]);
  });

  test("volumes are cloned from an imported image, and a server's disk has a name of its own", async () => {
    const parent = await importInto(images);
    const server = deriveId<"resource">("server");
    const spec: VolumeSpec = {
      place,
      id: server,
      name: `${server}_disk`,
      sizeGib: 1,
      source: { kind: "parent", parent },
    };
    await on.volumes.ensureVolume(on.host, spec, silent, signal);
    expect(await stage.read(spec, 0)).toBe(imageByte);
    expect(await on.volumes.observeVolume(on.host, spec, signal)).toMatchObject({
      sizeBytes: 1024 ** 3,
      parent: `images/${image.name}@snap`,
    });
    expect(await on.volumes.listVolumes(on.host, place, signal)).toEqual([
      { id: server, name: `${server}_disk`, isWhole: true },
    ]);
    const children = await on.volumes.listChildren(
      on.host,
      { place: images, id: image.id, name: image.name },
      signal,
    );
    expect(children).toEqual([`volumes/${server}_disk`]);
    await on.volumes.removeVolume(on.host, spec, signal);
  });

  test("what space a cluster without a manager has is not checked, and that is told", async () => {
    const other = {
      ...image,
      id: deriveId<"resource">("other"),
      name: "other",
      format: "raw" as const,
      path: stage.images.raw.path,
    };
    const lines: string[] = [];
    await importInto(images, other, (line) => lines.push(line));
    expect(lines[0]).toContain("is not checked");
  });

  test("an image of a volume's name without its mark is not touched", async () => {
    const volume = refOf("foreign");
    const name = `volumes/volume-${volume.id}`;
    await on.run(
      `${rbd(place)} create --size 1G ${name} && ${rbd(place)} image-meta set ${name} stackyard-cloud other`,
    );
    const before = await on.run(`${rbd(place)} info ${name}`);
    const code = "not-ours";
    const grown = { ...blankOf(volume), sizeGib: 2 };
    await expect(on.volumes.ensureVolume(on.host, grown, silent, signal)).rejects.toMatchObject({ code });
    await expect(on.volumes.observeVolume(on.host, volume, signal)).rejects.toMatchObject({ code });
    await expect(on.volumes.removeVolume(on.host, volume, signal)).rejects.toMatchObject({ code });
    const snapshotId = deriveId<"resource">("snapshot");
    const snapping = on.volumes.ensureSnapshot(on.host, volume, snapshotId, signal);
    await expect(snapping).rejects.toMatchObject({ code });
    await expect(importInto(place, { ...image, name: `volume-${volume.id}` })).rejects.toMatchObject({
      code,
    });
    expect(await on.volumes.listVolumes(on.host, place, signal)).toEqual([]);
    expect(await on.run(`${rbd(place)} info ${name}`)).toBe(before);
  });

  test("a pool that is not there, and a user without a key, are errors, never absence", async () => {
    const noPool = { ...refOf("any"), place: { ...place, pool: "nowhere" } };
    const observe = (volume: VolumeRef) => on.volumes.observeVolume(on.host, volume, signal);
    await expect(observe(noPool)).rejects.toMatchObject({ code: "not-found" });
    await on.run(`sed 's/test.keyring/$name.keyring/' ${place.client.confFile} > /etc/ceph/keyless.conf`);
    const client = { confFile: "/etc/ceph/keyless.conf", user: "nobody" };
    await expect(observe({ ...refOf("any"), place: { ...place, client } })).rejects.toMatchObject({
      code: "ceph-refused",
    });
  });
});
