import { deriveId } from "../../providers/core/ids.ts";
import type {
  CachedImage,
  DomainSpec,
  NetworkSpec,
  PortSpec,
  ReadinessRequest,
  ReadinessRung,
} from "../../providers/core/ports.ts";

/** One network and numbered servers on it, each with one port, as compute is given them. */

export const cloudId = deriveId<"cloud">("compute test");
export const projectId = deriveId<"resource">("project");

export const network: NetworkSpec = {
  id: deriveId<"resource">("network"),
  name: "net",
  networkType: "vxlan",
  vni: 1001,
  localVlan: 1,
  mtuBytes: 1450,
  subnets: [
    {
      id: deriveId<"resource">("subnet"),
      cidr: "10.50.0.0/24",
      gateway: undefined,
      dhcpAddress: "10.50.0.2",
      dnsServers: [],
    },
  ],
};

/** The port of the n-th server, which has the address 10.50.0.1N. */
export function portOf(n: number): PortSpec {
  return {
    id: deriveId<"resource">("port", String(n)),
    serverId: deriveId<"resource">("server", String(n)),
    mac: `fa:16:3e:00:00:0${String(n)}`,
    networkId: network.id,
    addresses: [{ subnetId: deriveId<"resource">("subnet"), address: addressOf(n) }],
    hostname: `guest${String(n)}`,
  };
}

export function addressOf(n: number): string {
  return `10.50.0.1${String(n)}`;
}

/** The n-th server: one NIC, a blank disk of 1 GiB, a key to log in with. */
export function serverOf(
  n: number,
  image: CachedImage,
  { kernelArguments = "", publicKey = "" }: { kernelArguments?: string; publicKey?: string } = {},
): DomainSpec {
  const port = portOf(n);
  return {
    id: port.serverId,
    name: `guest <${String(n)}> & "co"`,
    cloudId,
    projectId,
    vcpus: 1,
    ramMib: 160,
    diskGib: 1,
    image: { ...image, diskFormat: undefined, kernelArguments },
    interfaces: [
      { portId: port.id, mac: port.mac, localVlan: network.localVlan, mtuBytes: network.mtuBytes },
    ],
    hostname: port.hostname,
    configDrive: {
      metaData: { uuid: port.serverId, hostname: port.hostname, public_keys: { lab: publicKey } },
      networkData: {},
      userData: undefined,
    },
    hardware: { machine: undefined, diskBus: "virtio", nicModel: "virtio", guestAgent: false, rng: true },
  };
}

/** Waiting for the n-th server, long enough for an emulated guest on a busy machine. */
export function readinessOf(n: number, until: ReadinessRung): ReadinessRequest {
  return {
    until,
    limitsMs: { running: 10_000, address: 120_000, ssh: 60_000, "cloud-init": 60_000 },
    address: { networkId: network.id, address: addressOf(n) },
  };
}
