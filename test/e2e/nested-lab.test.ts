import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { buildGuest, guestCommandLine } from "../../lab/guest/build.ts";
import { labFiles, labFolder } from "../../lab/folders.ts";
import { labHosts } from "../../lab/inventory.ts";
import {
  bringUp,
  cutLink,
  describeLab,
  listLabSnapshots,
  mendLink,
  removeLabSnapshot,
  restoreLab,
  runOnHost,
  snapshotLab,
  spoilLink,
  tearDown,
} from "../../lab/lab.ts";
import { findMachine } from "../../lab/nested/machine.ts";
import { findSwitch } from "../../lab/nested/network.ts";
import { isFree } from "../../lab/nested/ports.ts";
import type { NestedPlan } from "../../lab/nested/plan.ts";
import { listStates, readState } from "../../lab/state.ts";
import { parseTopology } from "../../lab/topology.ts";
import { cloneLab } from "../../lab/transfer.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make, textOf } from "../support/cloud.ts";
import { openGuestShell, type GuestShell } from "../support/guest-shell.ts";
import { killVerb } from "../support/killed-verb.ts";
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

const patience = { timeout: 30_000, interval: 100 };

const portOf = ({ hosts }: NestedPlan) => hosts[0]?.sshPort;
const uuidOf = ({ hosts }: NestedPlan) => hosts[0]?.uuid;
const diskFolderOf = ({ hosts }: NestedPlan) => hosts[0]?.diskFolder;

