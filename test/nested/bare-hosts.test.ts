import { afterAll, beforeAll, expect, test } from "vitest";
import { buildGuest, guestCommandLine } from "../../lab/guest/build.ts";
import { labHosts } from "../../lab/inventory.ts";
import { bringUp, changePower, runOnHost } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make, textOf } from "../support/cloud.ts";
import { openGuestShell, type GuestShell } from "../support/guest-shell.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

/** Two hosts with Debian as it is installed become hosts of a cloud, and come back from a boot as declared. */
const labName = "bare-hosts";
const names = ["h1", "h2"] as const;
const patience = { timeout: 300_000, interval: 1_000 };

let labs: LabFolder;
let cloud: Cloud;
let shell: GuestShell;
let servers: readonly ResourceView[];

beforeAll(async () => {
  labs = openLabFolder(labName);
  await bringUp(parseTopology({ name: labName, driver: "nested", packages: "none", hosts: [...names] }));
  cloud = await openCloud({ config: readConfig({ STACKYARD_HOME: labs.path }) });
  shell = await openGuestShell(cloud, labs.path);
});

afterAll(async () => {
  await cloud.close();
  await labs.close();
});

function onHost(host: string, script: string): Promise<string> {
  return runOnHost(labName, host, ["sh", "-c", script]).then(({ stdout }) => stdout);
}

async function reaches(from: ResourceView, to: ResourceView): Promise<boolean> {
  const address = textOf(to.outputs, "address");
  return shell.inGuest(from, `ping -c 2 -W 5 ${address}`).then(
    () => true,
    () => false,
  );
}

test("have neither libvirt nor Open vSwitch", async () => {
  for (const host of names)
    expect(await onHost(host, "command -v virsh ovs-vsctl || echo none")).toBe("none\n");
});

test("are enrolled by their own apt, and run servers whose network is Geneve on the kernel's datapath", async () => {
  await Promise.all(
    labHosts(labName).map(({ name, ...host }) =>
      make(cloud, "host", name, { ...host, availabilityZone: name }),
    ),
  );
  const { kernel, initrd } = await buildGuest();
  const image = await make(cloud, "image", "guest", {
    kernel: { location: kernel },
    initrd: { location: initrd },
    kernelArguments: guestCommandLine,
  });
  const flavor = await make(cloud, "flavor", "tiny", { vcpus: 1, ramMib: 128 });
  const network = await make(cloud, "network", "net", { networkType: "geneve" });
  await make(cloud, "subnet", "subnet", { network: network.id, cidr: "10.61.0.0/24" });
  servers = await Promise.all(
    names.map((host) =>
      make(cloud, "server", `web-${host}`, {
        flavor: flavor.id,
        image: image.id,
        keypair: shell.keypair.id,
        networks: [{ network: network.id }],
        availabilityZone: host,
        waitFor: "ssh",
      }),
    ),
  );
  const [first, second] = servers;
  if (first === undefined || second === undefined) throw new Error("there are two");
  expect(await reaches(first, second)).toBe(true);
  expect(await onHost("h1", "ovs-dpctl show; ovs-vsctl get bridge br-int datapath_type")).toMatch(
    /geneve[^]*system\n$/,
  );
  expect(await cloud.drift()).toMatchObject({ findings: [], failures: [] });
});

test.each(["reset", "cut"] as const)(
  "come back from a %s with their servers, and nothing differs",
  async (action) => {
    const [first, second] = servers;
    if (first === undefined || second === undefined) throw new Error("there are two");
    const bootId = await onHost("h1", "cat /proc/sys/kernel/random/boot_id");
    await changePower(labName, "h1", action);
    await changePower(labName, "h1", "on");
    expect(await onHost("h1", "cat /proc/sys/kernel/random/boot_id")).not.toBe(bootId);
    await expect.poll(() => reaches(second, first), patience).toBe(true);
    await expect.poll(() => cloud.drift(), patience).toMatchObject({ findings: [], failures: [] });
  },
);
