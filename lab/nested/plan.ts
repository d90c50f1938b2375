import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { addressAt, firstHostOffset, parseRange, withoutPrefix } from "../addresses.ts";
import type { AddressRange, LabRanges } from "../addresses.ts";
import { labNetworks } from "../driver.ts";
import type { LabNetwork } from "../driver.ts";
import { diskFolderOf } from "../folders.ts";
import { macOf, uuidOf } from "../host-identity.ts";
import { bridgeSchema, distributions, hostRoles, maxHosts, nameSchema } from "../topology.ts";
import type { Topology } from "../topology.ts";
import { accelerations } from "./acceleration.ts";

/** Uuids of every version. */
const uuidSchema = z.guid();
const macSchema = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);

/** A network between hosts: an own segment of the lab's switch, or the Linux bridge of this machine whose ports hosts are. */
const segmentSchema = z.object({ cidr: z.cidrv4(), mtuBytes: z.int(), bridge: bridgeSchema.optional() });

/** What is read may be of a lab from elsewhere: names become parts of paths, and addresses words of programs and lines of files. */
const nestedHostSchema = z.object({
  name: nameSchema("host"),
  roles: z.array(z.enum(hostRoles)),
  /** Of the virtual machine, and so of what the host knows itself by. */
  uuid: uuidSchema,
  vcpus: z.int().positive(),
  ramMib: z.int().positive(),
  diskGib: z.int().positive(),
  /** Sizes of the disks beside the one with the root file system, in GiB. */
  dataDisksGib: z.array(z.int().positive()),
  diskFolder: z.string(),
  /** Where this machine reaches the host's sshd: 127.0.0.1, or the host itself where its management network is a bridge. */
  sshAddress: z.ipv4().default("127.0.0.1"),
  /** TCP port of that address. */
  sshPort: z.int().min(1).max(65_535),
  /** In the management network; each host is alone there with this machine, unless it is a bridge. */
  managementAddress: z.ipv4(),
  /** With its prefix length, in the data network. */
  tunnelAddress: z.cidrv4(),
  /** With its prefix length, in a lab with a storage network. */
  storageAddress: z.cidrv4().optional(),
  macs: z.object({ management: macSchema, data: macSchema, storage: macSchema }),
});

export const nestedPlanSchema = z.object({
  name: nameSchema("lab"),
  folder: z.string(),
  /** Sockets of the lab: the paths of Unix sockets are at most 107 bytes long, the lab's folder may be longer. */
  runFolder: z.string(),
  distribution: z.enum(distributions),
  /** Whether the packages of a host's roles are in its image, or left to enrolment. */
  packages: z.enum(["roles", "none"]),
  mirror: z.string().optional(),
  acceleration: z.enum(accelerations),
  /** In a lab with hosts of the role `ceph`, which are of one cluster. */
  ceph: z.object({ fsid: uuidSchema }).optional(),
  networks: z.object({
    management: z.object({ cidr: z.cidrv4(), gateway: z.ipv4(), bridge: bridgeSchema.optional() }),
    data: segmentSchema,
    storage: segmentSchema.optional(),
  }),
  hosts: z.array(nestedHostSchema).min(1).max(maxHosts),
});

/** One virtual machine as it will be made. */
export type NestedHost = z.infer<typeof nestedHostSchema>;

/** Every name, address, port and MAC of a lab of virtual machines. */
export type NestedPlan = z.infer<typeof nestedPlanSchema>;

/** What is found out about the machine before a lab is planned. */
export interface NestedChoices {
  readonly ranges: LabRanges;
  readonly storage: AddressRange;
  /** Free TCP ports of 127.0.0.1, one a host. */
  readonly sshPorts: readonly number[];
  readonly acceleration: NestedPlan["acceleration"];
  /** For sockets, the user's own: `$XDG_RUNTIME_DIR/stackyard` or the like. */
  readonly runtimeFolder: string;
}

/**
 * Processors of a host that says nothing of them. QEMU's emulated SVM lets an interrupt that another processor sends reach a host at the
 * moment that it leaves a guest, with the guest's GS: the host's kernel panics, or the guest's. With one there is no other.
 */
const defaultVcpus: Readonly<Record<NestedChoices["acceleration"], number>> = { kvm: 2, tcg: 1 };

const prefixOf = (range: AddressRange): string => String(range.prefix);

/**
 * Plans a lab of virtual machines.
 * @param folder the lab's own folder, absolute.
 */
