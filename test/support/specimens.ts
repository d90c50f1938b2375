import type { ResourceView } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { cephInputs } from "./ceph.ts";
import { addressOfHost, hostInputs, type FullWorld, type TestCloud } from "./cloud.ts";

/** Inputs of one resource of a type, and of a change to it that keeps its id. */
export interface Specimen {
  readonly inputs: JsonObject;
  readonly changed: JsonObject;
}

/** Number of the machine that the specimen of a host enrols. */
const spareHost = 9;

/** Name of every specimen. */
export const specimenName = "specimen";

/** Secrets of specimens, as text that is found nowhere else. */
export const specimenPassword = "plaintext-of-the-specimen";

/** A resource of a type in another shape than the specimen's, which its flow goes other ways for. */
export interface Variant {
  readonly type: string;
  readonly shape: string;
  readonly inputsOf: (world: FullWorld) => JsonObject;
  /** Whether the world's type of volumes encrypts them. Default false. */
  readonly isEncrypted?: boolean;
}

/** Shapes that tasks go other ways for. */
export const variants: readonly Variant[] = [
  { type: "server", shape: "in a pool", inputsOf: (world) => ({ flavor: world.clonedFlavor.id }) },
  {
    type: "server",
    shape: "that boots a volume",
    inputsOf: (world) => ({ image: undefined, bootVolume: { volume: world.volume.id } }),
  },
  {
    type: "server",
    shape: "that makes the volume that it boots",
    inputsOf: (world) => ({ bootVolume: { volumeType: world.volumeType.id } }),
  },
  {
    type: "server",
    shape: "that boots an encrypted volume",
    inputsOf: (world) => ({ image: undefined, bootVolume: { volume: world.volume.id } }),
    isEncrypted: true,
  },
  {
    type: "server",
    shape: "that makes the encrypted volume that it boots",
    inputsOf: (world) => ({ bootVolume: { volumeType: world.volumeType.id } }),
    isEncrypted: true,
  },
  {
    type: "volume-attachment",
    shape: "of an encrypted volume",
    inputsOf: () => ({}),
    isEncrypted: true,
  },
];

/** The specimen of a type in the shape of a variant. */
export function specimenOfVariant({ type, inputsOf }: Variant, test: TestCloud, world: FullWorld): Specimen {
  const { inputs, changed } = specimenOf(type, test, world);
  const shape = inputsOf(world);
  return { inputs: { ...inputs, ...shape }, changed: { ...changed, ...shape } };
}

/** A resource of this type for the laws that walk the registry. A new definition has its specimen here. */
export function specimenOf(type: string, test: TestCloud, world: FullWorld): Specimen {
  switch (type) {
    case "project":
      return { inputs: { description: "before" }, changed: { description: "after" } };
    case "user":
      return {
        inputs: { password: specimenPassword, email: "ada@example.org" },
        changed: { password: specimenPassword, email: "grace@example.org" },
      };
    case "role-assignment": {
      // Each of its fields is its identity: there is nothing to change.
      const inputs = { user: world.user.id, role: "reader" };
      return { inputs, changed: inputs };
    }
    case "host":
      test.compute.addMachine(addressOfHost(spareHost), { datapath: "system" });
      return {
        inputs: hostInputs(spareHost),
        changed: { ...hostInputs(spareHost), availabilityZone: "attic" },
      };
    case "ceph-cluster": {
      const hostId = world.hosts[0]?.id;
      return {
        inputs: cephInputs("spare", test.folder, hostId),
        changed: cephInputs("spare", test.folder, hostId, "copy.keyring"),
      };
    }
    case "storage-pool": {
      const inputs = { cluster: world.ceph.id, content: "volumes" };
      return { inputs, changed: { ...inputs, size: 2 } };
    }
    case "volume-type": {
      const inputs = { storagePool: world.pool.id };
      return { inputs, changed: { ...inputs, qos: { totalIopsSec: 500 } } };
    }
    case "volume": {
      const inputs = { volumeType: world.volumeType.id, sizeGib: 1 };
      return { inputs, changed: { ...inputs, description: "after" } };
    }
    case "volume-attachment": {
      const inputs = { server: world.instance.id, volume: world.volume.id };
      return { inputs, changed: { ...inputs, timeouts: { detach: 5 } } };
    }
    case "snapshot": {
      const inputs = { volume: world.volume.id };
      return { inputs, changed: { ...inputs, description: "after" } };
    }
    case "flavor": {
      const size = { vcpus: 2, ramMib: 512, diskGib: 1 };
      return { inputs: size, changed: { ...size, extraSpecs: { "hw:cpu_policy": "shared" } } };
    }
    case "keypair":
      return { inputs: {}, changed: { name: "renamed" } };
    case "image": {
      const disk = { location: "/images/cirros.qcow2", format: "qcow2" };
      const inputs = { disk, kernel: { location: "/images/vmlinuz" } };
      return { inputs, changed: { ...inputs, minRamMib: 64 } };
    }
    case "network":
      return { inputs: {}, changed: { mtuBytes: 1400 } };
    case "subnet": {
      const inputs = { network: world.network.id, cidr: "10.7.0.0/24" };
      return { inputs, changed: { ...inputs, dnsServers: ["10.7.0.53"] } };
    }
    case "port": {
      const inputs = { network: world.network.id, subnet: world.subnet.id };
      return { inputs, changed: { ...inputs, name: "renamed" } };
    }
    case "server-group":
      return {
        inputs: { policy: "anti-affinity" },
        changed: { policy: "anti-affinity", maxServersPerHost: 2 },
      };
    case "server":
      return { inputs: world.server, changed: { ...world.server, running: false } };
    default:
      throw new Error(`type ${type} has no specimen: add one to test/support/specimens.ts`);
  }
}

/** Makes hosts know of a resource that they do not know of by itself: an image is in the caches of the servers that boot it. */
export async function putToUse(made: ResourceView, test: TestCloud, world: FullWorld): Promise<void> {
  if (made.type === "image") await test.make("server", "user", { ...world.server, image: made.id });
}
