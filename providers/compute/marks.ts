import { createHash } from "node:crypto";
import { deriveId, nameDevice, type CloudId, type ResourceId } from "../core/ids.ts";

/**
 * Names and ownership marks of what compute makes on hosts. Everything carries the cloud's id: libvirt domains in their metadata, Open vSwitch
 * rows in `external_ids`, files by lying in the host's folder, which holds `cloud.json`.
 */

/** XML namespace of our element in a domain's `<metadata>`. */
export const domainNamespace = "https://stackyard.dev/xmlns/domain/1";

/** Prefix of its elements. */
export const domainPrefix = "stackyard";

/** Keys of Open vSwitch `external_ids`. */
export const ovsKeys = {
  cloud: "stackyard-cloud",
  host: "stackyard-host",
  network: "stackyard-network",
  peer: "stackyard-peer",
} as const;

/** Bridge that all guests' ports are on (neutron: `integration_bridge`). */
export const integrationBridge = "br-int";
/** Bridge that holds the tunnel interface of a userspace datapath. */
export const underlayBridge = "br-underlay";

/** Name of a server's domain: short, since libvirt makes socket paths of it, and unique in a cloud. */
export function nameDomain(serverId: string): string {
  return `stackyard-${serverId.slice(0, 13)}`;
}

/** Name of a port's tap device. */
export function nameTap(portId: string): string {
  return nameDevice(portId);
}

/** Name of the internal port of a network's DHCP server (neutron: `neutron/agent/linux/dhcp.py`). */
export function nameDhcpPort(networkId: string): string {
  return nameDevice(networkId);
}

/** Name of the namespace of a network's DHCP server (neutron: `NS_PREFIX` in `neutron/agent/linux/dhcp.py`). */
export function nameNamespace(networkId: string): string {
  return `qdhcp-${networkId}`;
}

/** Name of the tunnel port of a network towards a peer; device names have at most 15 characters. */
export function nameTunnel(networkId: string, peerId: string): string {
  return `vx${createHash("sha256").update(`${networkId} ${peerId}`).digest("hex").slice(0, 12)}`;
}

/**
 * Cookie of a network's flows: they are replaced and removed by it, and found by it as text. Open vSwitch prints numbers without leading zeros; that
 * the id's version is among the digits leaves some.
 */
export function nameCookie(networkId: string): string {
  return `0x${networkId.replaceAll("-", "").slice(0, 15).replace(/^0+/, "")}`;
}

/** Roles of the cloud's users of a Ceph cluster, by the services that take them in OpenStack; `libvirt` is the guests'. */
export const cephRoles = ["glance", "cinder", "libvirt"] as const;
export type CephRole = (typeof cephRoles)[number];

/** Name of a user of the cloud's own, without `client.`: no other cloud, nor an OpenStack on the same cluster, has one of that name. */
export function nameCephUser(cloudId: CloudId, role: CephRole): string {
  return `stackyard-${cloudId.slice(0, 8)}-${role}`;
}

/** Keys of a pool's metadata for the application `rbd`. */
export const poolKeys = {
  cloud: "stackyard-cloud",
  pool: "stackyard-id",
} as const;

/** Name of a pool while it is being made: it is renamed when it is whole, so that no pool is ours without the mark. */
export function nameUnfinishedPool(poolId: ResourceId): string {
  return `stackyard-${poolId}`;
}

/** Uuid of the libvirt secret, on each host, with the key of the guests' user of a cluster. */
export function nameCephSecret(clusterId: ResourceId): string {
  return deriveId("ceph secret", clusterId);
}

/** What libvirt says that the secret is for; unique among a host's secrets. */
export function nameSecretUsage(cloudId: CloudId, clusterId: ResourceId): string {
  return `client.${nameCephUser(cloudId, "libvirt")} of ${clusterId}`;
}

/** Uuid of the libvirt secret, on each host whose servers have an encrypted volume, with the volume's key. */
export function nameVolumeSecret(volumeId: ResourceId): string {
  return deriveId("volume secret", volumeId);
}

/** What libvirt says that it is for; unique among a host's secrets. */
export function nameVolumeSecretUsage(cloudId: CloudId, volumeId: string): string {
  return `stackyard-${cloudId.slice(0, 8)} volume ${volumeId}`;
}

/** Mark of a libvirt secret: it has no other place for one than its description. */
export function describeSecret(cloudId: CloudId, kind: "cluster" | "volume", id: string): string {
  return `stackyard cloud ${cloudId} ${kind} ${id}`;
}
