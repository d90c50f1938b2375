import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { labFiles, labFolder, labsFolder } from "../../lab/folders.ts";
import {
  bringUp,
  changePower,
  describeLab,
  listLabSnapshots,
  removeLabSnapshot,
  restoreLab,
  runOnHost,
  snapshotLab,
  tearDown,
} from "../../lab/lab.ts";
import { ensureImage } from "../../lab/nested/image/image.ts";
import { recipeOf } from "../../lab/nested/image/recipe.ts";
import { imagesFolder } from "../../lab/nested/image/users.ts";
import { findMachine } from "../../lab/nested/machine.ts";
import { findSwitch } from "../../lab/nested/network.ts";
import type { NestedHost, NestedPlan } from "../../lab/nested/plan.ts";
import { killProcess, runProcess } from "../../lab/process.ts";
import { findState, findStateIn, readState } from "../../lab/state.ts";
import { parseTopology } from "../../lab/topology.ts";
import { cloneLab, exportLab, importLab } from "../../lab/transfer.ts";
import { killVerb, type Moment } from "../support/killed-verb.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

/**
 * Verbs that are killed, hosts that are killed, disks that are full, images that are damaged: on one virtual machine, in
 * folders whose names have all that a shell, QEMU or ssh could take for its own.
 */
const hostile = 'faults\' "x",%h';
const name = "faults";

let labs: LabFolder;
let diskFolder: string;
let topology: ReturnType<typeof parseTopology>;

beforeAll(async () => {
  const { folder, hash } = await ensureImage(recipeOf(parseTopology({}), ["compute"]), {});
  labs = openLabFolder(hostile);
  vi.stubEnv("XDG_CACHE_HOME", join(labs.path, "cache"));
  mkdirSync(imagesFolder(), { recursive: true });
  execFileSync("cp", ["-r", "--sparse=always", folder, join(imagesFolder(), hash)]);
  diskFolder = join(labs.path, "disks");
  topology = parseTopology({
    name,
    driver: "nested",
    diskFolder,
    hosts: [{ name: "h1", ramMib: 1024, vcpus: 1, disks: [{ sizeGib: 1 }] }],
  });
});

afterAll(async () => {
  await labs.close();
  vi.unstubAllEnvs();
});

function findPlan(lab = name): NestedPlan | undefined {
  const state = findState(lab);
  return state?.driver === "nested" ? state.plan : undefined;
}

function planOf(lab = name): NestedPlan {
  const plan = findPlan(lab);
  if (plan === undefined) throw new Error(`no lab ${lab}`);
  return plan;
}

function hostOf(lab = name): NestedHost {
  const [host] = planOf(lab).hosts;
  if (host === undefined) throw new Error("no host");
  return host;
}

const onHost = async (command: string, lab = name): Promise<string> =>
  (await runOnHost(lab, "h1", ["sh", "-c", command])).stdout;
const bootIdOf = (lab = name): Promise<string> => onHost("cat /proc/sys/kernel/random/boot_id", lab);
const pidOf = async (lab = name): Promise<number | null | undefined> =>
  (await describeLab(lab)).hosts[0]?.pid;
const stateOf = async (): Promise<string | undefined> => (await describeLab(name)).hosts[0]?.state;
const transfersFolder = (): string => join(labs.stateHome, "stackyard", "transfers");

/** What is left of a lab that was taken down. */
function remainsOf(plan: NestedPlan): readonly string[] {
  const paths = [
    plan.folder,
    plan.runFolder,
    ...plan.hosts.map((host) => host.diskFolder),
    transfersFolder(),
  ];
  return [
    ...paths.filter((path) => existsSync(path)),
    ...plan.hosts.flatMap((host) => (findMachine(host) === undefined ? [] : [`QEMU of ${host.name}`])),
    ...(findSwitch(plan) === undefined ? [] : ["the switch"]),
  ];
}