export function planNestedLab(topology: Topology, folder: string, choices: NestedChoices): NestedPlan {
  const { ranges, storage, sshPorts } = choices;
  const { management, data, storage: storageNetwork } = topology.networks;
  const bridgeOf = ({ bridge }: { readonly bridge?: string | undefined }) =>
    bridge === undefined ? {} : { bridge };
  return {
    name: topology.name,
    folder,
    runFolder: runFolderOf(folder, choices.runtimeFolder),
    distribution: topology.distribution,
    packages: topology.packages,
    ...(topology.mirror === undefined ? {} : { mirror: topology.mirror }),
    acceleration: choices.acceleration,
    ...(topology.hosts.some(({ roles }) => roles.includes("ceph"))
      ? { ceph: { fsid: uuidOf(`${folder} ceph`) } }
      : {}),
    networks: {
      management: {
        cidr: ranges.management.cidr,
        gateway: addressAt(ranges.management, 1),
        ...bridgeOf(management),
      },
      data: { cidr: ranges.data.cidr, mtuBytes: data.mtuBytes, ...bridgeOf(data) },
      ...(storageNetwork === undefined
        ? {}
        : {
            storage: {
              cidr: storage.cidr,
              mtuBytes: storageNetwork.mtuBytes,
              ...bridgeOf(storageNetwork),
            },
          }),
    },
    hosts: topology.hosts.map((host, index): NestedHost => {
      const at = (range: AddressRange): string => addressAt(range, firstHostOffset + index);
      const isBridged = management.bridge !== undefined;
      const sshPort = isBridged ? 22 : sshPorts[index];
      if (sshPort === undefined) throw new TypeError("a plan has a port for each host");
      return {
        name: host.name,
        roles: host.roles,
        uuid: uuidOf(`${folder}/${host.name}`),
        vcpus: host.vcpus ?? defaultVcpus[choices.acceleration],
        ramMib: host.ramMib,
        diskGib: host.diskGib,
        dataDisksGib: host.disks.map(({ sizeGib }) => sizeGib),
        diskFolder: diskFolderOf(topology, folder, host.name),
        sshAddress: isBridged ? at(ranges.management) : "127.0.0.1",
        sshPort,
        managementAddress: at(ranges.management),
        tunnelAddress: `${at(ranges.data)}/${prefixOf(ranges.data)}`,
        ...(storageNetwork === undefined ? {} : { storageAddress: `${at(storage)}/${prefixOf(storage)}` }),
        macs: {
          management: macOf(folder, "management", index + 1),
          data: macOf(folder, "data", index + 1),
          storage: macOf(folder, "storage", index + 1),
        },
      };
    }),
  };
}

/**
 * The plan of a copy of a lab, which has no bridges: hosts keep addresses and MACs, which their memory knows and which are their lab's own, and get
 * what must be theirs alone on a machine: uuid, port, sockets, disks.
 * @param folder the copy's own folder, absolute.
 */
export function copyPlan(
  plan: NestedPlan,
  name: string,
  folder: string,
  choices: Pick<NestedChoices, "sshPorts" | "runtimeFolder">,
): NestedPlan {
  return {
    ...plan,
    name,
    folder,
    runFolder: runFolderOf(folder, choices.runtimeFolder),
    hosts: plan.hosts.map((host, index) => ({
      ...host,
      uuid: uuidOf(`${folder}/${host.name}`),
      diskFolder: join(folder, "disks", host.name),
      sshAddress: "127.0.0.1",
      sshPort: choices.sshPorts[index] ?? host.sshPort,
    })),
  };
}

function runFolderOf(folder: string, runtimeFolder: string): string {
  return join(runtimeFolder, createHash("sha256").update(folder).digest("hex").slice(0, 12));
}

/** The host that is the others' only way out; undefined in a lab where each has one of its own. */
function findGateway(plan: NestedPlan): NestedHost | undefined {
  return plan.hosts.find(({ roles }) => roles.includes("gateway"));
}

/** Address of the gateway in the data network, for a host whose way out it is; undefined for one that has its own. */
export function findNextHop(plan: NestedPlan, host: NestedHost): string | undefined {
  const gateway = findGateway(plan);
  return gateway === undefined || gateway.name === host.name
    ? undefined
    : withoutPrefix(gateway.tunnelAddress);
}

/** The networks of a lab that are bridges of this machine, with the bridges' names. */
export function listBridged(
  plan: NestedPlan,
): readonly { readonly network: LabNetwork; readonly bridge: string; readonly cidr: string }[] {
  return labNetworks.flatMap((network) => {
    const { bridge, cidr } = plan.networks[network] ?? {};
    return bridge === undefined || cidr === undefined ? [] : [{ network, bridge, cidr }];
  });
}

/** The range of the management network. */
export function managementRange(plan: NestedPlan): AddressRange {
  const range = parseRange(plan.networks.management.cidr);
  if (range === undefined) throw new TypeError("the plan's management range is no CIDR");
  return range;
}
