import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { sumFile } from "../../lab/nested/checksum.ts";
import { activeLayer, ensureDisks, layersOf } from "../../lab/nested/disks.ts";
import { openNestedLab } from "../../lab/nested/driver.ts";
import { machineFiles, nestedFiles } from "../../lab/nested/files.ts";
import type { HostImage } from "../../lab/nested/image/image.ts";
import { mendInterrupted } from "../../lab/nested/interruption.ts";
import { findMachine, markReady } from "../../lab/nested/machine.ts";
import { endSwitch } from "../../lab/nested/network.ts";
import type { NestedHost, NestedPlan } from "../../lab/nested/plan.ts";
import { restoreSnapshot } from "../../lab/nested/restore.ts";
import { ownSnapshots, snapshotFolder, unfinishedSnapshot } from "../../lab/nested/snapshot-file.ts";
import { takeSnapshot } from "../../lab/nested/snapshot.ts";
import { listChildren } from "../support/child-processes.ts";
import { describeMigration } from "../support/migration-stream.ts";
import { planBelow } from "../support/nested-plan.ts";

/** A process that counts as a host's QEMU, and a monitor that does as QEMU does. No sshd answers. */
interface FakeQemu {
  readonly process: ChildProcess;
  readonly monitor: Server;
  /** How it is now, as `query-status` says. */
  status: unknown;
  /** Whether one of its processors is within a guest whenever its memory is sent. */
  withinGuest: boolean;
  /** How its migrations end. */
  migration: "completed" | "failed";
  /** Files of all hosts' disks when it was told to stand still. */
  layersHeld: readonly string[];
}

const requestSchema = z.object({
  execute: z.string(),
  arguments: z.looseObject({ uri: z.string().optional(), "snapshot-file": z.string().optional() }).optional(),
});
const slots = ["root", "data1"];

let home: string;
let plan: NestedPlan;
let images: ReadonlyMap<string, HostImage>;
let qemus: ReadonlyMap<string, FakeQemu>;
/** What hosts were told, and what was reported of them, in order. */
let heard: string[];

const onProgress = (message: string): number => heard.push(message);

async function startQemu(host: NestedHost): Promise<FakeQemu> {
  const child = spawn("sh", ["-c", "read end; :", "-uuid", host.uuid], {
    argv0: "qemu-system-x86_64",
    stdio: ["pipe", "ignore", "ignore"],
  });
  await once(child, "spawn");
  const fake: FakeQemu = {
    process: child,
    status: "running",
    withinGuest: false,
    migration: "completed",
    layersHeld: [],
    monitor: createServer((client) => {
      client.on("error", () => undefined);
      const say = (line: object): void => void client.write(`${JSON.stringify(line)}\n`);
      say({ QMP: {} });
      createInterface(client).on("line", (line) => {
        const { execute, arguments: given } = requestSchema.parse(JSON.parse(line));
        if (execute !== "qmp_capabilities") heard.push(`${host.name}: ${execute}`);
        const layer = given?.["snapshot-file"];
        if (layer !== undefined) heard.push(layer);
        if (execute === "stop") {
          fake.status = "paused";
          fake.layersHeld = plan.hosts.flatMap(({ diskFolder }) => readdirSync(diskFolder));
        }
        if (execute === "cont") fake.status = "running";
        if (execute === "migrate")
          connect(String(given?.uri).slice("unix:".length)).end(
            describeMigration([{ withinGuest: false }, fake], `memory of ${host.name}`),
          );
        say({ return: answer(execute) });
      });
    }),
  };
  const answer = (command: string): unknown => {
    if (command === "query-status") return { status: fake.status };
    if (command === "query-migrate") return { status: fake.migration };
    if (command !== "query-block") return {};
    return slots.map((slot) => ({
      qdev: `/machine/peripheral/disk-${slot}/virtio-backend`,
      inserted: { "node-name": slot },
    }));
  };
  await once(fake.monitor.listen(machineFiles(plan, host).monitor), "listening");
  return fake;
}

const qemuOf = (name: string): FakeQemu => {
  const found = qemus.get(name);
  if (found === undefined) throw new Error(name);
  return found;
};

const firstHost = (): NestedHost => {
  const [host] = plan.hosts;
  if (host === undefined) throw new Error("no host");
  return host;
};

/** What is at work beside the hosts. */
const listHelpers = (): number[] =>
  listChildren(process.pid).filter((pid) => [...qemus.values()].every((qemu) => qemu.process.pid !== pid));