describe("an up that is killed", () => {
  const up = (moment: Moment, delayMs = 0) => killVerb(["up", JSON.stringify(topology)], moment, delayMs);

  test.each<[string, Moment]>([
    ["its record is written", () => findPlan() !== undefined],
    ["the first disk is made", () => existsSync(join(diskFolder, name, "h1", "root.1.qcow2"))],
    ["QEMU begins", () => findPlan()?.hosts.some((host) => findMachine(host) !== undefined) === true],
    ["the host boots", "h1: powered on"],
  ])("when %s is cleaned up by down", async (_, moment) => {
    await up(moment);
    const plan = planOf();
    expect(await tearDown(name)).toBe(true);
    expect(remainsOf(plan)).toEqual([]);
    expect([diskFolder, labsFolder()].filter((path) => existsSync(path))).toEqual([]);
  });

  test("is one more to clean up when down is killed too", async () => {
    await up("h1: powered on");
    const plan = planOf();
    await killVerb(["down", name], "hosts ended");
    expect(findPlan()).toEqual(plan);
    await tearDown(name);
    expect(remainsOf(plan)).toEqual([]);
  });

  test("in its boot is finished by the next one, and that by another, without a boot more", async () => {
    await up("h1: powered on", 3_000);
    process.kill(findMachine(hostOf())?.pid ?? 0, "SIGKILL"); // It makes its file system larger just now.
    await up("h1: sshd answers");
    const pid = await pidOf();
    expect(await stateOf()).toBe("starting");
    const progress: string[] = [];
    const lab = await bringUp(topology, { onProgress: (message) => progress.push(message) });
    expect(lab.state).toBe("up");
    expect(progress).not.toContain("h1: powered on");
    expect(await pidOf()).toBe(pid);
    expect(await onHost("systemctl is-system-running; virsh -q uri")).toMatch(/^running\nqemu:/);
  });
});

describe("a host that is killed", () => {
  test("is down, and refused a start where its image is damaged or its port is taken; then comes back with its files", async () => {
    await onHost("echo kept > /root/kept; printf mark | dd of=/dev/disk/by-id/virtio-data1 conv=fsync; sync");
    const plan = planOf();
    const host = hostOf();
    const disks = readdirSync(host.diskFolder);
    process.kill((await pidOf()) ?? 0, "SIGKILL");
    await expect.poll(stateOf, { timeout: 30_000 }).toBe("down");
    const found = findSwitch(plan);
    if (found !== undefined) await killProcess(found);

    const [image = ""] = readdirSync(imagesFolder()).map((each) => join(imagesFolder(), each));
    copyFileSync(join(image, "initrd"), join(labs.path, "initrd"));
    truncateSync(join(image, "initrd"), statSync(join(image, "initrd")).size - 1);
    await expect(bringUp(topology)).rejects.toMatchObject({ code: "image-checksum", field: "image" });
    execFileSync("cp", ["--force", join(labs.path, "initrd"), join(image, "initrd")]);

    const listener = createServer().listen(host.sshPort, "127.0.0.1");
    await once(listener, "listening");
    await expect(bringUp(topology)).rejects.toMatchObject({
      code: "in-use",
      field: "sshPort",
      value: String(host.sshPort),
    });
    expect(await stateOf()).toBe("down");
    listener.close();

    expect((await bringUp(topology)).hosts[0]?.links).toEqual({ management: "up", data: "up" });
    expect(readdirSync(host.diskFolder)).toEqual(disks);
    expect(await onHost("cat /root/kept; head -c 4 /dev/disk/by-id/virtio-data1")).toBe("kept\nmark");
  });

  test("is connected again by up when only the lab's switch was killed", async () => {
    const pid = await pidOf();
    const found = findSwitch(planOf());
    if (found === undefined) throw new Error("no switch");
    await killProcess(found);
    expect((await describeLab(name)).hosts[0]?.links).toEqual({ management: "up", data: "absent" });
    expect((await bringUp(topology)).hosts[0]?.links).toEqual({ management: "up", data: "up" });
    expect(await pidOf()).toBe(pid);
    expect(findSwitch(planOf())?.pid).not.toBe(found.pid);
  });
});

