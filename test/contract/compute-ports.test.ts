import { expect, test } from "vitest";
import { deriveId } from "../../providers/core/ids.ts";
import type { CachedImage, ComputeHost, EnrolRequest } from "../../providers/core/ports.ts";
import { FakeCompute } from "../fakes/compute.ts";
import type { FakeDefinition } from "../fakes/host.ts";
import { cloudId, network, portOf, serverOf } from "../support/compute-specimens.ts";
import { foreignDomain } from "../support/foreign-domain.ts";
import { describeComputePorts, handmadeBytes, type ComputeStage } from "./compute-ports.ts";

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

function openFake(): Promise<ComputeStage & { readonly compute: FakeCompute }> {
  const compute = new FakeCompute();
  compute.addMachine("h1.test");
  compute.addMachine("h2.test");
  return Promise.resolve({
    compute,
    requests: [requestOf(1), requestOf(2)],
    hosts: [hostOf(1), hostOf(2)],
    gone: hostOf(3),
    image: {
      id: deriveId<"resource">("image"),
      name: "guest",
      disk: undefined,
      kernel: {
        source: { location: "/images/vmlinuz", checksum: undefined },
        checksum: `sha256:${"b".repeat(64)}`,
        sizeBytes: 8_388_608,
      },
      initrd: undefined,
    },
    disk: { location: "/images/blank.qcow2", checksum: undefined },
    domainOf: serverOf,
    meddle: (id, how) => {
      compute.meddle("h1.test", id, how);
      return Promise.resolve();
    },
    defineByHand: ({ id, name, mac, diskPath, format }) => {
      const size = {
        sizeBytes: handmadeBytes,
        fileBytes: 0,
        basePaths: [],
        isEncrypted: false,
        copyBytes: 0,
      };
      const file = { ...size, transfer: format === "qcow2" ? ("move" as const) : ("copy" as const) };
      const disk = { target: "vda", bus: "virtio", source: diskPath, isFile: true, format, file, usedBy: [] };
      const defined = {
        ...foreignDomain,
        id,
        name,
        disks: [disk],
        interfaces: [{ mac, source: "bridge br-int" }],
      };
      compute.defineForeign("h1.test", { ...defined, vcpus: 1, ramMib: 64 }, `data of ${name}`);
      return Promise.resolve();
    },
    digestOf: (place) => {
      const content = compute.contentOf("h1.test", "diskPath" in place ? place.diskPath : place.id);
      return content === undefined
        ? Promise.reject(new Error("nothing was written there"))
        : Promise.resolve(content);
    },
    hasOpen: (id, volume) =>
      Promise.resolve(
        compute.withMachine("h1.test", ({ domains }) => hasVolume(domains[id]?.live, volume.id)),
      ),
    capacityOf: (id, device) =>
      Promise.resolve(
        compute.withMachine("h1.test", ({ domains, folders }) => {
          const live = domains[id]?.live;
          const told =
            device === "vda"
              ? (live?.rootBytes ?? folders[id]?.disk?.sizeBytes)
              : live?.volumes.find((volume) => volume.device === device)?.sizeBytes;
          return told ?? 0;
        }),
      ),
    bootOf: (n) => Promise.resolve(`boot ${String(compute.bootsOf(portOf(n).serverId))}`),
    hostnameOf: (n) => Promise.resolve(compute.hostnameOf(portOf(n).serverId) ?? ""),
    survey: () => Promise.resolve(JSON.stringify(compute.survey())),
    close: compute.close,
  });
}

function hasVolume(live: FakeDefinition | undefined, id: string): boolean {
  return live !== undefined && (live.disks.includes(id) || live.volumes.some((volume) => volume.id === id));
}

const noImage: CachedImage = { diskPath: undefined, kernelPath: undefined, initrdPath: undefined };

describeComputePorts("fake compute", openFake);

test("the fake is strict: a domain on a network that its host lacks is a mistake of ours", async () => {
  const { compute, requests, hosts } = await openFake();
  const { signal } = new AbortController();
  await compute.hosts.enrol(requests[0], () => undefined, signal);

  await expect(compute.domains.spawn(hosts[0], serverOf(1, noImage), true, signal)).rejects.toThrow(
    "is not wired with VLAN 1",
  );
});

test("the fake is strict: what is done on a host that is not enrolled is a mistake of ours", async () => {
  const { compute, hosts } = await openFake();
  const { signal } = new AbortController();

  await expect(compute.switching.ensureNetwork(hosts[0], network, [], [portOf(1)], signal)).rejects.toThrow(
    "host h1 is not enrolled",
  );
});

test("a guest of the fake can be made to let go of no volume", async () => {
  const { compute, requests, hosts } = await openFake();
  const { signal } = new AbortController();
  const server = { ...serverOf(1, noImage), interfaces: [] };
  const volume = { place: { backend: "file" }, id: deriveId<"resource">("volume") } as const;
  await compute.hosts.enrol(requests[0], () => undefined, signal);
  const spec = { ...volume, sizeGib: 1, source: { kind: "blank" } } as const;
  await compute.volumes.ensureVolume(hosts[0], spec, () => undefined, signal);
  await compute.domains.spawn(hosts[0], server, true, signal);
  const attached = { volume, device: "vdb", isReadOnly: false, isShared: false, qos: {} };
  await compute.domains.attachVolume(hosts[0], server.id, attached, signal);
  compute.meddle("h1.test", server.id, "hold its volumes");

  await expect(compute.domains.detachVolume(hosts[0], server.id, volume.id, 0, signal)).rejects.toMatchObject(
    { code: "in-use" },
  );
  await compute.domains.stop(hosts[0], server.id, 0, signal);
  await compute.domains.detachVolume(hosts[0], server.id, volume.id, 0, signal);
  expect(await compute.domains.observe(hosts[0], server, signal)).toMatchObject({ drift: [] });
});
