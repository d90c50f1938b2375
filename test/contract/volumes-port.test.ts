import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { digest } from "../../providers/compute/ceph-client.ts";
import { readVolumeKey } from "../../providers/compute/volumes/volume-key.ts";
import { nameImage, partSuffix } from "../../providers/compute/volumes/rbd/rbd-client.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type { EnrolRequest } from "../../providers/core/ports.ts";
import type { FilePlace, RbdPlace, VolumeRef } from "../../providers/core/volume-backend.ts";
import { FakeCompute } from "../fakes/compute.ts";
import type { FakePool } from "../fakes/ceph.ts";
import type { FakeVolume } from "../fakes/volume.ts";
import { makeCephKey, writeKeyring } from "../support/ceph-keyring.ts";
import { samplePool } from "../support/ceph-samples.ts";
import { writeVolumeKeys } from "../support/volume-keys.ts";
import { cloudId } from "../support/compute-specimens.ts";
import { describePoolLeftovers, type PoolStage } from "./pool-leftovers.ts";
import {
  describeEncryptedVolumes,
  describeVolumesPort,
  imageByte,
  imageBytes,
  type VolumeStage,
} from "./volumes-port.ts";

const { signal } = new AbortController();
const address = { name: "h1", transport: "ssh", address: "h1.test" } as const;
const enrolment: EnrolRequest = {
  id: deriveId<"host">("1"),
  cloudId,
  address,
  datapath: "netdev",
  virtType: "qemu",
  tunnelAddress: "10.99.0.1/24",
  tunnelInterface: "eth1",
  folder: "/var/lib/stackyard",
};
const host = {
  id: enrolment.id,
  cloudId,
  address,
  name: "h1",
  datapath: "netdev",
  virtType: "qemu",
  tunnelAddress: "10.99.0.1",
  folder: enrolment.folder,
} as const;
const gib = 1024 ** 3;
const keys = mkdtempSync(join(tmpdir(), "stackyard-volume-keys-"));
afterAll(() => rmSync(keys, { recursive: true }));
const halfMade = (): FakeVolume => ({ sizeBytes: gib, bytes: { "8": 0x77 }, snapshots: {}, holders: [] });

/** An enrolled host with the images of the suite, and hands for what lies in one place. */
async function openHost(
  compute: FakeCompute,
  holder: string,
  diskOf: (volume: VolumeRef) => FakeVolume | undefined,
): Promise<Omit<VolumeStage, "place" | "gone" | "clones" | "live" | "leaveHalf" | "close">> {
  const keyFiles = writeVolumeKeys(keys);
  compute.addMachine(address.address);
  await compute.hosts.enrol(enrolment, () => undefined, signal);
  const checksum = `sha256:${imageByte.toString(16).repeat(32)}`;
  const imageOf = (format: "qcow2" | "raw") => {
    const id = deriveId<"resource">("image", format);
    const path = `${host.folder}/images/${id}/disk`;
    compute.withMachine(address.address, ({ images }) => {
      images[id] = {
        files: [{ path, sizeBytes: imageBytes, checksum, isSound: true }],
        virtualSizeBytes: imageBytes,
      };
    });
    return { kind: "image", path, format, virtualSizeBytes: imageBytes } as const;
  };
  const change = <T>(volume: VolumeRef, work: (found: FakeVolume) => T): Promise<T> =>
    Promise.resolve().then(() => {
      const found = diskOf(volume);
      if (found === undefined) throw new Error(`there is no volume ${volume.id}`);
      return work(found);
    });
  return {
    volumes: compute.volumes,
    scan: compute.scan,
    dryRun: compute.dryRun,
    host,
    images: { qcow2: imageOf("qcow2"), raw: imageOf("raw") },
    write: (volume, byte, atMib) =>
      change(volume, ({ bytes }) => {
        bytes[atMib] = byte;
      }),
    read: (volume, atMib) => change(volume, ({ bytes }) => bytes[atMib] ?? 0),
    keyFiles,
    shows: (volume, byte) =>
      change(volume, ({ bytes, key }) => key === undefined && Object.values(bytes).includes(byte)),
    opens: async (volume) => {
      const wanted =
        volume.encryption === undefined ? undefined : digest(await readVolumeKey(volume.encryption));
      return change(volume, ({ key }) => key === wanted);
    },
    hold: async (volume) => {
      await change(volume, (found) => {
        found.holders = [...found.holders, holder];
      });
      return () =>
        change(volume, (found) => {
          found.holders = found.holders.filter((other) => other !== holder);
        });
    },
  };
}