/** A lab of two hosts that are on. */
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "stackyard-snapshot-"));
  plan = planBelow(home, {
    hosts: ["h1", "h2"].map((name) => ({ name, ramMib: 768, disks: [{ sizeGib: 1 }] })),
  });
  const root = join(home, "root.raw");
  writeFileSync(root, Buffer.alloc(1024 ** 2));
  const file = { bytes: 0, sha256: "" };
  const image: HostImage = {
    ...{ hash: "0", folder: home, root, kernel: "", initrd: "" },
    manifest: {
      ...{
        version: 1,
        hash: "0",
        distribution: "debian-12",
        roles: [],
        builtAt: "",
        treeSha256: "",
        packages: [],
      },
      files: { "root.raw": file, vmlinuz: file, initrd: file },
    },
  };
  images = new Map(plan.hosts.map(({ name }) => [name, image]));
  mkdirSync(plan.runFolder, { recursive: true });
  heard = [];
  const started: [string, FakeQemu][] = [];
  for (const host of plan.hosts) {
    mkdirSync(machineFiles(plan, host).folder, { recursive: true });
    await ensureDisks(host, image);
    started.push([host.name, await startQemu(host)]);
    await markReady(plan, host);
  }
  qemus = new Map(started);
});

afterEach(async () => {
  await endSwitch(plan); // Of a restore that should have been refused.
  for (const { process, monitor } of qemus.values()) {
    process.kill("SIGKILL");
    monitor.close();
  }
  rmSync(home, { recursive: true });
});

describe("a snapshot of hosts that are on", () => {
  test("is of one moment: all stand still, and go on before their memory is read again", async () => {
    const before = new Map(plan.hosts.map((host) => [host.name, layersOf(host)]));
    const { hosts } = await takeSnapshot(plan, "moment", images, { onProgress });
    for (const host of plan.hosts) {
      const memory = join(snapshotFolder(plan, "moment"), `${host.name}.memory`);
      expect(hosts.find(({ name }) => name === host.name)).toEqual({
        ...{ name: host.name, image: "0", disks: before.get(host.name) },
        memory: { file: `${host.name}.memory`, ...(await sumFile(memory)) },
      });
      const at = (what: string): number => heard.indexOf(what);
      const inOrder = [
        ...["hosts stand still", `${host.name}: query-block`],
        ...slots.map((slot) => activeLayer(host, slot) ?? ""),
        ...[
          `${host.name}: migrate`,
          `${host.name}: cont`,
          "hosts go on",
          `${host.name}: 1 MiB of memory saved`,
        ],
      ].map(at);
      expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
      expect(inOrder).not.toContain(-1);
      expect(at(`${host.name}: stop`)).toBeLessThan(at("hosts stand still"));
      expect(layersOf(host)).not.toEqual(before.get(host.name));
      expect(qemuOf(host.name).status).toBe("running");
    }
  });

  test("has a layer for each disk before any host stands still", async () => {
    await takeSnapshot(plan, "moment", images, {});
    for (const { layersHeld } of qemus.values())
      expect(layersHeld).toEqual(plan.hosts.flatMap(({ diskFolder }) => readdirSync(diskFolder)));
  });

  test("of which one fails leaves nothing but hosts that go on", async () => {
    qemuOf("h2").migration = "failed";
    await expect(takeSnapshot(plan, "moment", images, {})).rejects.toMatchObject({ code: "command-failed" });
    expect([...qemus.values()].map(({ status }) => status)).toEqual(["running", "running"]);
    expect(readdirSync(nestedFiles(plan).snapshots)).toEqual([]);
  });

  test("of which one gets no layer leaves nobody at work, and holds no host", async () => {
    mkdirSync(join(firstHost().diskFolder, "root.2.qcow2.part"));
    await expect(takeSnapshot(plan, "moment", images, {})).rejects.toMatchObject({ code: "command-failed" });
    expect(listHelpers()).toEqual([]);
    expect(heard).not.toContain("h2: stop");
    expect(readdirSync(nestedFiles(plan).snapshots)).toEqual([]);
  });

  test("is refused, and leaves nothing, where one is within a guest that cannot be held", async () => {
    qemuOf("h2").withinGuest = true;
    await expect(takeSnapshot(plan, "moment", images, { onProgress })).rejects.toMatchObject({
      code: "wrong-state",
      message: expect.stringContaining("host h1") as unknown, // The first that cannot be told.
      remedy: expect.stringContaining("stackyard lab net h1 mend") as unknown,
    });
    expect(heard).toContain("guests were at work: they are held, and all is kept anew");
    expect([...qemus.values()].map(({ status }) => status)).toEqual(["running", "running"]);
    expect(readdirSync(nestedFiles(plan).snapshots)).toEqual([]);
  });

  test("may be within guests where they are not emulated", async () => {
    qemuOf("h2").withinGuest = true;
    await takeSnapshot({ ...plan, acceleration: "kvm" }, "moment", images, { onProgress });
    expect(heard.filter((what) => what === "h2: stop")).toHaveLength(1);
  });

  test("is refused while one of them starts", async () => {
    rmSync(machineFiles(plan, firstHost()).ready);
    await expect(takeSnapshot(plan, "moment", images, {})).rejects.toMatchObject({
      code: "wrong-state",
      message: expect.stringContaining("host h1") as unknown,
    });
    expect(heard).not.toContain("h2: stop");
  });
});