function planOf(name: string): NestedPlan {
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

describe("beside it", () => {
  test("a lab that the disk is too small for is refused with the numbers, before anything is made", async () => {
    const diskFolder = join(labs.path, "small");
    mkdirSync(diskFolder);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", diskFolder]);
    try {
      await expect(bringUp(parseTopology({ ...topology, name: "small", diskFolder }))).rejects.toMatchObject({
        code: "host-disk-full",
        field: "diskFolder",
        message: expect.stringMatching(/need 1024 MiB at first, and 64 MiB are free/) as unknown,
      });
      expect([...readdirSync(diskFolder), ...listStates().map(({ plan }) => plan.name)]).toEqual(["nested"]);
    } finally {
      await tearDown("small");
      execFileSync("umount", [diskFolder]);
    }
  });

  test("a lab of its name in another state folder shares nothing with it, and goes though its up was killed", async () => {
    const mine = planOf("nested");
    vi.stubEnv("XDG_STATE_HOME", join(labs.path, "other's state"));
    try {
      await killVerb(["up", JSON.stringify(topology)], "h1: powered on");
      const theirs = planOf("nested");
      for (const pick of [(plan: NestedPlan) => plan.runFolder, portOf, uuidOf, diskFolderOf])
        expect(pick(theirs)).not.toBe(pick(mine));
      expect((await describeLab("nested")).hosts[0]).toMatchObject({ state: "starting" });
      await tearDown("nested");
      expect(theirs.hosts.map(findMachine)).toEqual([undefined]);
      expect(findSwitch(theirs)).toBeUndefined();
      expect(existsSync(theirs.runFolder)).toBe(false);
      expect(existsSync(join(labs.path, "other's state"))).toBe(false);
    } finally {
      await tearDown("nested");
      vi.unstubAllEnvs();
    }
    expect((await describeLab("nested")).state).toBe("up");
  });

  test("its switch is started again when it was killed", async () => {
    const { pid } = (await describeLab("nested")).hosts[0] ?? {};
    const killed = findSwitch(planOf("nested"));
    process.kill(killed?.pid ?? 0, "SIGKILL");
    const linksOf = async () => (await describeLab("nested")).hosts[0]?.links;
    await expect.poll(linksOf, patience).toMatchObject({ management: "up", data: "absent" });
    await bringUp(topology);
    expect((await describeLab("nested")).hosts[0]).toMatchObject({
      pid,
      links: { data: "up", storage: "up" },
    });
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
    await spoilLink("nested", "h1", "data", { delayMs: 1, lossPercent: 0 });
    const taken = await snapshotLab("nested", "running");
    expect(taken.hosts).toEqual([{ name: "h1", memoryBytes: expect.any(Number) as unknown }]);
    await expect(snapshotLab("nested", "running")).rejects.toMatchObject({ code: "conflict" });
    await shell.inGuest(server, "echo after > /tmp/mark");
    await mendLink("nested", "h1", "data");
    await cutLink("nested", "h1", "storage");
    await runOnHost("nested", "h1", ["sh", "-c", "echo later > /root/later; sync"]);
    const lab = await restoreLab("nested", "running");
    expect(lab.state).toBe("up");
    expect(lab.hosts[0]?.links).toEqual({ management: "up", data: "bad", storage: "up" });
    await mendLink("nested", "h1", "data");
    expect(await shell.inGuest(server, "cat /tmp/mark")).toBe("before\n");
    const { stdout } = await runOnHost("nested", "h1", ["sh", "-c", "ls /root; date +%s"]);
    const [seconds = ""] = stdout.trim().split("\n").slice(-1);
    expect(stdout).not.toContain("later");
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
    expect(textOf((await cloud.find("server", server.id)).outputs, "status")).toBe("ACTIVE");
  });

  test("that is busy is held while a snapshot is taken, and goes on when the lab is brought back to it", async () => {
    const count = async (): Promise<number> => Number(await shell.inGuest(server, "cat /tmp/count"));
    await shell.inGuest(
      server,
      "(i=0; while :; do i=$((i + 1)); echo $i > /tmp/next; mv /tmp/next /tmp/count; done) > /dev/null 2>&1 & echo $! > /tmp/busy",
    );
    const said: string[] = [];
    const takeUntilHeld = async (): Promise<boolean> => {
      if (listLabSnapshots("nested").some(({ name }) => name === "busy"))
        await removeLabSnapshot("nested", "busy");
      await snapshotLab("nested", "busy", { onProgress: (message) => said.push(message) });
      return said.includes("guests were at work: they are held, and all is kept anew");
    };
    await expect.poll(takeUntilHeld, { timeout: 120_000 }).toBe(true);
    const seen = await count();
    await expect.poll(count, patience).toBeGreaterThan(seen);
    expect((await restoreLab("nested", "busy")).state).toBe("up");
    const restored = await count();
    await expect.poll(count, patience).toBeGreaterThan(restored);
    await shell.inGuest(server, 'kill "$(cat /tmp/busy)"');
    await removeLabSnapshot("nested", "busy");
  });

  test("outlives a snapshot whose command is killed while the hosts stand still", async () => {
    const { pid } = (await describeLab("nested")).hosts[0] ?? {};
    await killVerb(["snapshot", "nested", "half"], "hosts stand still");
    expect((await bringUp(topology)).hosts[0]).toMatchObject({ pid, state: "up" });
    expect(readdirSync(join(planOf("nested").folder, "snapshots"))).toEqual(["running"]);
    expect(await shell.inGuest(server, "cat /tmp/mark")).toBe("before\n");
  });

  test("outlives a snapshot that meets a full disk, of which nothing is left", async () => {
    const { pid } = (await describeLab("nested")).hosts[0] ?? {};
    const snapshots = join(planOf("nested").folder, "snapshots");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2g", "tmpfs", snapshots]);
    const fill = (message: string): void => {
      if (message === "hosts stand still") execFileSync("mount", ["-o", "remount,size=16m", snapshots]);
    };
    try {
      await expect(snapshotLab("nested", "full", { onProgress: fill })).rejects.toMatchObject({
        code: "host-disk-full",
        field: "snapshot",
        value: "full",
      });
      expect(readdirSync(snapshots)).toEqual([]);
      await expect(snapshotLab("nested", "full")).rejects.toThrow(
        "need 1536 MiB at first, and 16 MiB are free",
      );
    } finally {
      execFileSync("umount", [snapshots]);
    }
    expect((await describeLab("nested")).hosts[0]).toMatchObject({ pid, state: "up" });
    expect(await shell.inGuest(server, "cat /tmp/mark")).toBe("before\n");
  });

  test("comes back with a host that was killed, whose port another program has taken meanwhile", async () => {
    const [host] = (await describeLab("nested")).hosts;
    process.kill(host?.pid ?? 0, "SIGKILL");
    const stateOf = async () => (await describeLab("nested")).hosts[0]?.state;
    await expect.poll(stateOf, patience).toBe("down");
    await expect.poll(() => isFree(host?.port ?? 0), patience).toBe(true); // Its threads end after it.
    const listener = createServer().listen(host?.port, "127.0.0.1");
    await once(listener, "listening");
    await expect(bringUp(topology)).rejects.toMatchObject({ code: "in-use", value: String(host?.port) });
    listener.close();
    expect((await restoreLab("nested", "running")).state).toBe("up");
    expect(await shell.inGuest(server, "cat /tmp/mark")).toBe("before\n");
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
