import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bringUp, removeLabSnapshot, restoreLab, snapshotLab, tearDown } from "../../lab/lab.ts";
import { diskSlots } from "../../lab/nested/disks.ts";
import { buildImage } from "../../lab/nested/image/build.ts";
import { recipeOf } from "../../lab/nested/image/recipe.ts";
import { cutMachine, findMachine, withMonitor } from "../../lab/nested/machine.ts";
import type { NestedHost, NestedPlan } from "../../lab/nested/plan.ts";
import { readSnapshot, snapshotFolder } from "../../lab/nested/snapshot-file.ts";
import { runOnMachine } from "../../lab/nested/ssh.ts";
import { expectProcess, listProcesses } from "../../lab/process.ts";
import { readState } from "../../lab/state.ts";
import { parseTopology } from "../../lab/topology.ts";
import type { Topology } from "../../lab/topology.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import { openBenchCloud } from "./cloud.ts";
import { compare, summarise, timeMs } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";
import { benchOne, makeSurroundings, prepare } from "./servers.ts";

/** Goal of every verb, as a ratio to the bare command lines. */
const bareGoal = 1.2;
/** Goal of a restore of three hosts, in seconds. */
const restoreGoal = 10;
const momentRuns = 2;
const guestRuns = 3;
const pollMs = 250;
/** How long a host is waited for by hand. */
const bootLimitMs = 600_000;
const snapshotName = "bench";

type HostCount = 1 | 3;

/** A host by hand: QEMU's command line, and the commands that make the disks it writes to. */
interface BareHost {
  readonly host: NestedHost;
  readonly words: readonly string[];
  readonly disks: readonly { readonly path: string; readonly base: string; readonly format: string }[];
}

/** Times labs of virtual machines against QEMU's own command lines: the same machines, images and ways to tell that they are up. */
export async function benchNestedLab(
  name: string,
  folder: string,
  signal: AbortSignal,
): Promise<readonly Measurement[]> {
  const topologyOf = (hosts: HostCount): Topology => parseTopology({ name, driver: "nested", hosts });
  // What the first labs make is there for all others: the image, and what the machine's page cache keeps of it.
  await bringUp(topologyOf(1), { signal });
  await tearDown(name);
  const measurements = [await benchImage(topologyOf(1), folder, signal)];
  for (const count of [1, 3] as const) {
    const ownMs = await timeMs(() => bringUp(topologyOf(count), { signal }));
    if (count === 3) measurements.push(measureMemory(name));
    const moments = await benchMoments(name, count, signal);
    const guest = count === 1 ? await benchGuest(name, folder) : [];
    measurements.push(await benchBareStart(name, count, ownMs), ...moments, ...guest);
    await tearDown(name);
  }
  return measurements;
}

/** An image of a compute host, once, with its packages in the cache of downloads. */
async function benchImage(topology: Topology, folder: string, signal: AbortSignal): Promise<Measurement> {
  const image = join(folder, "image");
  const ms = await timeMs(() => buildImage(recipeOf(topology, ["compute"]), image, { signal }));
  await rm(image, { recursive: true });
  return {
    name: "image of a virtual machine for servers, built",
    unit: "s",
    ...summarise([ms / 1000]),
    note: "Debian 12 with libvirt and Open vSwitch; the packages are in the cache of downloads.",
  };
}

/** A cold start by hand beside the one that took `ownMs`. What the hosts have written is lost. */
async function benchBareStart(name: string, count: HostCount, ownMs: number): Promise<Measurement> {
  const plan = readPlan(name);
  const hosts = plan.hosts.map((host) => describeBare(host, imageOf(host)));
  const bareMs = await timeMs(() => startBare(plan, hosts, isReady));
  return {
    name: `lab up of ${hostsOf(count)} on virtual machines, from nothing but the image`,
    unit: "s",
    ...compare(
      { own: [ownMs / 1000], baseline: [bareMs / 1000] },
      { name: "qemu-img and QEMU, all at once", goal: bareGoal },
    ),
    note: "Until systemd says on each that all has started. By hand: qemu-img create, the same QEMU command lines, and ssh until it answers.",
  };
}