test("hosts that are known to answer are not asked", async () => {
  const statesOf = async (known?: "answering") =>
    (await openNestedLab(plan).describeHosts(known)).map(({ state }) => state);
  expect(await statesOf("answering")).toEqual(["up", "up"]);
  expect(await statesOf()).toEqual(["starting", "starting"]);
  rmSync(machineFiles(plan, firstHost()).ready);
  expect(await statesOf("answering")).toEqual(["starting", "up"]);
});

describe("what a killed command has left", () => {
  test.each(["paused", "postmigrate", "finish-migrate", "io-error"])(
    "is a host that is %s: it goes on when its migration has ended, and one that runs is let be",
    async (status) => {
      qemuOf("h1").status = status;
      const abort = new AbortController();
      const mending = mendInterrupted(plan, {
        signal: abort.signal,
        onProgress: (message) => {
          onProgress(message);
          abort.abort(); // No sshd will answer.
        },
      });
      await expect(mending).rejects.toMatchObject({ name: "AbortError" });
      expect(heard.filter((what) => what.startsWith("h1"))).toEqual([
        ...["h1: query-status", "h1: migrate_cancel", "h1: query-migrate", "h1: cont"],
        "h1: stood still, goes on",
      ]);
      expect(heard.filter((what) => what.startsWith("h2"))).toEqual(["h2: query-status"]);
    },
  );

  test("is a host that waits for its memory: it ends", async () => {
    qemuOf("h1").status = "inmigrate";
    await mendInterrupted(plan, {});
    expect(plan.hosts.map((host) => findMachine(host) === undefined)).toEqual([true, false]);
  });

  test("is not waited for on one host when another cannot be mended", async () => {
    qemuOf("h1").status = 0;
    qemuOf("h2").status = "paused";
    await expect(mendInterrupted(plan, {})).rejects.toThrow();
    for (let time = 0; time < 30; time++) {
      expect(listHelpers()).toEqual([]);
      await sleep(20);
    }
  });

  test("is half a snapshot, and one for a copy", async () => {
    await takeSnapshot(plan, "kept", images, {});
    await takeSnapshot(plan, ownSnapshots.passing, images, {});
    for (const name of [unfinishedSnapshot, "no-record"]) {
      mkdirSync(snapshotFolder(plan, name));
      writeFileSync(join(snapshotFolder(plan, name), "h1.memory"), "half");
    }
    writeFileSync(join(snapshotFolder(plan, unfinishedSnapshot), "snapshot.json"), "{}");
    await mendInterrupted(plan, {});
    expect(readdirSync(nestedFiles(plan).snapshots)).toEqual(["kept"]);
  });
});

describe("a restore", () => {
  const memory = (): string => join(snapshotFolder(plan, "moment"), "h2.memory");

  test.each<[string, () => void, string]>([
    [
      "has other memory of the same size",
      () => writeFileSync(memory(), readFileSync(memory()).fill("h3", 10, 12)),
      "another checksum",
    ],
    ["has memory that is longer", () => appendFileSync(memory(), "\0"), "another checksum"],
    ["lacks memory", () => rmSync(memory()), "is missing"],
    [
      "is of another image",
      () => (images = new Map([...images].map(([name, image]) => [name, { ...image, hash: "1" }]))),
      "the image of host h2 is another one now",
    ],
  ])("of a snapshot that %s is refused, and the lab is as it was", async (_, damage, message) => {
    await takeSnapshot(plan, "moment", images, {});
    const layers = plan.hosts.map(({ diskFolder }) => readdirSync(diskFolder));
    damage();
    const restoring = restoreSnapshot(plan, "moment", images, {});
    await expect(restoring).rejects.toMatchObject({ code: "image-checksum", field: "snapshot" });
    await expect(restoring).rejects.toThrow(message);
    expect(plan.hosts.map((host) => findMachine(host)?.pid)).toEqual(
      [...qemus.values()].map(({ process }) => process.pid),
    );
    expect(plan.hosts.map(({ diskFolder }) => readdirSync(diskFolder))).toEqual(layers);
  });
});
