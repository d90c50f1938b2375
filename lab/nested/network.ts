import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { connect } from "node:net";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import { killProcess, listProcesses, type ProcessIdentity } from "../process.ts";
import { replaceFile } from "../state-files.ts";
import { machineFiles, nestedFiles, segmentsOf } from "./files.ts";
import type { NestedPlan } from "./plan.ts";
import type { SwitchFile } from "./switch-file.ts";

const startLimitMs = 10_000;
const pollMs = 20;

/** Of a cable in files. */
export const linkSchema = z.object({
  host: z.string(),
  network: z.enum(["management", "data", "storage"]),
  cut: z.boolean(),
  delayMs: z.number(),
  lossPercent: z.number(),
});

/** How one cable of a host is, as it was set by hand. One that nobody touched is on no list. */
export type LinkSetting = z.infer<typeof linkSchema>;

/** The cables that are not as they should be. */
export function readLinks(plan: NestedPlan): readonly LinkSetting[] {
  const file = nestedFiles(plan).links;
  return existsSync(file) ? z.array(linkSchema).parse(JSON.parse(readFileSync(file, "utf8"))) : [];
}

/** One cable; a good one where nothing was set. */
export function findLink(plan: NestedPlan, host: string, network: LinkSetting["network"]): LinkSetting {
  return (
    readLinks(plan).find((link) => link.host === host && link.network === network) ?? {
      host,
      network,
      cut: false,
      delayMs: 0,
      lossPercent: 0,
    }
  );
}

/** Records how a cable is from now on, and tells the switch where it runs. What QEMU must know is the caller's. */
export async function saveLink(plan: NestedPlan, link: LinkSetting): Promise<void> {
  const others = readLinks(plan).filter(
    ({ host, network }) => host !== link.host || network !== link.network,
  );
  const isGood = !link.cut && link.delayMs === 0 && link.lossPercent === 0;
  await writeLinks(plan, isGood ? others : [...others, link]);
  if (findSwitch(plan) !== undefined) await ensureSwitch(plan);
}

/** Records how all cables are; who calls it tells the switch and QEMU. */
export async function writeLinks(plan: NestedPlan, links: readonly LinkSetting[]): Promise<void> {
  await replaceFile(nestedFiles(plan).links, `${JSON.stringify(links, undefined, 2)}\n`);
}

function describeSwitch(plan: NestedPlan): SwitchFile {
  const ports = plan.hosts.flatMap((host) =>
    segmentsOf(plan)
      .filter((segment) => plan.networks[segment]?.bridge === undefined)
      .map((segment) => {
        const { delayMs, lossPercent } = findLink(plan, host.name, segment);
        return {
          host: host.name,
          segment,
          socket: machineFiles(plan, host).nic(segment),
          delayMs,
          lossPercent,
        };
      }),
  );
  return { controlSocket: nestedFiles(plan).switchControl, ports };
}

/** The module of the process, in the checkout or as it is published. */
const program = join(import.meta.dirname, `switch-process${extname(import.meta.filename)}`);

/** The switch's process, by its command line: no file can be wrong about it. */
export function findSwitch(plan: NestedPlan): ProcessIdentity | undefined {
  const { switchFile } = nestedFiles(plan);
  const isSwitch = (word: string): boolean => /\/switch-process\.[jt]s$/.test(word);
  return listProcesses().find(({ words }) => words.some(isSwitch) && words.includes(switchFile))?.identity;
}

/** Starts the switch, or tells the one that runs what has changed. */
export async function ensureSwitch(plan: NestedPlan): Promise<void> {
  const files = nestedFiles(plan);
  const content = `${JSON.stringify(describeSwitch(plan), undefined, 2)}\n`;
  const isNew = !existsSync(files.switchFile) || readFileSync(files.switchFile, "utf8") !== content;
  if (isNew) await replaceFile(files.switchFile, content);
  if (findSwitch(plan) !== undefined) {
    if (isNew) await reloadSwitch(plan);
    return;
  }
  const log = await open(files.switchLog, "a", 0o600);
  const child = spawn(process.execPath, [program, files.switchFile], {
    cwd: "/",
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    env: {},
  });
  child.unref();
  await log.close();
  const deadline = performance.now() + startLimitMs;
  while (
    !(await reloadSwitch(plan).then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > deadline) {
      throw new StackyardError("command-failed", {
        message: "the lab's switch does not start",
        remedy: "Read what it says in the file named here.",
        notes: [files.switchLog],
      });
    }
    await sleep(pollMs);
  }
}

async function reloadSwitch(plan: NestedPlan): Promise<void> {
  const client = connect(nestedFiles(plan).switchControl);
  let answer = "";
  client.on("data", (chunk) => (answer += chunk.toString()));
  await once(client, "close"); // raises `error` first
  if (answer === "ok\n") return;
  throw new StackyardError("command-failed", { message: "the lab's switch has refused its settings" });
}

/** Ends the switch, if it runs. */
export async function endSwitch(plan: NestedPlan): Promise<void> {
  const found = findSwitch(plan);
  if (found !== undefined) await killProcess(found);
}
