import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { StackyardError } from "../../providers/core/errors.ts";
import type { LabOptions } from "../driver.ts";
import { isAlive, killProcess, listProcesses, systemPath } from "../process.ts";
import type { ProcessIdentity } from "../process.ts";
import { accelerationWords } from "./boot-probe.ts";
import { readTail } from "../file-end.ts";
import { replaceFile } from "../state-files.ts";
import { diskSlots, requireLayer } from "./disks.ts";
import { machineFiles, segmentsOf } from "./files.ts";
import type { HostImage } from "./image/image.ts";
import { findNextHop } from "./plan.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import { isPlaceFree, requirePlace } from "./ports.ts";
import { openQmp, type Qmp } from "./qmp.ts";

/** An emulated host that is busy takes seconds to greet. */
const bannerLimitMs = 5_000;
const monitorLimitMs = 20_000;
const powerOffLimitMs = 120_000;
const endLimitMs = 2_000;
const pollMs = 100;

/**
 * Kernel arguments of hosts. Mitigations and the like protect nobody in a lab, and cost much where all is emulated. A kernel that panics,
 * which emulated ones do at times, boots anew.
 */
const kernelArguments =
  "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet systemd.show_status=0 mitigations=off apparmor=0 audit=0 nokaslr panic=1";

/** A comma ends a value on QEMU's command line; two stand for one. */
const escapeCommas = (text: string): string => text.replaceAll(",", ",,");

/** A file as a node of QEMU's block layer. The machine's page cache outlives QEMU, so what it holds survives a power cut of the host. */
function blockNode(name: string, driver: "qcow2" | "raw", filename: string, readOnly = false): string {
  return JSON.stringify({
    driver,
    "node-name": name,
    "read-only": readOnly,
    discard: "unmap",
    cache: { "no-flush": true },
    file: { driver: "file", filename, cache: { "no-flush": true }, discard: "unmap" },
  });
}

/** The words after `qemu-system-x86_64`. Equal for every start of the host, which a restore of its memory relies upon. */
export function describeMachine(plan: NestedPlan, host: NestedHost, image: HostImage): string[] {
  const files = machineFiles(plan, host);
  const device = (properties: Readonly<Record<string, string | number | boolean>>): string[] => [
    "-device",
    JSON.stringify(properties),
  ];
  const { management } = plan.networks;
  // QEMU's helper makes the tap, which goes away with QEMU.
  const bridgeNetdev = (id: string, br: string): string => JSON.stringify({ type: "bridge", id, br });
  const nics = segmentsOf(plan).flatMap((segment) => [
    "-netdev",
    plan.networks[segment]?.bridge === undefined
      ? JSON.stringify({
          type: "stream",
          id: segment,
          server: true,
          addr: { type: "unix", path: files.nic(segment) },
        })
      : bridgeNetdev(segment, plan.networks[segment].bridge),
    ...device({
      driver: "virtio-net-pci",
      id: `nic-${segment}`,
      netdev: segment,
      mac: host.macs[segment],
      host_mtu: plan.networks[segment]?.mtuBytes ?? 1500,
    }),
  ]);
  const disks = diskSlots(host).flatMap(({ slot }) => [
    "-blockdev",
    blockNode(slot, "qcow2", requireLayer(host, slot)),
    ...device({ driver: "virtio-blk-pci", id: `disk-${slot}`, drive: slot, serial: slot }),
  ]);
  return [
    ...["-name", `guest=stackyard-${plan.name}-${host.name}`, "-uuid", host.uuid],
    ...["-machine", "pc", "-no-user-config", "-nodefaults", "-display", "none"],
    ...accelerationWords(plan.acceleration),
    ...["-smp", String(host.vcpus), "-m", String(host.ramMib)],
    ...["-kernel", image.kernel, "-initrd", image.initrd],
    ...["-append", `${kernelArguments} systemd.machine_id=${host.uuid.replaceAll("-", "")}`],
    ...[
      "-chardev",
      `socket,id=console,path=${escapeCommas(files.consoleSocket)},server=on,wait=off,logfile=${escapeCommas(files.consoleLog)},logappend=on`,
    ],
    ...["-serial", "chardev:console"],
    ...["-qmp", `unix:${escapeCommas(files.monitor)},server=on,wait=off`],
    ...disks.slice(0, 4), // vda
    ...["-blockdev", blockNode("seed", "raw", files.seed, true)],
    ...device({ driver: "virtio-blk-pci", id: "disk-seed", drive: "seed", serial: "stackyard-seed" }),
    ...disks.slice(4),
    "-netdev",
    management.bridge === undefined
      ? JSON.stringify({
          type: "user",
          id: "management",
          ipv6: false,
          // Nothing leads out of it; this machine still comes in.
          ...(findNextHop(plan, host) !== undefined ? { restrict: true } : {}),
          net: management.cidr,
          host: management.gateway,
          dhcpstart: host.managementAddress,
          hostname: host.name,
          hostfwd: [{ str: `tcp:${host.sshAddress}:${String(host.sshPort)}-${host.managementAddress}:22` }],
        })
      : bridgeNetdev("management", management.bridge),
    ...device({
      driver: "virtio-net-pci",
      id: "nic-management",
      netdev: "management",
      mac: host.macs.management,
    }),
    ...nics,
    ...device({ driver: "virtio-rng-pci" }),
    // The machine gets back what the host frees, and a snapshot has nothing of it.
    ...device({ driver: "virtio-balloon-pci", "free-page-reporting": true }),
  ];
}

/** The host's QEMU, by its command line: no file can be wrong about it. */
export function findMachine(host: NestedHost): ProcessIdentity | undefined {
  return listProcesses().find(({ words }) => {
    const at = words.indexOf("-uuid");
    return /(^|\/)qemu-system-/.test(words[0] ?? "") && at > 0 && words[at + 1] === host.uuid;
  })?.identity;
}

