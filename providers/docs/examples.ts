import type { JsonValue } from "../core/json.ts";

/** Stands for the resource of another type's example. */
export class Reference {
  readonly type: string;
  constructor(type: string) {
    this.type = type;
  }
}

/** Stands for a secret that a program is given from outside, by this name in camelCase. */
export class SecretValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** What an input of an example may be. */
export type ExampleValue =
  string | number | boolean | Reference | SecretValue | readonly ExampleValue[] | ExampleObject;

/** Inputs by key, as the definition has them. */
export interface ExampleObject {
  readonly [key: string]: ExampleValue;
}

/** One resource of a type, as the reference shows it. */
export interface Example {
  readonly type: string;
  /** Its name in the stack. */
  readonly name: string;
  readonly inputs: ExampleObject;
  /** Types whose examples are made first, beyond those it refers to. */
  readonly after?: readonly string[];
}

const project = new Reference("project");

/** An example for each definition. Together they are one cloud: each refers only to those before it. */
export const examples: readonly Example[] = [
  {
    type: "project",
    name: "demo",
    inputs: { description: "Web servers of the demonstration", quota: { instances: 20, cores: 40 } },
  },
  {
    type: "user",
    name: "ada",
    inputs: {
      password: new SecretValue("adaPassword"),
      defaultProject: project,
      email: "ada@example.org",
    },
  },
  {
    type: "role-assignment",
    name: "ada-member",
    inputs: { user: new Reference("user"), project, role: "member" },
  },
  {
    type: "host",
    name: "rack1",
    inputs: {
      address: "rack1.example.org",
      tunnelAddress: "10.0.0.1/24",
      tunnelInterface: "eth1",
      availabilityZone: "cellar",
    },
  },
  {
    type: "ceph-cluster",
    name: "ceph",
    inputs: {
      monitors: ["10.0.2.1", "10.0.2.2", "10.0.2.3"],
      fsid: "4a9e1c1e-52f0-4c5c-9d2b-1f6a3c8b7d10",
      keyringFile: "/etc/ceph/ceph.client.admin.keyring",
      hosts: [new Reference("host")],
    },
  },
  {
    type: "storage-pool",
    name: "volumes",
    inputs: { cluster: new Reference("ceph-cluster"), content: "volumes", size: 3 },
  },
  {
    type: "volume-type",
    name: "fast",
    inputs: {
      storagePool: new Reference("storage-pool"),
      encryption: { keyFile: "/etc/stackyard/volumes.key" },
      qos: { totalIopsSec: 2000 },
    },
  },
  {
    type: "flavor",
    name: "small",
    inputs: { vcpus: 2, ramMib: 2048, diskGib: 10, extraSpecs: { "hw:cpu_policy": "shared" } },
  },
  { type: "keypair", name: "login", inputs: { project } },
  {
    type: "image",
    name: "cirros",
    inputs: {
      project,
      disk: { location: "/images/cirros.qcow2", format: "qcow2" },
      minRamMib: 64,
      properties: { hw_disk_bus: "virtio" },
    },
  },
  {
    type: "volume",
    name: "data",
    inputs: { project, volumeType: new Reference("volume-type"), sizeGib: 20, image: new Reference("image") },
  },
  { type: "snapshot", name: "before-upgrade", inputs: { project, volume: new Reference("volume") } },
  { type: "network", name: "net", inputs: { project, mtuBytes: 1400 } },
  {
    type: "subnet",
    name: "range",
    inputs: {
      project,
      network: new Reference("network"),
      cidr: "10.20.0.0/24",
      dnsServers: ["9.9.9.9"],
      allocationPools: [{ start: "10.20.0.10", end: "10.20.0.99" }],
    },
  },
  {
    type: "port",
    name: "web",
    inputs: { project, subnet: new Reference("subnet"), address: "10.20.0.11" },
  },
  {
    type: "server-group",
    name: "apart",
    inputs: { project, policy: "anti-affinity", maxServersPerHost: 1 },
  },
  {
    type: "server",
    name: "web",
    inputs: {
      project,
      flavor: new Reference("flavor"),
      image: new Reference("image"),
      keypair: new Reference("keypair"),
      networks: [{ port: new Reference("port") }],
      serverGroup: new Reference("server-group"),
      waitFor: "ssh",
    },
    after: ["host"],
  },
  {
    type: "volume-attachment",
    name: "web-data",
    inputs: { project, server: new Reference("server"), volume: new Reference("volume") },
  },
];

/** The example of a type. Raises `TypeError` where there is none. */
export function findExample(type: string): Example {
  const example = examples.find((candidate) => candidate.type === type);
  if (example === undefined) throw new TypeError(`no example of ${type} in providers/docs/examples.ts`);
  return example;
}

/** Names of the secrets that an example takes. */
export function listSecrets({ inputs }: Example): readonly string[] {
  return Object.values(inputs).flatMap((value) => (value instanceof SecretValue ? [value.name] : []));
}

/** An example's inputs as the cloud takes them: each reference as the id that `idOf` gives, each secret as `secretOf` does. */
export function resolveInputs(
  inputs: ExampleObject,
  idOf: (type: string) => string,
  secretOf: (name: string) => string,
): Record<string, JsonValue> {
  const resolve = (value: ExampleValue): JsonValue => {
    if (value instanceof Reference) return idOf(value.type);
    if (value instanceof SecretValue) return secretOf(value.name);
    if (typeof value !== "object") return value;
    if (isList(value)) return value.map(resolve);
    return resolveInputs(value, idOf, secretOf);
  };
  return Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, resolve(value)]));
}

/** Whether a value is a list; `Array.isArray` does not tell read-only ones. */
export function isList(value: ExampleValue): value is readonly ExampleValue[] {
  return Array.isArray(value);
}
