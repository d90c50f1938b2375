import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildGuest, guestCommandLine } from "../../lab/guest/build.ts";
import { readInventory } from "../../lab/inventory.ts";
import type { Inventory, InventoryHost } from "../../lab/inventory.ts";
import { bringUp, runOnHost } from "../../lab/lab.ts";
import { expectProcess } from "../../lab/process.ts";
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
} from "../../providers/core/ports.ts";
import { sh } from "../../providers/hosts/command.ts";
import { openHostPool } from "../../providers/hosts/pool.ts";
import { addressOf, cloudId, network, serverOf } from "./compute-specimens.ts";
import { openLabFolder } from "./lab-folder.ts";

/** A host of the lab as a test needs it: how it is enrolled, what it is then, and a shell on it. */
export interface LabHost {
  readonly request: EnrolRequest;
  readonly host: ComputeHost;
  /** Runs a command and gives its output without the last line break. */
  run(command: string): Promise<string>;
  /** Runs a command in the n-th guest, by ssh that is relayed through this host, and gives its output. Raises when it fails. */
  inGuest(n: number, command: string): Promise<string>;
}

/** Two hosts of a lab of its own, and compute to drive them. */
export interface ComputeLab {
  readonly compute: Compute;
  readonly inventory: Inventory;
  /** On this machine, and gone with the lab. */
  readonly folder: string;
  readonly h1: LabHost;
  readonly h2: LabHost;
  /** The n-th server, booting the test guest, with the lab's key to log in with. */
  guestOf(n: number, image: CachedImage): DomainSpec;
  /** All that compute could leave on the hosts, as text. */
  survey(): Promise<string>;
  close(): Promise<void>;
}

/** Brings a lab of this name up in a folder of its own. */
export async function openComputeLab(labName: string): Promise<ComputeLab> {
  const labs = openLabFolder("compute-test");
  await bringUp(parseTopology({ name: labName, hosts: 2, diskFolder: join(labs.path, "disks") }));
  const inventory = readInventory(labName);
  const pool = openHostPool({ ssh: { environment: { home: labs.path, user: "root" } } });
  const [h1, h2] = inventory.hosts.map((host) => toLabHost(labName, host));
  if (h1 === undefined || h2 === undefined) throw new Error("the lab has no two hosts");
  const publicKey = readFileSync(`${h1.request.address.identityFile ?? ""}.pub`, "utf8").trim();
  return {
    compute: openCompute({ pool }),
    inventory,
    folder: labs.path,
    h1,
    h2,
    guestOf: (n, image) => serverOf(n, image, { kernelArguments: guestCommandLine, publicKey }),
    survey: async () => (await Promise.all([h1, h2].map((host) => host.run(surveyCommand)))).join("\n--\n"),
    async close() {
      await pool.closeAll();
      await labs.close();
    },
  };
}

const surveyCommand = `ovs-vsctl --columns=name list Bridge; ovs-vsctl --columns=name list Port | sort
ovs-vsctl get Open_vSwitch . external_ids | tr ',' '\\n' | grep stackyard
virsh -q list --all --uuid; ls /run/netns; find /var/lib/libvirt/images -not -path '*/locks/*' | sort; ip -oneline -4 address; pgrep dnsmasq`;

function toLabHost(labName: string, host: InventoryHost): LabHost {
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
      const output = await expectProcess(
        `a command in guest ${String(n)}`,
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
      return output.trim();
    },
  };
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