/** Whether the host's sshd greets. */
export function greets(host: Pick<NestedHost, "sshAddress" | "sshPort">): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(host.sshPort, host.sshAddress);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(bannerLimitMs, () => end(false));
    socket.on("data", (chunk) => end(chunk.toString("latin1").startsWith("SSH-")));
    socket.on("error", () => end(false));
    socket.on("close", () => resolve(false));
  });
}

const formatIdentity = ({ pid, startTicks }: ProcessIdentity): string =>
  `${String(pid)} ${String(startTicks)}\n`;

/** Records that the host has got through its boot, or was brought back. */
export async function markReady(plan: NestedPlan, host: NestedHost): Promise<void> {
  const found = findMachine(host);
  if (found !== undefined) await replaceFile(machineFiles(plan, host).ready, formatIdentity(found));
}

/** Whether the host has got through its boot. One whose `up` was killed on the way has not. */
export async function hasBooted(plan: NestedPlan, host: NestedHost): Promise<boolean> {
  const found = findMachine(host);
  const { ready } = machineFiles(plan, host);
  if (found === undefined || !existsSync(ready)) return false;
  return (await readFile(ready, "utf8")) === formatIdentity(found);
}

/** Whether the host has got through its boot, and its sshd greets. */
export async function isUp(plan: NestedPlan, host: NestedHost): Promise<boolean> {
  return (await hasBooted(plan, host)) && greets(host);
}

/** Places of hosts that are off, `ADDRESS:PORT`, where somebody else is. */
export async function placesInUse(plan: NestedPlan): Promise<string[]> {
  const off = plan.hosts.filter((host) => findMachine(host) === undefined);
  const free = await Promise.all(off.map((host) => isPlaceFree(plan, host)));
  return off
    .filter((_, index) => free[index] === false)
    .map(({ sshAddress, sshPort }) => `${sshAddress}:${String(sshPort)}`);
}

/** Starts the host's QEMU and waits for its monitor. `incoming`: it waits for the memory of a snapshot. */
export async function startMachine(
  plan: NestedPlan,
  host: NestedHost,
  image: HostImage,
  options: { readonly incoming?: boolean } = {},
): Promise<ProcessIdentity> {
  await requirePlace(plan, host);
  const files = machineFiles(plan, host);
  const log = await open(files.qemuLog, "w", 0o600);
  const words = describeMachine(plan, host, image);
  const child = spawn(
    "qemu-system-x86_64",
    options.incoming === true ? [...words, "-incoming", "defer"] : words,
    { cwd: "/", detached: true, stdio: ["ignore", log.fd, log.fd], env: { PATH: systemPath, LC_ALL: "C" } },
  );
  let failure: string | undefined;
  child.on("error", (error) => (failure = error.message));
  child.on("exit", (code, signal) => (failure ??= `QEMU ended with ${String(code ?? signal)}`));
  child.unref();
  await log.close();
  try {
    await withMonitor(
      plan,
      host,
      () => Promise.resolve(),
      () => failure === undefined,
    );
  } catch (cause) {
    // A monitor that has closed is the beginning of QEMU's end.
    if (failure === undefined)
      await once(child, "exit", { signal: AbortSignal.timeout(endLimitMs) }).catch(() => undefined);
    const reason = failure ?? "QEMU's monitor does not answer";
    await cutMachine(host);
    const said = await readTail(files.qemuLog);
    throw new StackyardError("host-unsuitable", {
      message: `host ${host.name} does not start: ${reason}`,
      remedy: `See what QEMU says; \`stackyard lab check --name ${plan.name}\` names what is missing on this machine.`,
      notes: said === "" ? [] : [said],
      cause,
    });
  }
  const identity = findMachine(host);
  if (identity !== undefined) return identity;
  throw new StackyardError("host-unsuitable", { message: `QEMU of host ${host.name} has ended at once` });
}

/** Does something with the host's QEMU by its monitor, waiting some seconds for one that is just starting. */
export async function withMonitor<Result>(
  plan: NestedPlan,
  host: NestedHost,
  action: (qmp: Qmp) => Promise<Result>,
  isRunning: () => boolean = () => true,
): Promise<Result> {
  const qmp = await openQmp(machineFiles(plan, host).monitor, { waitMs: monitorLimitMs, isAlive: isRunning });
  try {
    return await action(qmp);
  } finally {
    qmp.close();
  }
}

/** Ends the host's QEMU at once, as a power cut does. */
export async function cutMachine(host: NestedHost): Promise<void> {
  const found = findMachine(host);
  if (found !== undefined) await killProcess(found);
}

/**
 * Presses the power button and waits until the host is off.
 * @throws StackyardError `command-timeout` when it does not shut down.
 */
export async function powerOffMachine(
  plan: NestedPlan,
  host: NestedHost,
  { onProgress, signal }: LabOptions,
): Promise<void> {
  const found = findMachine(host);
  if (found === undefined) return;
  await withMonitor(plan, host, (qmp) => qmp.execute("system_powerdown"));
  onProgress?.(
    `${host.name}: its power button is pressed; waiting until it is off, ${String(powerOffLimitMs / 1000)} s at most`,
  );
  const deadline = performance.now() + powerOffLimitMs;
  while (isAlive(found)) {
    if (performance.now() > deadline) {
      throw new StackyardError("command-timeout", {
        message: `host ${host.name} has not shut down within ${String(powerOffLimitMs / 1000)} s`,
        remedy: `Look at its console (stackyard lab console ${host.name} --name ${plan.name}), or cut its power (stackyard lab power ${host.name} cut --name ${plan.name}).`,
      });
    }
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}
