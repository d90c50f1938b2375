import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { StackyardError } from "../../providers/core/errors.ts";
import type { HostState } from "../driver.ts";
import { readTail } from "../file-end.ts";
import { labAsset, labFiles } from "../folders.ts";
import { ensureKey } from "../keys.ts";
import { connectHost, removeLinks } from "./links.ts";
import { rangeOf } from "./plan.ts";
import type { LabHost, LabPlan } from "./plan.ts";
import { isAlive, killProcess, systemPath } from "../process.ts";
import type { ProcessIdentity } from "../process.ts";

const pollMs = 15;
const startLimitMs = 60_000;

/** What a host has written about its start: its PID 1 as the machine sees it, and the steps done. */
interface HostProgress {
  readonly identity: ProcessIdentity | undefined;
  readonly steps: readonly string[];
}

/** Reads the lines a host writes to its progress file; a line still being written is left for the next look. */
export function parseProgress(text: string): HostProgress {
  const lines = text.split("\n").slice(0, -1);
  const [, pid, startTicks] = /^process (\d+) (\d+)$/.exec(lines[0] ?? "") ?? [];
  if (pid === undefined || startTicks === undefined) return { identity: undefined, steps: [] };
  return { identity: { pid: Number(pid), startTicks: Number(startTicks) }, steps: lines.slice(1) };
}

function readProgress(plan: LabPlan, host: LabHost): HostProgress {
  const file = labFiles(plan.folder).host(host.name).progress;
  return parseProgress(existsSync(file) ? readFileSync(file, "utf8") : "");
}

/** A host's state, from its process itself. `pid` is that of its PID 1 as the machine sees it. */
export function observeHost(
  plan: LabPlan,
  host: LabHost,
): { readonly state: HostState; readonly pid?: number } {
  const { identity, steps } = readProgress(plan, host);
  if (identity === undefined || !isAlive(identity)) return { state: "down" };
  return { state: steps.includes("ready") ? "up" : "starting", pid: identity.pid };
}

/** The host's ssh key is made once and kept: known_hosts stays true when the host is started again. */
export async function ensureHostKey(plan: LabPlan, host: LabHost): Promise<void> {
  const { hostKey } = labFiles(plan.folder).host(host.name);
  await mkdir(dirname(hostKey), { recursive: true, mode: 0o700 });
  await mkdir(host.diskFolder, { recursive: true, mode: 0o711 });
  await ensureKey(hostKey, host.name);
}

/** Ends everything of a host at once, as a power cut does, and takes its links away. Its files are kept. */
export async function cutPower(plan: LabPlan, host: LabHost): Promise<void> {
  const { identity } = readProgress(plan, host);
  if (identity !== undefined) await killProcess(identity);
  await removeLinks([host.links.management.name, host.links.data.name]);
}

/** What `up` is told while a host starts. */
export interface StartHostOptions {
  readonly onStep: (step: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** A copy of libvirt's capability cache, absent when there is none for this machine. */
  readonly capabilities: string | undefined;
}

/**
 * Starts a host and waits until its daemons answer. What is left of an earlier start is cleared first.
 * @throws StackyardError `host-unsuitable` with the tail of its log when it ends or does not become ready.
 */
export async function startHost(plan: LabPlan, host: LabHost, options: StartHostOptions): Promise<void> {
  await cutPower(plan, host);
  await ensureHostKey(plan, host);
  const files = labFiles(plan.folder).host(host.name);
  // A new file: a process of an earlier start that still ends does not write into it.
  await rm(files.progress, { force: true });
  const progressFile = await open(files.progress, "wx", 0o600);
  const logFile = await open(files.log, "w", 0o600);
  const script = labAsset("namespace", "host-init.sh");
  const child = spawn(
    "unshare",
    ["--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--", "/bin/bash", script],
    {
      cwd: "/",
      detached: true,
      stdio: ["pipe", logFile.fd, logFile.fd, progressFile.fd],
      env: {
        PATH: systemPath,
        LC_ALL: "C",
        lab: plan.folder,
        labs: dirname(plan.folder),
        host: host.name,
        uuid: host.uuid,
        address: `${host.address}/${String(rangeOf(plan, "management").prefix)}`,
        disks: host.diskFolder,
        capabilities: options.capabilities ?? "",
        host_up: labAsset("namespace", "host-up.sh"),
        roles: host.roles.join(" "),
        ceph_up: host.roles.includes("ceph") ? labAsset("namespace", "ceph-up.sh") : "",
      },
    },
  );
  let ended: string | undefined;
  child.on("error", (error) => (ended = error.message));
  child.on("exit", (code, signal) => (ended ??= `it ended with ${String(code ?? signal)}`));
  try {
    await Promise.all([progressFile.close(), logFile.close()]);
    await followStart(plan, host, options, child.stdin, () => ended);
  } finally {
    // Without "go" the host ends when its input does. With it, it no longer reads.
    child.stdin?.destroy();
    child.unref();
  }
}

/** Connects the host as soon as its namespaces are there, lets it go on, and waits until it is ready. */
async function followStart(
  plan: LabPlan,
  host: LabHost,
  options: StartHostOptions,
  input: Writable | null,
  whyEnded: () => string | undefined,
): Promise<void> {
  const deadline = performance.now() + startLimitMs;
  const reported = new Set<string>();
  let connected = false;
  while (!reported.has("ready")) {
    const { identity, steps } = readProgress(plan, host);
    if (identity !== undefined && !connected) {
      await connectHost(plan, host, identity.pid);
      connected = true;
      await new Promise<void>((resolve) => input?.end("go\n", () => resolve()));
    }
    for (const step of steps.filter((name) => !reported.has(name))) {
      reported.add(step);
      options.onStep(step);
    }
    const ended =
      whyEnded() ??
      (performance.now() > deadline ? `not ready after ${String(startLimitMs / 1000)} s` : undefined);
    if (ended !== undefined && !reported.has("ready")) {
      throw new StackyardError("host-unsuitable", {
        message: `lab host ${host.name} did not start: ${ended}, last step: ${steps.at(-1) ?? "none"}`,
        remedy: `Read its log (stackyard lab logs ${host.name} --name ${plan.name}), then run up again, or down.`,
        notes: [await readTail(labFiles(plan.folder).host(host.name).log)],
      });
    }
    await sleep(pollMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}
