import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** When a verb is killed: at a line of its progress that begins so, or when something is so on the machine. */
export type Moment = string | (() => boolean);

/**
 * Runs a verb of a lab in a process of its own, and kills it with SIGKILL.
 * @param words those of `run-lab-verb.ts`.
 * @param delayMs after the moment.
 * @throws Error when the verb has ended before.
 */
export async function killVerb(words: readonly string[], moment: Moment, delayMs = 0): Promise<void> {
  const child = spawn(process.execPath, ["test/support/run-lab-verb.ts", ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  if (typeof moment === "string") {
    for await (const line of createInterface(child.stdout)) if (line.startsWith(moment)) break;
  } else {
    child.stdout.resume();
    while (child.exitCode === null && !moment()) await sleep(1);
  }
  await sleep(delayMs);
  child.kill("SIGKILL");
  await ended;
  if (child.signalCode !== "SIGKILL")
    throw new Error(`${words.join(" ")} has ended with ${String(child.exitCode)} before`);
}
