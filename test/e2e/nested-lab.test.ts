import { existsSync, readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildGuest, guestCommandLine } from "../../lab/guest/build.ts";
import { labFiles, labFolder } from "../../lab/folders.ts";
import { labHosts } from "../../lab/inventory.ts";
import {
  bringUp,
  describeLab,
  listLabSnapshots,
  removeLabSnapshot,
  restoreLab,
  runOnHost,
  snapshotLab,
  tearDown,
} from "../../lab/lab.ts";
import { findMachine } from "../../lab/nested/machine.ts";
import { findSwitch } from "../../lab/nested/network.ts";
import { readState } from "../../lab/state.ts";
import { parseTopology } from "../../lab/topology.ts";
import { cloneLab } from "../../lab/transfer.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make, textOf } from "../support/cloud.ts";
import { openGuestShell, type GuestShell } from "../support/guest-shell.ts";
import { testLabDriver } from "../support/lab-driver-contract.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

/** One virtual machine with KVM in it, as every CI run has it; three of them are tested by `npm run test:nested`. */
const topology = parseTopology({
  name: "nested",
  driver: "nested",
  hosts: [{ name: "h1", ramMib: 1536 }],
  networks: { storage: {} },
});

let labs: LabFolder;
let cloud: Cloud;
let shell: GuestShell;

beforeAll(async () => {
  labs = openLabFolder("nested-test");
  await bringUp(topology);
  cloud = await openCloud({ config: readConfig({ STACKYARD_HOME: labs.path }) });
}, 900_000); // An image that is not in the cache is built first.

afterAll(async () => {
  await cloud.close();
  await labs.close();
}, 60_000);

function planOf(name: string) {
  const state = readState(name);
  if (state.driver !== "nested") throw new Error("another driver");
  return state.plan;
}

describe("a lab of virtual machines", () => {
  testLabDriver({ ...topology }, "login:");

  test("has KVM in its hosts, the kernel's Open vSwitch, and each network", async () => {
    const script =
      "ls /dev/kvm; virsh domcapabilities --virttype kvm > /dev/null && echo kvm; ip -brief -4 address show eth2";
    const { stdout } = await runOnHost("nested", "h1", ["sh", "-c", script]);
    const { storage } = planOf("nested").networks;
    expect(stdout).toMatch(/^\/dev\/kvm\nkvm\neth2 +UP +/);
    expect(stdout).toContain(planOf("nested").hosts[0]?.storageAddress);
    expect(storage?.mtuBytes).toBe(1500);
  });
});

