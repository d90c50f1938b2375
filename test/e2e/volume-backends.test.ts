import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildGuest } from "../../lab/guest/build.ts";
import { cephClientFolder, cephConfFile } from "../../providers/compute/layout.ts";
import { nameCephUser, nameVolumeSecret } from "../../providers/compute/marks.ts";
import { blockNode } from "../../providers/compute/volumes/rbd/rbd-client.ts";
import {
  answers,
  jobCommand,
  readAnswer,
  type RbdRefusal,
} from "../../providers/compute/volumes/rbd/rbd-program.ts";
import { refuse } from "../../providers/compute/volumes/rbd/rbd-volumes.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost, DomainSpec } from "../../providers/core/ports.ts";
import type {
  AttachedVolume,
  ImportedImage,
  RbdPlace,
  VolumeRef,
  VolumeSpec,
} from "../../providers/core/volume-backend.ts";
import { describePoolLeftovers } from "../contract/pool-leftovers.ts";
import {
  describeEncryptedVolumes,
  describeVolumesPort,
  imageByte,
  imageBytes,
} from "../contract/volumes-port.ts";
import type { VolumeStage } from "../contract/volumes-port.ts";
import { cloudId, readinessOf, serverOf } from "../support/compute-specimens.ts";
import { openCephLab, type CephLab } from "../support/ceph-lab.ts";
import { samplePool } from "../support/ceph-samples.ts";
import { writeVolumeKeys } from "../support/volume-keys.ts";
import { rbd, stageFiles, stageRbd } from "../support/volume-stage.ts";
import type { VolumeHost } from "../support/volume-stage.ts";

const { signal } = new AbortController();
const silent = (): void => undefined;
let lab: CephLab;
let place: RbdPlace;
/** Nobody listens there. */
let deaf: RbdPlace;
let on: VolumeHost;
let unreachable: ComputeHost;

beforeAll(async () => {
  lab = await openCephLab("volumes");
  const { compute, host, cluster, run } = lab;
  const pools = (["volumes", "images", "vms"] as const).map((content) => samplePool(content, content));
  for (const pool of pools) await compute.ceph.ensurePool(host, cluster, pool, signal);
  await compute.ceph.ensureUsers(host, cluster, pools, signal);
  await compute.ceph.ensureClient(host, host, cluster, signal);
  const { id: clusterId, monitors } = cluster;
  place = { backend: "rbd", clusterId, monitors, pool: "volumes", content: "volumes" };
  deaf = { ...place, clusterId: deriveId<"resource">("deaf") };
  await run(
    `cp -r ${cephClientFolder(clusterId)} ${cephClientFolder(deaf.clusterId)} && sed -i -e 's/${clusterId}/${deaf.clusterId}/g' -e 's/^mon_host.*/mon_host = 127.0.0.1/; s/^mon host.*/mon host = 127.0.0.1/' ${cephConfFile(deaf.clusterId)} && sed -i 's/"secretId":"[^"]*"/"secretId":"none"/' ${cephClientFolder(deaf.clusterId)}/client.json`,
  );
  on = {
    host,
    volumes: compute.volumes,
    scan: compute.scan,
    dryRun: compute.dryRun,
    run,
    keyFiles: writeVolumeKeys(lab.folder),
  };
  unreachable = { ...host, address: { ...host.address, port: 1 } };
}, 120_000);

afterAll(() => lab.close(), 60_000);

describeVolumesPort("volumes in files", () => stageFiles(on, unreachable));
describeVolumesPort("volumes in RBD", () => stageRbd(on, place, deaf));
describeEncryptedVolumes("encrypted volumes in files", () => stageFiles(on, unreachable));
describeEncryptedVolumes("encrypted volumes in RBD", () => stageRbd(on, place, deaf));
describePoolLeftovers("leftovers in pools", async () => ({
  ...(await stageRbd(on, place, deaf)),
  leftovers: lab.compute.leftovers,
  place,
  imagePlace: { ...place, pool: "images", content: "images" },
  deaf,
  makeForeign: async (name) => {
    await on.run(
      `${rbd(on.host, place)} create --size 1G volumes/${name} && ${rbd(on.host, place)} image-meta set volumes/${name} stackyard-owner other:id`,
    );
  },
  removeForeign: async (name) => {
    await on.run(`${rbd(on.host, place)} rm --no-progress volumes/${name}`);
  },
}));

