import { createHash } from "node:crypto";
import { z } from "zod";
import { addressAt, firstHostOffset, parseRange } from "../addresses.ts";
import type { AddressRange, LabRanges } from "../addresses.ts";
import { diskFolderOf } from "../folders.ts";
import { macOf, uuidOf } from "../host-identity.ts";
import { hostRoles } from "../topology.ts";
import type { Topology } from "../topology.ts";

const linkSchema = z.object({
  /** The machine's end, at most 15 characters. */
  name: z.string(),
  /** The host's end: fixed, so that a host made again is reachable at once (a changed MAC stays in ARP caches). */
  mac: z.string(),
});

const labHostSchema = z.object({
  name: z.string(),
  roles: z.array(z.enum(hostRoles)),
  /** Stable identity: libvirt's host uuid and Open vSwitch's system id. */
  uuid: z.string(),
  address: z.string(),
  tunnelAddress: z.string(),
  diskFolder: z.string(),
  links: z.object({ management: linkSchema, data: linkSchema }),
});

export const labPlanSchema = z.object({
  name: z.string(),
  folder: z.string(),
  networks: z.object({
    management: z.object({ cidr: z.string(), gateway: z.string(), bridge: z.string() }),
    data: z.object({ cidr: z.string(), bridge: z.string(), mtuBytes: z.int() }),
  }),
  hosts: z.array(labHostSchema),
  ceph: z
    .object({
      /** Name of its host. */
      host: z.string(),
      /** The same for every cluster that this lab has had. */
      fsid: z.string(),
      objectStore: z.enum(["memstore", "bluestore"]),
      osds: z.int(),
    })
    .optional(),
});

/** One host as it will be made. Addresses of `tunnelAddress` carry their prefix. */
export type LabHost = z.infer<typeof labHostSchema>;

/** Every name, address and MAC of a lab, a pure function of topology, folder and ranges. */
export type LabPlan = z.infer<typeof labPlanSchema>;

/** The lab's small Ceph. */
export type LabCeph = NonNullable<LabPlan["ceph"]>;

/** Which of a host's two links. */
export type LinkNetwork = "management" | "data";

/**
 * Plans a lab. Links are named after the lab's folder, not its name: two users' labs of one name do not clash.
 * @param folder the lab's own folder, absolute.
 */
export function planLab(topology: Topology, folder: string, ranges: LabRanges): LabPlan {
  const hash = createHash("sha256").update(folder).digest("hex");
  const tag = `sy${hash.slice(0, 7)}`;
  const storage = topology.hosts.find(({ roles }) => roles.includes("ceph"));
  return {
    name: topology.name,
    folder,
    ...(storage === undefined
      ? {}
      : {
          ceph: {
            host: storage.name,
            fsid: uuidOf(`${folder} ceph`),
            objectStore: topology.ceph?.objectStore ?? "memstore",
            osds: topology.ceph?.osds ?? 1,
          },
        }),
    networks: {
      management: {
        cidr: ranges.management.cidr,
        gateway: addressAt(ranges.management, 1),
        bridge: `${tag}m`,
      },
      data: { cidr: ranges.data.cidr, bridge: `${tag}d`, mtuBytes: topology.networks.data.mtuBytes },
    },
    hosts: topology.hosts.map((host, index) => ({
      name: host.name,
      roles: host.roles,
      uuid: uuidOf(`${folder}/${host.name}`),
      address: addressAt(ranges.management, firstHostOffset + index),
      tunnelAddress: `${addressAt(ranges.data, firstHostOffset + index)}/${String(ranges.data.prefix)}`,
      diskFolder: diskFolderOf(topology, folder, host.name),
      links: {
        management: { name: `${tag}m${String(index + 1)}`, mac: macOf(folder, "management", index + 1) },
        data: { name: `${tag}d${String(index + 1)}`, mac: macOf(folder, "data", index + 1) },
      },
    })),
  };
}

/** The range of a plan's network. */
export function rangeOf(plan: LabPlan, network: LinkNetwork): AddressRange {
  const range = parseRange(plan.networks[network].cidr);
  if (range === undefined) throw new TypeError(`the plan's ${network} range is no CIDR`);
  return range;
}