async function openFiles(): Promise<VolumeStage> {
  const compute = new FakeCompute();
  const place: FilePlace = { backend: "file" };
  const unreachable = { ...host, address: { ...address, address: "gone.test" } };
  return {
    ...(await openHost(compute, "qemu-io (process 412)", ({ id }) =>
      compute.withMachine(address.address, ({ volumes }) => volumes[id]?.disk),
    )),
    place,
    gone: { host: unreachable, place, code: "host-unreachable" },
    clones: false,
    live: false,
    leaveHalf: ({ id }) =>
      Promise.resolve().then(() =>
        compute.withMachine(address.address, ({ volumes }) => {
          volumes[id] = {};
        }),
      ),
    close: () => compute.close(),
  };
}

interface RbdHands extends VolumeStage, PoolStage {
  readonly place: RbdPlace;
}

async function openRbd(): Promise<RbdHands> {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-volumes-"));
  const compute = new FakeCompute();
  const key = makeCephKey();
  const keyringFile = join(folder, "keyring");
  writeKeyring(keyringFile, key);
  const stage = await openHost(compute, "client.4123 at 10.0.0.1:0/55", (volume) =>
    compute.withCeph(deriveId("fsid"), ({ pools }) => pools["volumes"]?.images[nameImage(volume)]),
  );
  const setUp = async (label: string): Promise<RbdPlace> => {
    const [fsid, monitors, id] = [
      deriveId<"resource">(label),
      [`${label}.test`],
      deriveId<"resource">("cluster", label),
    ];
    compute.addCeph({ fsid, monitors, key });
    const cluster = { id, name: label, cloudId, fsid, monitors, user: "admin", keyringFile };
    const pools = (["volumes", "images"] as const).map((content) => samplePool(content, content));
    for (const pool of pools) await compute.ceph.ensurePool(host, cluster, pool, signal);
    await compute.ceph.ensureUsers(host, cluster, pools, signal);
    await compute.ceph.ensureClient(host, host, cluster, signal);
    return { backend: "rbd", clusterId: id, monitors, pool: "volumes", content: "volumes" };
  };
  const place = await setUp("fsid");
  const deaf = await setUp("deaf");
  compute.withCeph(deriveId("deaf"), (ceph) => {
    ceph.isDown = true;
  });
  const changeImages = (change: (images: FakePool["images"]) => void): Promise<void> =>
    Promise.resolve().then(() =>
      compute.withCeph(deriveId("fsid"), ({ pools }) => {
        const pool = pools["volumes"];
        if (pool === undefined) throw new Error("there is no pool");
        change(pool.images);
      }),
    );
  return {
    ...stage,
    leftovers: compute.leftovers,
    place,
    imagePlace: { ...place, pool: "images", content: "images" },
    deaf,
    gone: { host, place: deaf, code: "ceph-unreachable" },
    clones: true,
    live: true,
    leaveHalf: (volume) =>
      changeImages((images) => {
        images[nameImage(volume) + partSuffix(host)] = halfMade();
      }),
    makeForeign: (name) =>
      changeImages((images) => {
        images[name] = { ...halfMade(), mark: { cloudId: "another", id: name } };
      }),
    removeForeign: (name) =>
      changeImages((images) => {
        Reflect.deleteProperty(images, name);
      }),
    close: () => {
      rmSync(folder, { recursive: true });
      return compute.close();
    },
  };
}

describeVolumesPort("volumes in files of the fake", openFiles);
describeVolumesPort("volumes in RBD of the fake", openRbd);
describeEncryptedVolumes("encrypted volumes in files of the fake", openFiles);
describeEncryptedVolumes("encrypted volumes in RBD of the fake", openRbd);
describePoolLeftovers("leftovers in pools of the fake", openRbd);