describe("only in RBD", () => {
  let images: RbdPlace;
  let stage: VolumeStage;
  let image: ImportedImage;

  beforeAll(async () => {
    images = { ...place, pool: "images", content: "images" };
    stage = await stageRbd(on, place, deaf);
    const id = deriveId<"resource">("image");
    image = { ...stage.images.qcow2, id, name: id };
  });

  const importInto = (target: RbdPlace, wanted = image, progress: (line: string) => void = silent) =>
    on.volumes.importImage(on.host, target, wanted, progress, signal);
  const idOf = (name: string): Promise<string> =>
    on.run(`${rbd(on.host, images)} info --format json images/${name}`);
  const refOf = (label: string): VolumeRef => ({ place, id: deriveId<"resource">(label) });
  const blankOf = (volume: VolumeRef): VolumeSpec => ({ ...volume, sizeGib: 1, source: { kind: "blank" } });

  test("an image is brought into a pool once, after a try that was broken off, however many ask", async () => {
    await on.run(`${rbd(on.host, images)} create --size 4G images/${image.name}.${cloudId}.part`);
    const [parent] = await Promise.all([importInto(images), importInto(images)]);
    const made = await idOf(image.name);
    expect(await importInto(images)).toEqual(parent);
    expect(await idOf(image.name)).toBe(made);
    expect(parent).toEqual({ pool: "images", image: image.name, snapshot: "snap" });
    expect(await on.run(`${rbd(on.host, images)} ls images`)).toBe(`${image.name}\n`);
    const snapshots = await on.run(`${rbd(on.host, images)} snap ls --format json images/${image.name}`);
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
    // What a try that was broken off, and somebody else's clone leave.
    const parentSnapshot = `images/${image.name}@snap`;
    const foreign = `volumes/volume-${deriveId<"resource">("clone by hand")}`;
    await on.run(
      `${rbd(on.host, place)} create --size 4G volumes/${server}_disk.${cloudId}.part && ${rbd(on.host, place)} clone ${parentSnapshot} ${foreign}`,
    );
    await on.volumes.ensureVolume(on.host, spec, silent, signal);
    expect(await stage.read(spec, 0)).toBe(imageByte);
    expect(await on.volumes.observeVolume(on.host, spec, signal)).toMatchObject({
      sizeBytes: 1024 ** 3,
      parent: `images/${image.name}@snap`,
    });
    expect(await on.volumes.listVolumes(on.host, place, signal)).toEqual([
      { id: server, name: `${server}_disk`, isWhole: true },
    ]);
    await on.run(`${rbd(on.host, place)} rm --no-progress ${foreign}`);
    const find = () => on.volumes.findImage(on.host, images, image, signal);
    const remove = () => on.volumes.removeImage(on.host, images, image, signal);
    await expect(remove()).rejects.toThrow(`volumes/${server}_disk`);
    expect(await find()).toEqual(parent);
    await on.volumes.removeVolume(on.host, spec, signal);
    await remove();
    await remove();
    expect(await find()).toBeUndefined();
  });

  test("an encrypted volume is a copy of an imported image, which only its key opens", async () => {
    const parent = await importInto(images);
    const volume = { ...refOf("sealed"), encryption: { keyFile: on.keyFiles[0] } };
    const source = { kind: "parent", parent } as const;
    const ensure = (sizeGib: number): Promise<void> =>
      on.volumes.ensureVolume(on.host, { ...volume, sizeGib, source }, silent, signal);
    await ensure(0);
    expect(await on.volumes.observeVolume(on.host, volume, signal)).toMatchObject({
      sizeBytes: imageBytes,
      parent: undefined,
    });
    await on.volumes.removeImage(on.host, images, image, signal);
    expect([await stage.read(volume, 0), await stage.read(volume, 8)]).toEqual([imageByte, 0]);
    expect(await stage.shows(volume, imageByte)).toBe(false);
    await on.volumes.removeVolume(on.host, volume, signal);
    await expect(ensure(1)).rejects.toMatchObject({ code: "not-found" });
    expect(await on.volumes.listVolumes(on.host, place, signal)).toEqual([]);
  });

  test("an import that was broken off before its snapshot was made is finished, and not begun anew", async () => {
    const id = deriveId<"resource">("unfinished");
    const unfinished = { ...image, id, name: id };
    const mark = `${cloudId}:${id}`;
    await on.run(
      `${rbd(on.host, images)} create --size 32M images/${id} && ${rbd(on.host, images)} image-meta set images/${id} stackyard-owner ${mark}`,
    );
    const readPrefix = (): Promise<string> =>
      on.run(`${rbd(on.host, images)} info images/${id} | grep block_name_prefix`);
    const prefix = await readPrefix();
    expect(await on.volumes.findImage(on.host, images, unfinished, signal)).toBeUndefined();
    const parent = await importInto(images, unfinished);
    expect(await on.volumes.findImage(on.host, images, unfinished, signal)).toEqual(parent);
    expect(await readPrefix()).toBe(prefix);
    const snapshots = await on.run(`${rbd(on.host, images)} snap ls --format json images/${id}`);
    expect(JSON.parse(snapshots)).toMatchObject([{ name: "snap", protected: "true" }]);
    await on.volumes.removeImage(on.host, images, unfinished, signal);
  });

  test("what arrived in a pool other than it was sent does not get its name", async () => {
    const id = deriveId<"resource">("torn");
    const volume = { place: images, id, name: id };
    // `qemu-img compare` ends with 1, too, where contents differ.
    const work = {
      do: "copy",
      want: imageBytes,
      convert: ["true"],
      compare: ["false"],
      protect: "snap",
    } as const;
    const log = await on.run(jobCommand(on.host, volume, work).text);
    const attempting = "import an image";
    const onRefusal = (refusal: RbdRefusal): never => refuse(refusal, volume, attempting);
    expect(() => readAnswer(log, { attempting, answer: answers.ensured, onRefusal })).toThrow(
      "is not what was sent",
    );
    expect(await on.volumes.observeVolume(on.host, volume, signal)).toBeUndefined();
    await on.volumes.removeHalfMade(on.host, volume, signal);
  });

  test("a copy that was broken off has left its snapshot on its source, and is of this moment when it is begun anew", async () => {
    const [source, copy] = [refOf("copied"), refOf("copy of it")];
    await on.volumes.ensureVolume(on.host, blankOf(source), silent, signal);
    await on.run(
      `${rbd(on.host, place)} snap create --no-progress volumes/volume-${source.id}@copy-${copy.id}`,
    );
    await stage.write(source, 0x21, 3);
    const spec: VolumeSpec = { ...copy, sizeGib: 0, source: { kind: "volume", volume: source } };
    await on.volumes.ensureVolume(on.host, spec, silent, signal);
    expect(await stage.read(copy, 3)).toBe(0x21);
    expect(await on.volumes.observeVolume(on.host, source, signal)).toMatchObject({ snapshots: [] });
    for (const volume of [source, copy]) await on.volumes.removeVolume(on.host, volume, signal);
  });

  test("what a copy has left on its source keeps that while it is made, and no longer", async () => {
    const [source, target] = [refOf("copied"), refOf("copy")];
    await on.volumes.ensureVolume(on.host, blankOf(source), silent, signal);
    const part = `volumes/volume-${target.id}.${cloudId}.part`;
    await on.run(
      `${rbd(on.host, place)} snap create --no-progress volumes/volume-${source.id}@copy-${target.id} && ${rbd(on.host, place)} create --size 1G ${part}`,
    );
    const remove = () => on.volumes.removeVolume(on.host, source, signal);
    await expect(remove()).rejects.toMatchObject({ code: "in-use" });
    await on.volumes.removeHalfMade(on.host, target, signal);
    await remove();
    expect(await on.volumes.observeVolume(on.host, source, signal)).toBeUndefined();
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
      `${rbd(on.host, place)} create --size 1G ${name} && ${rbd(on.host, place)} image-meta set ${name} stackyard-owner other:id`,
    );
    const before = await on.run(`${rbd(on.host, place)} info ${name}`);
    const code = "not-ours";
    const grown = { ...blankOf(volume), sizeGib: 2 };
    await expect(on.volumes.ensureVolume(on.host, grown, silent, signal)).rejects.toMatchObject({ code });
    await expect(on.volumes.observeVolume(on.host, volume, signal)).rejects.toMatchObject({ code });
    await expect(on.volumes.removeVolume(on.host, volume, signal)).rejects.toMatchObject({ code });
    const snapshotId = deriveId<"resource">("snapshot");
    const snapping = on.volumes.ensureSnapshot(on.host, volume, snapshotId, signal);
    await expect(snapping).rejects.toMatchObject({ code });
    await on.run(`${rbd(on.host, place)} snap create --no-progress ${name}@snapshot-${snapshotId}`);
    const sources = [{ kind: "volume", volume } as const, { kind: "snapshot", volume, snapshotId } as const];
    for (const source of sources) {
      const taken: VolumeSpec = { ...refOf("taken"), sizeGib: 1, source };
      await expect(on.volumes.ensureVolume(on.host, taken, silent, signal)).rejects.toMatchObject({ code });
    }
    await on.run(`${rbd(on.host, place)} snap rm --no-progress ${name}@snapshot-${snapshotId}`);
    await expect(importInto(place, { ...image, name: `volume-${volume.id}` })).rejects.toMatchObject({
      code,
    });
    expect(await on.volumes.listVolumes(on.host, place, signal)).toEqual([]);
    expect(await on.run(`${rbd(on.host, place)} info ${name}`)).toBe(before);
  });

  test("one look at many clusters and pools tells of each what a look of its own would", async () => {
    const [volume, foreign] = [refOf("looked at"), refOf("somebody's")];
    const file = { place: { backend: "file" }, id: deriveId<"resource">("a file") } as const;
    await on.volumes.ensureVolume(on.host, blankOf(volume), silent, signal);
    await on.volumes.ensureVolume(on.host, { ...blankOf(volume), ...file }, silent, signal);
    const name = `volumes/volume-${foreign.id}`;
    await on.run(`${rbd(on.host, place)} create --size 1G ${name}`);
    const looks = [
      { ...volume, place: deaf },
      file,
      volume,
      foreign,
      { ...volume, place: { ...place, pool: "nowhere" } },
      { ...volume, place: { ...place, clusterId: deriveId<"resource">("no client") } },
      refOf("nothing"),
    ];
    const nothing = { enrolments: [], domains: [], networks: [], images: [], cephClients: [] };
    const questions = { ...nothing, volumes: looks.map((look) => ({ host: on.host, volume: look })) };
    expect((await on.scan.ask(on.host.address, questions, signal)).volumes).toMatchObject([
      { error: { code: "ceph-unreachable" } },
      { value: { sizeBytes: 1024 ** 3, format: "qcow2" } },
      { value: { sizeBytes: 1024 ** 3, format: "raw" } },
      { error: { code: "not-ours" } },
      { error: { code: "not-found" } },
      { error: { code: "ceph-refused" } },
      { value: undefined },
    ]);
    await on.volumes.removeVolume(on.host, volume, signal);
    await on.volumes.removeVolume(on.host, file, signal);
    await on.run(`${rbd(on.host, place)} rm --no-progress ${name}`);
  });

  test("a pool that is not there, and a user without a key, are errors, never absence", async () => {
    const noPool = { ...refOf("any"), place: { ...place, pool: "nowhere" } };
    const observe = (volume: VolumeRef) => on.volumes.observeVolume(on.host, volume, signal);
    await expect(observe(noPool)).rejects.toMatchObject({ code: "not-found" });
    const noClient = { ...refOf("any"), place: { ...place, clusterId: deriveId<"resource">("no client") } };
    await expect(observe(noClient)).rejects.toMatchObject({ code: "ceph-refused" });
    const folder = cephClientFolder(place.clusterId);
    await on.run(`mv ${folder}/*cinder.keyring ${folder}/away`);
    await expect(observe(refOf("any"))).rejects.toMatchObject({
      code: "ceph-refused",
    });
    await on.run(`cd ${folder} && mv away ceph.client.${nameCephUser(on.host.cloudId, "cinder")}.keyring`);
  });
});