describe("a snapshot", () => {
  test("that meets a full disk leaves nothing, hosts that run, and the one before", async () => {
    const snapshots = join(planOf().folder, "snapshots");
    mkdirSync(snapshots, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2g", "tmpfs", snapshots]);
    try {
      const before = await snapshotLab(name, "before");
      const [pid, bootId] = [await pidOf(), await bootIdOf()];
      await onHost("echo later > /root/later; sync");
      const roomBytes = (before.hosts[0]?.memoryBytes ?? 0) + 32 * 1024 ** 2;
      const fill = (message: string): void => {
        if (message !== "hosts stand still") return;
        execFileSync("mount", ["-o", `remount,size=${String(roomBytes)}`, snapshots]);
      };
      await expect(snapshotLab(name, "full", { onProgress: fill })).rejects.toMatchObject({
        code: "host-disk-full",
        field: "snapshot",
        value: "full",
      });
      expect(readdirSync(snapshots)).toEqual(["before"]);
      expect([await stateOf(), await pidOf(), await bootIdOf()]).toEqual(["up", pid, bootId]);
      await expect(snapshotLab(name, "full")).rejects.toThrow(/need 1024 MiB at first, and \d+ MiB are free/);
      await restoreLab(name, "before");
      expect(await onHost("ls /root")).not.toContain("later");
      expect(await bootIdOf()).toBe(bootId);
      await removeLabSnapshot(name, "before");
    } finally {
      execFileSync("umount", [snapshots]);
    }
  });

  test.each([
    ["mended by the next one", () => snapshotLab(name, "next")],
    ["mended by up", () => bringUp(topology)],
  ])("that is killed while the hosts stand still is %s", async (_, mend) => {
    const bootId = await bootIdOf();
    await killVerb(["snapshot", name, "half"], "hosts stand still", 50);
    expect(await stateOf()).toBe("starting");
    await mend();
    expect([await stateOf(), await bootIdOf()]).toEqual(["up", bootId]);
    const clock = Number(await onHost("date +%s"));
    expect(Math.abs(clock - Date.now() / 1000)).toBeLessThan(30);
    expect(readdirSync(join(planOf().folder, "snapshots"))).toEqual(
      listLabSnapshots(name).map((snapshot) => snapshot.name),
    );
    expect(listLabSnapshots(name).map((snapshot) => snapshot.name)).not.toContain("half");
  });
});

describe("a clone", () => {
  test.each<[string, Moment]>([
    ["while its source stands still", "hosts stand still"],
    ["while disks are copied", "h1: disk data1"],
    ["before it has a record", "disks and memory"],
    [
      "when its hosts begin",
      () => findPlan("copy")?.hosts.some((host) => findMachine(host) !== undefined) === true,
    ],
  ])("that is killed %s is cleaned up by down, and its source is as it was", async (_, moment) => {
    const [pid, bootId] = [await pidOf(), await bootIdOf().catch(() => "")];
    await killVerb(["clone", name, "copy"], moment);
    const plan = findPlan("copy");
    await tearDown("copy");
    if (plan !== undefined) expect(remainsOf(plan)).toEqual([]);
    expect([labFolder("copy"), transfersFolder()].filter((path) => existsSync(path))).toEqual([]);
    expect((await bringUp(topology)).state).toBe("up");
    expect([await pidOf(), await bootIdOf()]).toEqual([pid, bootId]);
    expect(listLabSnapshots(name).map((snapshot) => snapshot.name)).toEqual(["next"]);
  });

  test("that is killed before it has a record can be made again", async () => {
    await killVerb(["clone", name, "copy"], "disks and memory", 20);
    expect((await cloneLab(name, "copy")).state).toBe("up");
    expect(await bootIdOf("copy")).toBe(await bootIdOf());
    await tearDown("copy");
    expect(existsSync(transfersFolder())).toBe(false);
  });

  test("that is killed when its hosts begin is finished by up, with keys of its own", async () => {
    const keysOf = (lab: string): string => readFileSync(labFiles(labFolder(lab)).identity, "utf8");
    await killVerb(["clone", name, "copy"], "h1: goes on", 500);
    const { topology: recorded } = readState("copy");
    expect((await bringUp(parseTopology(recorded))).state).toBe("up");
    expect(await bootIdOf("copy")).toBe(await bootIdOf());
    expect(keysOf("copy")).not.toBe(keysOf(name));
    expect(listLabSnapshots("copy")).toEqual([]);
    await changePower("copy", "h1", "cut");
    const plan = planOf("copy");
    await tearDown("copy");
    expect(remainsOf(plan)).toEqual([]);
  });

  test.each(["a b", `a"b`, "a'b", "../a"])("cannot be called %j", async (given) => {
    await expect(cloneLab(name, given)).rejects.toMatchObject({
      code: "invalid-input",
      field: "name",
      value: given,
      remedy: expect.stringContaining("a-z") as unknown,
    });
  });
});

test("a lab of the same name that another user has is neither seen nor touched, and goes by itself", async () => {
  const home = mkdtempSync(join(tmpdir(), "stackyard-user-"));
  const lent = join(home, ".cache", "stackyard", "lab", "images");
  const [hash = ""] = readdirSync(imagesFolder());
  mkdirSync(lent, { recursive: true });
  execFileSync("cp", ["-r", "--sparse=always", join(imagesFolder(), hash), lent]);
  copyFileSync(process.execPath, join(home, "node")); // Ours may be where only root can go.
  execFileSync("chown", ["-R", "65534:65534", home]);
  const theirs = parseTopology({ name, driver: "nested", hosts: topology.hosts });
  const asUser = (...words: string[]) =>
    runProcess(
      "setpriv",
      [
        ...["--reuid=65534", "--regid=65534", "--clear-groups", "env", "-i", `HOME=${home}`],
        ...[join(home, "node"), "test/support/run-lab-verb.ts", ...words],
      ],
      { cwd: process.cwd(), timeoutMs: 900_000 },
    );
  try {
    const [pid, bootId] = [await pidOf(), await bootIdOf()];
    expect(await asUser("up", JSON.stringify(theirs))).toMatchObject({ exitCode: 0 });
    const folder = join(home, ".local", "state", "stackyard", "labs", name);
    const state = findStateIn(folder);
    if (state?.driver !== "nested") throw new Error("no lab of the other user's");
    const [host] = state.plan.hosts;
    if (host === undefined) throw new Error("no host");
    const mine = [hostOf().sshPort, hostOf().uuid, planOf().runFolder];
    expect([host.sshPort, host.uuid, state.plan.runFolder].filter((each) => mine.includes(each))).toEqual([]);
    const found = findMachine(host);
    expect(statSync(`/proc/${String(found?.pid)}`).uid).toBe(65534);
    expect(await asUser("down", name)).toMatchObject({ exitCode: 0 });
    expect(remainsOf(state.plan)).toEqual([]);
    expect([await stateOf(), await pidOf(), await bootIdOf()]).toEqual(["up", pid, bootId]);
  } finally {
    await asUser("down", name);
    rmSync(home, { recursive: true });
  }
});

describe("an exported lab", () => {
  test("is written by the next export when one was killed, and read by the next import", async () => {
    const file = join(labs.path, `my "lab's", 1 %h.tar.zst`);
    await killVerb(["export", name, file], () => existsSync(`${file}.part`), 200);
    expect(existsSync(file)).toBe(false);
    await exportLab(name, file);
    expect(readdirSync(labs.path).filter((each) => each.endsWith(".part"))).toEqual([]);
    expect((await bringUp(topology)).state).toBe("up");

    await killVerb(["import", file, "theirs"], "disks and memory", 20);
    await tearDown("theirs");
    expect([labFolder("theirs"), transfersFolder()].filter((path) => existsSync(path))).toEqual([]);
    expect((await importLab(file, "theirs")).state).toBe("up");
    expect(await onHost("cat /root/kept", "theirs")).toBe("kept\n");
    const plan = planOf("theirs");
    await tearDown("theirs");
    expect(remainsOf(plan)).toEqual([]);
  });
});

test("the lab that all this was done to goes, and leaves nothing", async () => {
  const plan = planOf();
  await tearDown(name);
  expect(remainsOf(plan)).toEqual([]);
  expect(existsSync(diskFolder)).toBe(false);
});
