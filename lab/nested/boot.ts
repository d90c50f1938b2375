import { existsSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { StackyardError } from "../../providers/core/errors.ts";
import { sh } from "../../providers/hosts/command.ts";
import { readEnd, readTail } from "../file-end.ts";
import { isAlive } from "../process.ts";
import type { ProcessIdentity } from "../process.ts";
import { replaceFile } from "../state-files.ts";
import { activeLayer, ensureDisks } from "./disks.ts";
import { machineFiles, segments, segmentsOf } from "./files.ts";
import type { HostImage } from "./image/image.ts";
import {
  cutMachine,
  findMachine,
  greets,
  hasBooted,
  markReady,
  startMachine,
  withMonitor,
} from "./machine.ts";
import { findLink, readLinks } from "./network.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import { writeSeed } from "./seed.ts";
import { listSnapshotNames } from "./snapshot-file.ts";
import { runOnMachine } from "./ssh.ts";

/** How long a boot may take: emulated processors on a busy machine take minutes. */
export const bootLimitMs = { kvm: 90_000, tcg: 300_000 } as const;
/** How long a host that was up may be too busy to greet before it counts as hanging. */
const busyLimitMs = 30_000;
const pollMs = 250;
/** How much of the end of a console is looked at each time. */
const lookBackBytes = 1024 ** 2;

/** What a guest's kernel says when it goes nowhere any more: about one of twenty emulated boots of two processors ends so. */
const stallPattern =
  /rcu: INFO: rcu_\w+ (self-)?detected (stall|expedited stalls)|rcu:.*stall|soft lockup|Kernel panic/;

/** How a start is followed. */
export interface BootOptions {
  readonly onStep: (step: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Boots a host and waits until its services run. A boot that hangs, which emulated processors do now and then, is begun
 * once more.
 * @throws StackyardError `host-unsuitable` with the end of its console when it does not come up.
 */
export async function bootMachine(
  plan: NestedPlan,
  host: NestedHost,
  image: HostImage,
  options: BootOptions,
): Promise<void> {
  const running = findMachine(host);
  if (running !== undefined) {
    // Of an `up` that was killed, or one that is too busy to greet.
    const limitMs = (await hasBooted(plan, host)) ? busyLimitMs : bootLimitMs[plan.acceleration];
    const consoleStart = await sizeOf(machineFiles(plan, host).consoleLog);
    const end = await followBoot(plan, host, running, { consoleStart, limitMs }, options);
    if (end === "ready") return;
    options.onStep(`${end}: booting anew`);
  }
  await cutMachine(host);
  await prepareDisks(plan, host, image);
  await writeSeed(plan, host);
  const first = await tryBoot(plan, host, image, options);
  if (first === "ready") return;
  options.onStep(`${first}: booting once more`);
  await cutMachine(host);
  await prepareDisks(plan, host, image);
  const second = await tryBoot(plan, host, image, options);
  if (second === "ready") return;
  throw new StackyardError("host-unsuitable", {
    message: `lab host ${host.name} did not start: ${second}, twice`,
    remedy: `Read its console (stackyard lab logs ${host.name} --name ${plan.name}), then run up again, or down.`,
    notes: [await readTail(machineFiles(plan, host).consoleLog)],
  });
}

/**
 * The host's disks as they are, or new ones where its first boot was cut short: it makes the root file system larger, and
 * what is left of that half-way cannot be mounted, since ext4 looks at its group descriptors before it reads its journal.
 */
async function prepareDisks(plan: NestedPlan, host: NestedHost, image: HostImage): Promise<void> {
  const { fresh } = machineFiles(plan, host);
  if (existsSync(fresh) && listSnapshotNames(plan).length === 0)
    await rm(host.diskFolder, { recursive: true, force: true });
  if (activeLayer(host, "root") === undefined) await replaceFile(fresh, "");
  await ensureDisks(host, image);
}

/** @returns `ready`, or why the host did not get so far. */
async function tryBoot(
  plan: NestedPlan,
  host: NestedHost,
  image: HostImage,
  options: BootOptions,
): Promise<string> {
  const consoleStart = await sizeOf(machineFiles(plan, host).consoleLog);
  const process = await startMachine(plan, host, image);
  await applyLinks(plan, host);
  options.onStep("powered on");
  return followBoot(plan, host, process, { consoleStart, limitMs: bootLimitMs[plan.acceleration] }, options);
}

async function sizeOf(path: string): Promise<number> {
  return existsSync(path) ? (await stat(path)).size : 0;
}

/** Cables that were cut stay so when the host is started again. */
export async function applyLinks(plan: NestedPlan, host: NestedHost): Promise<void> {
  const cut = readLinks(plan).filter((link) => link.host === host.name && link.cut);
  if (cut.length === 0) return;
  await withMonitor(plan, host, async (qmp) => {
    for (const { network } of cut) await qmp.execute("set_link", { name: `nic-${network}`, up: false });
  });
}

/**
 * Follows a boot to its end.
 * @param consoleStart where the console's log of it begins.
 * @returns `ready`, or why the host did not get so far.
 */
async function followBoot(
  plan: NestedPlan,
  host: NestedHost,
  process: ProcessIdentity,
  { consoleStart, limitMs }: { readonly consoleStart: number; readonly limitMs: number },
  options: BootOptions,
): Promise<string> {
  const deadline = performance.now() + limitMs;
  let hasGreeted = false;
  for (;;) {
    options.signal?.throwIfAborted();
    if (!isAlive(process)) return "its QEMU has ended";
    const said = await readEnd(machineFiles(plan, host).consoleLog, lookBackBytes, consoleStart);
    const stall = stallPattern.exec(said.text)?.[0];
    if (stall !== undefined) return `its kernel hangs ("${stall}")`;
    if (performance.now() > deadline)
      return `not ready after ${String(limitMs / 1000)} s${hasGreeted ? ", though its sshd answers" : ""}`;
    if (await greets(host)) {
      if (!hasGreeted) options.onStep("sshd answers");
      hasGreeted = true;
      const state = await waitForServices(plan, host, limitMs);
      if (state !== undefined) {
        await markReady(plan, host);
        options.onStep(state === "running" ? "ready" : await describeFailedUnits(plan, host));
        return "ready";
      }
    }
    await sleep(pollMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/**
 * Waits until all services are started, and networks whose cables are in, which come up beside them. From its first words
 * on the host's disks stay: their larger file system is written in place, and somebody may have logged in.
 * @returns how systemd names it: `degraded` when a unit has failed; undefined when it has not got so far.
 */
async function waitForServices(
  plan: NestedPlan,
  host: NestedHost,
  limitMs: number,
): Promise<"running" | "degraded" | undefined> {
  const interfaces = segmentsOf(plan)
    .filter((segment) => !findLink(plan, host.name, segment).cut)
    .map((segment) => `--interface=${segments[segment]}:carrier`);
  const words = ["sh", "-c", waitScript, "wait", ...interfaces];
  const { stdout } = await runOnMachine(plan, host, words, limitMs);
  const [synced, state] = stdout.split("\n");
  if (synced === "synced") await rm(machineFiles(plan, host).fresh, { force: true });
  return state === "running" || state === "degraded" ? state : undefined;
}

/** `wait INTERFACE...`: the exit code of `is-system-running` tells apart only what it says. One login does: each takes seconds of emulated processors. */
const waitScript = sh`sync && echo synced || echo unsynced
state=$(systemctl is-system-running --wait)
echo "$state"
case $state in
  running | degraded) /lib/systemd/systemd-networkd-wait-online --timeout=20 "$@" ;;
esac`.text;

async function describeFailedUnits(plan: NestedPlan, host: NestedHost): Promise<string> {
  const words = ["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"];
  const { stdout } = await runOnMachine(plan, host, words);
  const units = stdout
    .split("\n")
    .map((line) => line.split(" ")[0])
    .filter((unit) => unit !== undefined && unit !== "");
  return `ready, though these units have failed: ${units.join(", ")}`;
}