describe("a server on it", () => {
  let server: ResourceView;

  beforeAll(async () => {
    shell = await openGuestShell(cloud, labs.path);
    for (const { name, ...host } of labHosts("nested")) await make(cloud, "host", name, host);
    const { kernel, initrd } = await buildGuest();
    const image = await make(cloud, "image", "guest", {
      kernel: { location: kernel },
      initrd: { location: initrd },
      kernelArguments: guestCommandLine,
    });
    const flavor = await make(cloud, "flavor", "tiny", { vcpus: 1, ramMib: 128 });
    const network = await make(cloud, "network", "net");
    await make(cloud, "subnet", "subnet", { network: network.id, cidr: "10.60.0.0/24" });
    server = await make(cloud, "server", "web", {
      flavor: flavor.id,
      image: image.id,
      keypair: shell.keypair.id,
      networks: [{ network: network.id }],
      waitFor: "ssh",
    });
  });

  test("runs on KVM inside the host, on the kernel's datapath", async () => {
    const script =
      'virsh dumpxml "$(virsh list --name | head -n 1)" | grep -o "<domain type=.kvm."; ovs-vsctl get bridge br-int datapath_type';
    const { stdout } = await runOnHost("nested", "h1", ["sh", "-c", script]);
    expect(stdout).toBe("<domain type='kvm'\nsystem\n");
    expect(await shell.inGuest(server, "hostname")).toBe("web\n");
  });

  test("goes on where it was when the lab is brought back to a snapshot", async () => {
    await shell.inGuest(server, "echo before > /tmp/mark");
    const taken = await snapshotLab("nested", "running");
    expect(taken.hosts).toEqual([{ name: "h1", memoryBytes: expect.any(Number) as unknown }]);
    await expect(snapshotLab("nested", "running")).rejects.toMatchObject({ code: "conflict" });
    await shell.inGuest(server, "echo after > /tmp/mark");
    await runOnHost("nested", "h1", ["sh", "-c", "echo later > /root/later; sync"]);
    const lab = await restoreLab("nested", "running");
    expect(lab.state).toBe("up");
    expect(await shell.inGuest(server, "cat /tmp/mark")).toBe("before\n");
    const { stdout } = await runOnHost("nested", "h1", ["sh", "-c", "ls /root; date +%s"]);
    const [seconds = ""] = stdout.trim().split("\n").slice(-1);
    expect(stdout).not.toContain("later");
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
    expect(textOf((await cloud.find("server", server.id)).outputs, "status")).toBe("ACTIVE");
  });

  test("runs in a second lab as well when the lab is cloned, whose keys are others", async () => {
    const keysOf = (name: string): string[] =>
      [labFiles(labFolder(name)).identity, labFiles(labFolder(name)).knownHosts].map((path) =>
        readFileSync(path, "utf8").replace(/^\S+:\d+ /gm, ""),
      );
    const copy = await cloneLab("nested", "copy", { snapshot: "running" });
    expect(copy).toMatchObject({ name: "copy", state: "up" });
    const ask = async (name: string): Promise<string> =>
      (await runOnHost(name, "h1", ["sh", "-c", "virsh list --name --uuid; hostname"])).stdout;
    expect(await ask("copy")).toBe(await ask("nested"));
    expect(await ask("copy")).toContain(server.id);
    expect(keysOf("copy").filter((key) => keysOf("nested").includes(key))).toEqual([]);
    expect(listLabSnapshots("copy")).toEqual([]);
    await expect(cloneLab("nested", "copy")).rejects.toMatchObject({ code: "conflict", field: "name" });
    await tearDown("copy");
    expect(await shell.inGuest(server, "cat /tmp/mark")).toBe("before\n");
  });

  test("is left alone by a snapshot that is damaged: it is refused before anything is done", async () => {
    const { pid } = (await describeLab("nested")).hosts[0] ?? {};
    const memory = join(planOf("nested").folder, "snapshots/running/h1.memory");
    truncateSync(memory, statSync(memory).size - 4096);
    await expect(restoreLab("nested", "running")).rejects.toMatchObject({
      code: "image-checksum",
      field: "snapshot",
      value: "running",
    });
    expect((await describeLab("nested")).hosts[0]?.pid).toBe(pid);
    expect(await shell.inGuest(server, "cat /tmp/mark")).toBe("before\n");
  });

  test("outlives the removal of the snapshot that its disks stood on", async () => {
    await removeLabSnapshot("nested", "running");
    expect(listLabSnapshots("nested")).toEqual([]);
    await expect(restoreLab("nested", "running")).rejects.toMatchObject({ code: "not-found" });
    expect(readdirSync(join(planOf("nested").folder, "snapshots"))).toEqual([]);
    expect(await shell.inGuest(server, "cat /tmp/mark")).toBe("before\n");
  });

  test("goes with the lab, which leaves nothing behind", async () => {
    const plan = planOf("nested");
    expect(await tearDown("nested")).toBe(true);
    expect(plan.hosts.map(findMachine)).toEqual([undefined]);
    expect(findSwitch(plan)).toBeUndefined();
    expect([plan.folder, plan.runFolder].filter((path) => existsSync(path))).toEqual([]);
    expect(await tearDown("nested")).toBe(false);
  });
});