/** Snapshots of a lab that is up, and the way back. */
async function benchMoments(
  name: string,
  count: HostCount,
  signal: AbortSignal,
): Promise<readonly Measurement[]> {
  const plan = readPlan(name);
  const [taken, takenBare]: [number[], number[]] = [[], []];
  const [restored, restoredBare]: [number[], number[]] = [[], []];
  for (let run = -1; run < momentRuns; run++) {
    const takeBareMs = await timeMs(() => Promise.all(plan.hosts.map((host) => saveBare(plan, host))));
    const takeMs = await timeMs(() => snapshotLab(name, snapshotName, { signal }));
    const restoreMs = await timeMs(() => restoreLab(name, snapshotName, { signal }));
    const hosts = plan.hosts.map((host) => describeMoment(plan, host));
    const restoreBareMs = await timeMs(() => startBare(plan, hosts, goesOn));
    await restoreLab(name, snapshotName, { signal });
    await removeLabSnapshot(name, snapshotName);
    if (run < 0) continue;
    taken.push(takeMs / 1000);
    takenBare.push(takeBareMs / 1000);
    restored.push(restoreMs / 1000);
    restoredBare.push(restoreBareMs / 1000);
  }
  return [
    {
      name: `lab snapshot of ${hostsOf(count)}`,
      unit: "s",
      ...compare(
        { own: taken, baseline: takenBare },
        { name: "stop, migrate to a file, cont", goal: bareGoal },
      ),
      note: "Ours takes a checksum of the memory, and gives each disk a new layer, too.",
    },
    {
      name: `lab restore of ${hostsOf(count)}`,
      unit: "s",
      ...compare(
        { own: restored, baseline: restoredBare },
        { name: "qemu-img and QEMU -incoming, all at once", goal: bareGoal },
      ),
      ...(count === 3 ? { goal: restoreGoal } : {}),
      note: "Until each host answers to ssh. Ours verifies the checksums, sets the clocks and looks at the networks, too.",
    },
  ];
}

/** A server on KVM in an emulated host. */
async function benchGuest(name: string, folder: string): Promise<readonly Measurement[]> {
  await using bench = await openBenchCloud(name, join(folder, "nested-clouds"));
  const [host] = bench.hosts;
  if (host === undefined) throw new StackyardError("internal", { message: "the lab has no host" });
  const subject = await prepare(bench, "one", await makeSurroundings(bench, folder), host);
  const measurements = await benchOne(bench, subject, guestRuns);
  return measurements.slice(0, 1).map((each) => ({ ...each, name: `${each.name}, in a virtual machine` }));
}

