import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGuest, guestCommandLine } from "../../lab/guest/build.ts";
import { readInventory } from "../../lab/inventory.ts";
import type { Inventory, InventoryHost } from "../../lab/inventory.ts";
import { bringUp, runOnHost, tearDown } from "../../lab/lab.ts";
import { runProcess } from "../../lab/namespace/process.ts";
import { parseTopology } from "../../lab/topology.ts";
import { openCompute } from "../../providers/compute/compute.ts";
import type { Compute } from "../../providers/compute/compute.ts";
import { relayToGuest } from "../../providers/compute/guest-access.ts";
import { deriveId } from "../../providers/core/ids.ts";
import type {
  CachedImage,
  ComputeHost,
  DomainSpec,
  EnrolRequest,
  ImageSpec,
  NetworkSpec,
  PortSpec,
  ReadinessRequest,
  ReadinessRung,
} from "../../providers/core/ports.ts";
import { sh } from "../../providers/hosts/command.ts";
import { openHostPool } from "../../providers/hosts/pool.ts";

export const cloudId = deriveId<"cloud">("compute test");
export const projectId = deriveId<"resource">("project");
export const labName = "compute";

/** A host of the lab as a test needs it: how it is enrolled, what it is then, and a shell on it. */
export interface LabHost {
  readonly request: EnrolRequest;
  readonly host: ComputeHost;
  /** Runs a command and gives its output without the last line break. */
  run(command: string): Promise<string>;
  /** Runs a command in the n-th guest, by ssh that is relayed through this host. */
  inGuest(n: number, command: string): Promise<string>;
}

/** Two hosts of a lab of its own, and compute to drive them. */
export interface ComputeLab {
  readonly compute: Compute;
  readonly inventory: Inventory;
  readonly h1: LabHost;
  readonly h2: LabHost;
  /** All that compute could leave on the hosts, as text. */
  survey(): Promise<string>;
  close(): Promise<void>;
}

/** Brings the lab up in a folder of its own. */
export async function openComputeLab(): Promise<ComputeLab> {
  const stateHome = mkdtempSync(join(tmpdir(), "stackyard-compute-test-"));
  process.env["XDG_STATE_HOME"] = stateHome;
  await bringUp(parseTopology({ name: labName, hosts: 2, diskFolder: join(stateHome, "disks") }));
  const inventory = readInventory(labName);
  const pool = openHostPool({ ssh: { environment: { home: stateHome, user: "root" } } });
  const [h1, h2] = inventory.hosts.map(toLabHost);
  if (h1 === undefined || h2 === undefined) throw new Error("the lab has no two hosts");
  return {
    compute: openCompute({ pool }),
    inventory,
    h1,
    h2,
    survey: async () => (await Promise.all([h1, h2].map((host) => host.run(surveyCommand)))).join("\n--\n"),
    async close() {
      await pool.closeAll();
      await tearDown(labName);
      rmSync(stateHome, { recursive: true });
    },
  };
}

const surveyCommand = `ovs-vsctl --columns=name list Bridge; ovs-vsctl --columns=name list Port | sort
ovs-vsctl get Open_vSwitch . external_ids | tr ',' '\\n' | grep stackyard
virsh -q list --all --uuid; ls /run/netns; find /var/lib/libvirt/images -not -path '*/locks/*' | sort; ip -oneline -4 address; pgrep dnsmasq`;

function toLabHost(host: InventoryHost): LabHost {
  const request: EnrolRequest = {
    id: deriveId<"host">(host.name),
    cloudId,
    address: { transport: "ssh", ...host },
    datapath: undefined,
    virtType: undefined,
    tunnelAddress: host.tunnelAddress,
    tunnelInterface: host.tunnelInterface,
    folder: "/var/lib/libvirt/images/stackyard",
  };
  return {
    request,
    host: {
      ...request,
      name: host.name,
      datapath: "netdev",
      tunnelAddress: host.tunnelAddress.replace(/\/.*/, ""),
      virtType: "qemu",
    },
    run: async (command) => (await runOnHost(labName, host.name, ["sh", "-c", command])).stdout.trim(),
    async inGuest(n, command) {
      const key = ["-i", host.identityFile];
      const hop = [...key, "-o", `UserKnownHostsFile=${host.knownHostsFile}`, `root@${host.address}`];
      const proxy = sh`ssh ${hop} ${relayToGuest(network.id, addressOf(n), 22).text}`.text;
      const guest = [
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
      ];
      const result = await runProcess(
        "ssh",
        [
          ...key,
          ...guest,
          "-o",
          `ProxyCommand=${proxy.replaceAll("%", "%%")}`,
          `root@${addressOf(n)}`,
          command,
        ],
        { timeoutMs: 120_000 },
      );
      return `${result.stdout}${result.stderr}`.trim();
    },
  };
}

export const network: NetworkSpec = {
  id: deriveId<"resource">("network"),
  name: "net",
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

/** The lab's test guest as an image: kernel and initrd, without a disk. */
export async function describeGuestImage(
  inspect: (path: string) => Promise<{ readonly checksum: string; readonly sizeBytes: number }>,
): Promise<ImageSpec> {
  const { kernel, initrd } = await buildGuest();
  const fileOf = async (path: string) => ({
    source: { location: path, checksum: undefined },
    ...(await inspect(path)),
  });
  return {
    id: deriveId<"resource">("guest image"),
    name: "guest",
    disk: undefined,
    kernel: await fileOf(kernel),
    initrd: await fileOf(initrd),
  };
}

/** The n-th server: one NIC, a blank disk, the lab's key to log in with. */
export function serverOf(n: number, image: CachedImage, { hosts }: Inventory): DomainSpec {
  const publicKey = readFileSync(`${hosts[0]?.identityFile ?? ""}.pub`, "utf8").trim();
  const port = portOf(n);
  return {
    id: deriveId<"resource">("server", String(n)),
    name: `guest <${String(n)}> & "co"`,
    cloudId,
    projectId,
    vcpus: 1,
    ramMib: 160,
    diskGib: 1,
    image: { ...image, diskFormat: undefined, kernelArguments: guestCommandLine },
    interfaces: [
      { portId: port.id, mac: port.mac, localVlan: network.localVlan, mtuBytes: network.mtuBytes },
    ],
    configDrive: {
      metaData: {
        uuid: deriveId("server", String(n)),
        hostname: port.hostname,
        public_keys: { lab: publicKey },
      },
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