describe("a server whose disks are in RBD", () => {
  const domainsOf = () => lab.compute.domains;
  const attachedOf = (label: string, device: string, from = place): AttachedVolume => ({
    volume: { place: from, id: deriveId<"resource">(label) },
    device,
    isReadOnly: false,
    isShared: false,
    qos: {},
  });
  /** Seen by the guest as sectors of 512 bytes. */
  const gib = 1024 ** 3;
  let vms: RbdPlace;
  let data: AttachedVolume;
  let spec: DomainSpec & { readonly rootVolume: VolumeRef };

  const makeBlank = ({ volume }: AttachedVolume): Promise<void> =>
    on.volumes.ensureVolume(on.host, { ...volume, sizeGib: 1, source: { kind: "blank" } }, silent, signal);
  const waitUntilReady = (): Promise<void> => {
    const request = { ...readinessOf(1, "cloud-init"), address: undefined };
    return domainsOf().waitReady(on.host, spec.id, request, silent, signal);
  };
  const readConsole = (): Promise<string> => domainsOf().readConsole(on.host, spec.id, 50, signal);
  const listDisks = (): Promise<string> => on.run(`virsh -q domblklist ${spec.id}`);

  beforeAll(async () => {
    vms = { ...place, pool: "vms", content: "vms" };
    data = { ...attachedOf("data", "vdb"), qos: { totalIopsSec: 1000 } };
    const { images } = lab.compute;
    const source = { location: (await buildGuest()).qcow2, checksum: undefined };
    const facts = await images.inspectDisk(source, { format: "qcow2", field: "disk" }, signal);
    const image = { id: deriveId<"resource">("bootable"), name: "bootable", disk: { source, facts } };
    const whole = { ...image, kernel: undefined, initrd: undefined };
    const cached = await images.ensureCached(on.host, whole, silent, signal);
    const imported = {
      id: image.id,
      name: image.id,
      path: cached.diskPath ?? "",
      format: "qcow2" as const,
      virtualSizeBytes: facts.virtualSizeBytes,
    };
    const pool: RbdPlace = { ...place, pool: "images", content: "images" };
    const parent = await on.volumes.importImage(on.host, pool, imported, silent, signal);
    const server = serverOf(1, { diskPath: undefined, kernelPath: undefined, initrdPath: undefined });
    const rootVolume: VolumeRef = { place: vms, id: server.id, name: `${server.id}_disk` };
    spec = {
      ...server,
      interfaces: [],
      rootVolume,
      volumes: [data],
      configDrive: {
        ...server.configDrive,
        userData: `#!/bin/sh
echo "serial $(cat /sys/block/vdb/serial) sectors $(cat /sys/block/vdb/size)"
echo written by the guest | dd of=/dev/vdb conv=fsync 2> /dev/null
`,
      },
    };
    const sourceOf = { kind: "parent", parent } as const;
    await on.volumes.ensureVolume(on.host, { ...rootVolume, sizeGib: 1, source: sourceOf }, silent, signal);
    await makeBlank(data);
    await domainsOf().spawn(on.host, spec, true, signal);
  }, 120_000);

  afterAll(() => domainsOf().remove(on.host, spec.id, signal));

  test("boots from a clone of its image, and has the volume that it was built with", async () => {
    await waitUntilReady();
    const console = await readConsole();
    expect(console).toContain("boots=1");
    expect(console).toContain(`serial ${data.volume.id.slice(0, 20)} sectors ${String(gib / 512)}`);
    const disks = await listDisks();
    expect(disks).toMatch(new RegExp(`vda +vms/${spec.id}_disk\n`));
    expect(disks).toMatch(new RegExp(`vdb +volumes/volume-${data.volume.id}\n`));
    expect(await domainsOf().observe(on.host, spec, signal)).toMatchObject({
      state: "running",
      diskBytes: undefined,
      drift: [],
    });
    const written = await on.run(
      `qemu-img dd -U -O raw bs=64 count=1 'if=${blockNode(on.host, place, `volume-${data.volume.id}`)}' of=/tmp/written && head -n 1 /tmp/written; rm /tmp/written`,
    );
    expect(written).toBe("written by the guest\n");
  });

  test("is told how large its disks have become", async () => {
    await on.volumes.growVolume(on.host, spec.rootVolume, 2, signal);
    await on.volumes.growVolume(on.host, data.volume, 2, signal);
    await domainsOf().resizeVolume(on.host, spec.id, spec.id, 2 * gib, signal);
    await domainsOf().resizeVolume(on.host, spec.id, data.volume.id, 2 * gib, signal);
    for (const device of ["vda", "vdb"]) {
      const info = await on.run(`virsh domblkinfo ${spec.id} ${device}`);
      expect(info).toMatch(new RegExp(`Capacity: +${String(2 * gib)}\n`));
    }
  });

  test.each(["", ":3300", ":6789"])(
    "takes a volume while it is on from monitors named ADDRESS%s, and lets go of it",
    async (port) => {
      const monitors = place.monitors.map((monitor) => `${monitor}${port}`);
      const more = attachedOf(`more${port}`, "vdc", { ...place, monitors });
      await makeBlank(more);
      await domainsOf().attachVolume(on.host, spec.id, more, signal);
      expect(await listDisks()).toContain(`volumes/volume-${more.volume.id}`);
      expect((await on.volumes.observeVolume(on.host, more.volume, signal))?.holders).toHaveLength(1);
      await domainsOf().detachVolume(on.host, spec.id, more.volume.id, 60_000, signal);
      expect(await listDisks()).not.toContain(more.volume.id);
      // Fails while somebody has it open.
      await on.volumes.removeVolume(on.host, more.volume, signal);
    },
  );

  test.each(["rbd", "file"] as const)(
    "takes an encrypted volume of the backend %s while it is on and keeps its key from everybody, grows it, and finds its data again",
    async (backend) => {
      const where = backend === "rbd" ? place : ({ backend } as const);
      const [keyFile] = on.keyFiles;
      const encrypted: AttachedVolume = {
        ...attachedOf(`secret ${backend}`, "vde"),
        volume: { place: where, id: deriveId<"resource">("secret", backend), encryption: { keyFile } },
      };
      const { volume } = encrypted;
      const key = readFileSync(keyFile, "utf8").trim();
      const secretId = nameVolumeSecret(volume.id);
      await on.run(
        `touch /run/watching; nohup sh -c 'while [ -e /run/watching ]; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; sleep 0.005; done' > /run/seen 2> /dev/null < /dev/null &`,
      );
      await makeBlank(encrypted);
      const attach = () => domainsOf().attachVolume(on.host, spec.id, encrypted, signal);
      await expect(attach()).rejects.toMatchObject({ code: "command-failed" });
      await on.volumes.attachEncryptor(
        on.host,
        { ...volume, encryption: { keyFile: on.keyFiles[1] } },
        signal,
      );
      await expect(attach()).rejects.toMatchObject({ code: "invalid-input", field: "encryption.keyFile" });
      await on.volumes.attachEncryptor(on.host, volume, signal);
      await attach();
      const withIt = { ...spec, volumes: [data, encrypted] };
      expect(await domainsOf().observe(on.host, withIt, signal)).toMatchObject({ drift: [] });

      await domainsOf().resizeVolume(on.host, spec.id, volume.id, gib, signal);
      if (backend === "rbd") await on.volumes.growVolume(on.host, volume, 2, signal);
      await domainsOf().resizeVolume(on.host, spec.id, volume.id, 2 * gib, signal);
      expect(await on.run(`virsh domblkinfo ${spec.id} vde`)).toMatch(
        new RegExp(`Capacity: +${String(2 * gib)}\n`),
      );
      expect(await on.volumes.observeVolume(on.host, volume, signal)).toMatchObject({ sizeBytes: 2 * gib });

      const detach = async (): Promise<void> => {
        await domainsOf().detachVolume(on.host, spec.id, volume.id, 60_000, signal);
        await on.volumes.detachEncryptor(on.host, volume.id, signal);
      };
      const listed = await lab.compute.leftovers.list(on.host, signal);
      expect(listed.filter(({ kind }) => kind === "volume-secret")).toMatchObject([{ id: volume.id }]);
      await detach();
      await detach();
      await on.run("rm /run/watching");
      expect(lab.commands.filter((command) => command.includes(key))).toEqual([]);
      expect(await on.run(`grep -ac -F ${key} /run/seen || true`)).toBe("0\n");
      expect(await on.run("virsh -q secret-list")).not.toContain(secretId);
      expect(await on.run("ls /run | grep stackyard-luks || true")).toBe("");
      await on.volumes.removeVolume(on.host, volume, signal);
    },
  );

  test("is written of two servers at the same time where it is shared, without a cache", async () => {
    const shared = { ...attachedOf("shared", "vdd"), isShared: true };
    const other = { ...serverOf(2, spec.image), interfaces: [], volumes: [shared] };
    await makeBlank(shared);
    await domainsOf().attachVolume(on.host, spec.id, shared, signal);
    await domainsOf().spawn(on.host, other, true, signal);
    expect((await on.volumes.observeVolume(on.host, shared.volume, signal))?.holders).toHaveLength(2);
    await domainsOf().remove(on.host, other.id, signal);
    await domainsOf().detachVolume(on.host, spec.id, shared.volume.id, 60_000, signal);
    await on.volumes.removeVolume(on.host, shared.volume, signal);
  });

  test("has no key in a command, a definition, nor an argument of its process", async () => {
    const user = `client.${nameCephUser(on.host.cloudId, "libvirt")}`;
    const key = (await lab.administer("ceph", "auth", "get-key", user)).trim();
    expect(key).not.toBe("");
    expect(lab.commands.filter((command) => command.includes(key))).toEqual([]);
    const xml = await on.run(`virsh dumpxml --security-info ${spec.id}`);
    const { processId = 0 } = (await domainsOf().observe(on.host, spec, signal)) ?? {};
    const words = await on.run(`cat /proc/${String(processId)}/cmdline /proc/${String(processId)}/environ`);
    expect(words).toContain(spec.id);
    expect(xml + words).not.toContain(key);
  });
});
