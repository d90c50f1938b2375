import fc from "fast-check";
import { deriveId } from "../../providers/core/ids.ts";
import type { ComputeHost, DomainSpec } from "../../providers/core/ports.ts";
import type { AttachedVolume, RbdPlace, VolumeRef } from "../../providers/core/volume-backend.ts";

/** A host with the kernel's datapath and KVM. */
export const sampleHost: ComputeHost = {
  id: deriveId<"host">("sample"),
  name: "sample",
  cloudId: deriveId<"cloud">("sample"),
  address: { name: "sample", transport: "local", address: "localhost" },
  datapath: "system",
  tunnelAddress: "192.0.2.1",
  virtType: "kvm",
  folder: "/var/lib/libvirt/images/stackyard",
};

/** A host without either, as in the lab. */
export const emulatedHost: ComputeHost = { ...sampleHost, datapath: "netdev", virtType: "qemu" };

const imageFolder = `${sampleHost.folder}/images/image`;

/** A server with a qcow2 disk and one NIC. */
export const sampleServer: DomainSpec = {
  id: deriveId<"resource">("sample server"),
  name: "web",
  cloudId: sampleHost.cloudId,
  projectId: deriveId<"resource">("sample project"),
  vcpus: 2,
  ramMib: 2048,
  diskGib: 20,
  image: {
    diskPath: `${imageFolder}/disk`,
    kernelPath: undefined,
    initrdPath: undefined,
    diskFormat: "qcow2",
    kernelArguments: "",
  },
  interfaces: [interfaceOf(1)],
  hostname: "web",
  configDrive: { metaData: { uuid: "u" }, networkData: {}, userData: "#!/bin/sh\n" },
  hardware: { machine: undefined, diskBus: "virtio", nicModel: "virtio", guestAgent: false, rng: true },
};

/** A server that boots a kernel and has nothing else. */
export const bareServer: DomainSpec = {
  ...sampleServer,
  diskGib: 0,
  interfaces: [],
  image: {
    diskPath: undefined,
    kernelPath: `${imageFolder}/kernel`,
    initrdPath: `${imageFolder}/initrd`,
    diskFormat: undefined,
    kernelArguments: 'console=ttyS0 quiet init="/bin/a b" <&>',
  },
  hardware: { ...sampleServer.hardware, rng: false },
};

/** A q35 with SCSI disk, guest agent and two NICs of another model. */
export const richServer: DomainSpec = {
  ...sampleServer,
  name: `"Ä" <b>&amp; 'c' ]]> --`,
  interfaces: [interfaceOf(1), interfaceOf(2)],
  hardware: { machine: "q35", diskBus: "scsi", nicModel: "e1000", guestAgent: true, rng: true },
};

/** A pool whose monitors are given in each of the ways. */
export const samplePlace: RbdPlace = {
  backend: "rbd",
  clusterId: deriveId<"resource">("sample cluster"),
  monitors: ["192.0.2.11", "192.0.2.12:6789", "[2001:db8::13]:3300", "[2001:db8::14]", "2001:db8::15"],
  pool: "volumes",
  content: "volumes",
};

/** A volume that is a file, at `vdb`. */
export const fileVolume: AttachedVolume = {
  volume: { place: { backend: "file" }, id: deriveId<"resource">("sample file volume") },
  device: "vdb",
  isReadOnly: false,
  isShared: false,
  qos: {},
};

/** A volume in RBD at `vdc`, with all that one can have. */
export const rbdVolume: AttachedVolume = {
  volume: { place: samplePlace, id: deriveId<"resource">("sample RBD volume") },
  device: "vdc",
  isReadOnly: true,
  isShared: true,
  qos: { totalBytesSec: 1_000_000, readIopsSec: 100, writeIopsSec: 50 },
};

/** A server whose root disk is a volume, with two more. */
export const volumeServer: DomainSpec = {
  ...sampleServer,
  rootVolume: {
    place: { ...samplePlace, pool: "vms", content: "vms" },
    id: sampleServer.id,
    name: `${sampleServer.id}_disk`,
  },
  rootQos: { totalIopsSec: 500 },
  volumes: [fileVolume, rbdVolume],
};

/** Encrypted; the key's file is on the machine that runs the stack. */
function encrypt(volume: VolumeRef): VolumeRef {
  return { ...volume, encryption: { keyFile: "/nowhere/volume.key" } };
}

/** A server whose root disk is an encrypted volume, with two more. */
export const encryptedServer: DomainSpec & { readonly rootVolume: VolumeRef } = {
  ...sampleServer,
  rootVolume: encrypt({ place: samplePlace, id: deriveId<"resource">("sample boot volume") }),
  volumes: [
    { ...fileVolume, volume: encrypt(fileVolume.volume) },
    { ...rbdVolume, isShared: false, volume: encrypt(rbdVolume.volume) },
  ],
};

function interfaceOf(n: number): DomainSpec["interfaces"][number] {
  return {
    portId: deriveId<"resource">("sample port", String(n)),
    mac: `fa:16:3e:00:00:0${String(n)}`,
    localVlan: n,
    mtuBytes: 1450,
  };
}

const hostileNames = [
  "$(reboot)",
  "'; rm -rf /",
  "<domain/>",
  "]]>",
  "&lt;",
  "{{name}}",
  "ü漢字🙂",
  "x".repeat(10_000),
];

/** Machines with the buses that they have. */
const machineAndBus = fc.constantFrom(
  ...(["virtio", "scsi", "sata", "ide"] as const).map((diskBus) => ({ machine: undefined, diskBus })),
  ...(["virtio", "scsi", "sata"] as const).map((diskBus) => ({ machine: "q35", diskBus })),
  ...(["virtio", "scsi"] as const).map((diskBus) => ({ machine: "virt", diskBus })),
  { machine: "pc-i440fx-7.2", diskBus: "ide" as const },
  { machine: "pc-q35-7.2", diskBus: "virtio" as const },
);

/** Any server on any host. */
export const anyDomain: fc.Arbitrary<readonly [ComputeHost, DomainSpec]> = fc
  .record({
    host: fc.constantFrom(sampleHost, emulatedHost),
    name: fc.oneof(
      fc.constantFrom(...hostileNames),
      fc.string({ unit: "grapheme", minLength: 1 }).filter((name) => !/\p{Cc}|[\ufffe\uffff]/u.test(name)),
    ),
    vcpus: fc.integer({ min: 1, max: 512 }),
    ramMib: fc.integer({ min: 1, max: 4 * 1024 * 1024 }),
    diskGib: fc.constantFrom(0, 1, 64_000),
    image: fc.constantFrom(sampleServer.image, bareServer.image, {
      ...bareServer.image,
      initrdPath: undefined,
    }),
    nicCount: fc.integer({ min: 0, max: 4 }),
    buses: machineAndBus,
    nicModel: fc.constantFrom("virtio", "e1000", "rtl8139"),
    guestAgent: fc.boolean(),
    rng: fc.boolean(),
    rootVolume: fc.constantFrom(
      undefined,
      fileVolume.volume,
      volumeServer.rootVolume,
      encryptedServer.rootVolume,
    ),
    volumes: fc.subarray([fileVolume, rbdVolume, ...(encryptedServer.volumes ?? [])]),
  })
  .map(({ host, nicCount, buses, nicModel, guestAgent, rng, ...rest }) => [
    host,
    {
      ...sampleServer,
      ...rest,
      interfaces: Array.from({ length: nicCount }, (_, index) => interfaceOf(index + 1)),
      hardware: { ...buses, nicModel, guestAgent, rng },
    },
  ]);