/** Memory of QEMU as long as the hosts have just come up. */
function measureMemory(name: string): Measurement {
  const mib = readPlan(name).hosts.map((host) => {
    const rollup = readFileSync(`/proc/${findMachine(host)?.pid ?? NaN}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? NaN) / 1024;
  });
  return {
    name: "memory of a virtual machine of a lab, without guests",
    unit: "MiB",
    ...summarise(mib),
    note: "Of its QEMU (PSS); the machine has 2048 MiB, and gives back what it frees.",
  };
}

function hostsOf(count: HostCount): string {
  return count === 1 ? "one host" : `${count} hosts`;
}

function readPlan(name: string): NestedPlan {
  const state = readState(name);
  if (state.driver !== "nested") throw new TypeError("the lab is of virtual machines");
  return state.plan;
}

/** QEMU's command line as it runs now. */
function wordsOf(host: NestedHost): readonly string[] {
  const identity = findMachine(host);
  const found = listProcesses().find(({ identity: { pid } }) => pid === identity?.pid);
  if (found === undefined) throw new StackyardError("internal", { message: `host ${host.name} is down` });
  // One that was restored waited for its memory.
  const incoming = found.words.indexOf("-incoming");
  return incoming < 0 ? found.words : found.words.slice(0, incoming);
}

/** Path of the image that the command line names with its kernel. */
function imageOf(host: NestedHost): string {
  const words = wordsOf(host);
  return join(words[words.indexOf("-kernel") + 1] ?? "", "..", "root.raw");
}

/** A host that has just come up, and its disks on the image. */
function describeBare(host: NestedHost, image: string): BareHost {
  const words = wordsOf(host);
  const disks = diskSlots(host).map(({ slot }) => ({
    path: diskOf(words, slot),
    base: image,
    format: "raw",
  }));
  return { host, words, disks };
}

/** A host as it is in the snapshot. */
function describeMoment(plan: NestedPlan, host: NestedHost): BareHost {
  const words = wordsOf(host);
  const saved = readSnapshot(plan, snapshotName).hosts.find(({ name }) => name === host.name);
  if (saved?.memory == null) throw new StackyardError("internal", { message: `${host.name} was off` });
  const memory = join(snapshotFolder(plan, snapshotName), saved.memory.file);
  const disks = Object.entries(saved.disks).map(([slot, base]) => ({
    path: diskOf(words, slot),
    base,
    format: "qcow2",
  }));
  return { host, words: [...words, "-incoming", `exec:cat ${memory}`], disks };
}

/** The file that QEMU writes a disk to. */
function diskOf(words: readonly string[], slot: string): string {
  for (const word of words) {
    const path = new RegExp(`"node-name":"${slot}".*"filename":"([^"]+)"`).exec(word)?.[1];
    if (path !== undefined) return path;
  }
  throw new StackyardError("internal", { message: `QEMU has no disk ${slot}` });
}

/** What a person would type to start hosts anew: new disks, QEMU, and ssh until it answers. */
async function startBare(
  plan: NestedPlan,
  hosts: readonly BareHost[],
  isUp: (plan: NestedPlan, host: NestedHost) => Promise<boolean>,
): Promise<void> {
  await Promise.all(hosts.map(({ host }) => cutMachine(host)));
  const deadline = performance.now() + bootLimitMs;
  await Promise.all(
    hosts.map(async ({ host, words, disks }) => {
      for (const { path, base, format } of disks) {
        await rm(path, { force: true });
        await expectProcess("making a disk by hand", "qemu-img", [
          ...["create", "-q", "-f", "qcow2", "-b", base, "-F", format, path, `${host.diskGib}G`],
        ]);
      }
      const [program = "", ...args] = words;
      spawn(program, args, { detached: true, stdio: "ignore" }).unref();
      while (!(await isUp(plan, host))) {
        if (performance.now() > deadline)
          throw new StackyardError("command-timeout", { message: `${host.name} did not start by hand` });
        await sleep(pollMs);
      }
    }),
  );
}

async function isReady(plan: NestedPlan, host: NestedHost): Promise<boolean> {
  const words = ["systemctl", "is-system-running", "--wait"];
  const { stdout } = await runOnMachine(plan, host, words, bootLimitMs);
  return ["running", "degraded"].includes(stdout.trim());
}

/** Its memory says that it stands still: it is told to go on when it has it. */
async function goesOn(plan: NestedPlan, host: NestedHost): Promise<boolean> {
  await withMonitor(plan, host, async (qmp) => {
    while (JSON.stringify(await qmp.execute("query-status")).includes("inmigrate")) await sleep(20);
    await qmp.execute("cont");
  });
  return (await runOnMachine(plan, host, ["true"])).exitCode === 0;
}

/** What a person would type into QEMU's monitor. */
async function saveBare(plan: NestedPlan, host: NestedHost): Promise<void> {
  const file = join(plan.folder, `${host.name}.bare`);
  await withMonitor(plan, host, async (qmp) => {
    await qmp.execute("stop");
    await qmp.execute("migrate-set-parameters", { "max-bandwidth": 64 * 2 ** 30 });
    await qmp.execute("migrate", { uri: `exec:cat > ${file}` });
    while (!JSON.stringify(await qmp.execute("query-migrate")).includes('"status":"completed"'))
      await sleep(20);
    await qmp.execute("cont");
  });
  await rm(file);
}
