import { expect, test } from "vitest";
import { deriveId } from "../../providers/core/ids.ts";
import type { CachedImage, ComputeHost, DomainSpec, EnrolRequest } from "../../providers/core/ports.ts";
import { FakeCompute } from "../fakes/compute.ts";
import { describeComputePorts, type ComputeStage } from "./compute-ports.ts";

const cloudId = deriveId<"cloud">("contract");
const networkId = deriveId<"resource">("network");
const subnetId = deriveId<"resource">("subnet");
const imageId = deriveId<"resource">("image");

function requestOf(n: number): EnrolRequest {
  return {
    id: deriveId<"host">(String(n)),
    cloudId,
    address: { name: `h${String(n)}`, transport: "ssh", address: `h${String(n)}.test` },
    datapath: undefined,
    virtType: undefined,
    tunnelAddress: `10.99.0.${String(n)}/24`,
    tunnelInterface: "eth1",
    folder: "/var/lib/stackyard",
  };
}

function hostOf(n: number): ComputeHost {
  const { address, ...request } = requestOf(n);
  return {
    ...request,
    address,
    name: address.name,
    datapath: "netdev",
    virtType: "qemu",
    tunnelAddress: `10.99.0.${String(n)}`,
  };
}

function macOf(n: number): string {
  return `fa:16:3e:00:00:0${String(n)}`;
}

const portId = (n: number) => deriveId<"resource">("port", String(n));

function domainOf(n: number, image: CachedImage): DomainSpec {
  return {
    id: deriveId<"resource">("server", String(n)),
    name: `guest ${String(n)}`,
    cloudId,
    projectId: deriveId<"resource">("project"),
    vcpus: 1,
    ramMib: 160,
    diskGib: 1,
    image: { ...image, diskFormat: undefined, kernelArguments: "" },
    interfaces: [{ portId: portId(n), mac: macOf(n), localVlan: 1, mtuBytes: 1450 }],
    configDrive: { metaData: {}, networkData: {}, userData: undefined },
    hardware: { machine: undefined, diskBus: "virtio", nicModel: "virtio", guestAgent: false, rng: true },
  };
}

function openFake(): Promise<ComputeStage> {
  const compute = new FakeCompute();
  compute.addMachine("h1.test");
  compute.addMachine("h2.test");
  return Promise.resolve({
    compute,
    requests: [requestOf(1), requestOf(2)],
    hosts: [hostOf(1), hostOf(2)],
    image: {
      id: imageId,
      name: "guest",
      disk: undefined,
      kernel: {
        source: { location: "/images/vmlinuz", checksum: undefined },
        checksum: `sha256:${"b".repeat(64)}`,
        sizeBytes: 8_388_608,
      },
      initrd: undefined,
    },
    domainOf,
    network: {
      id: networkId,
      name: "net",
      vni: 1001,
      localVlan: 1,
      mtuBytes: 1450,
      subnets: [
        { id: subnetId, cidr: "10.50.0.0/24", gateway: undefined, dhcpAddress: "10.50.0.2", dnsServers: [] },
      ],
    },
    portOf: (n) => ({
      id: portId(n),
      serverId: deriveId<"resource">("server", String(n)),
      mac: macOf(n),
      networkId,
      addresses: [{ subnetId, address: `10.50.0.1${String(n)}` }],
      hostname: `guest${String(n)}`,
    }),
    addForeignDomain: (n) => {
      compute.addForeignDomain("h1.test", domainOf(n, noImage).id);
      return Promise.resolve();
    },
    removeForeignDomain: (n) => {
      compute.meddle("h1.test", domainOf(n, noImage).id, "undefine");
      return Promise.resolve();
    },
    close: compute.close,
  });
}

const noImage: CachedImage = { diskPath: undefined, kernelPath: undefined, initrdPath: undefined };

describeComputePorts("fake compute", openFake);

test("the fake is strict: a domain on a network that its host lacks is a mistake of ours", async () => {
  const { compute, requests, hosts } = await openFake();
  const { signal } = new AbortController();
  await compute.hosts.enrol(requests[0], signal);

  await expect(compute.domains.spawn(hosts[0], domainOf(1, noImage), true, signal)).rejects.toThrow(
    "is not wired with VLAN 1",
  );
});

test("the fake is strict: what is done on a host that is not enrolled is a mistake of ours", async () => {
  const { compute, hosts, network, portOf } = await openFake();
  const { signal } = new AbortController();

  await expect(compute.switching.ensureNetwork(hosts[0], network, [], [portOf(1)], signal)).rejects.toThrow(
    "host h1 is not enrolled",
  );
});
