import { setTimeout as sleep } from "node:timers/promises";
import { sh } from "../../providers/hosts/command.ts";
import { labFiles } from "../folders.ts";
import { runProcess } from "../process.ts";
import type { ProcessResult } from "../process.ts";
import { sshArguments } from "../ssh.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";

/** One of several attempts: a connection to a host that stands still would hang. */
const attemptLimitMs = 20_000;
const pollMs = 100;

/** Runs a command on a host, each word as it is. */
export function runOnMachine(
  plan: NestedPlan,
  host: NestedHost,
  words: readonly string[],
  timeoutMs = 60_000,
): Promise<ProcessResult> {
  const target = sshArguments(labFiles(plan.folder), { address: host.sshAddress, port: host.sshPort });
  return runProcess("ssh", [...target, sh`${words}`.text], { timeoutMs });
}

/**
 * Runs a command on a host again and again until it ends with 0.
 * @param describe its words, for each attempt anew.
 * @returns undefined then; what it said last when the time is over.
 * @throws the signal's reason.
 */
export async function retryOnMachine(
  plan: NestedPlan,
  host: NestedHost,
  describe: () => readonly string[],
  { limitMs, signal }: { readonly limitMs: number; readonly signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const { exitCode, stdout, stderr } = await runOnMachine(plan, host, describe(), attemptLimitMs);
    if (exitCode === 0) return undefined;
    if (performance.now() > deadline) return `${stdout}${stderr}`.trim();
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}
