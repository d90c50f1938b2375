import { readFile } from "node:fs/promises";
import { labFiles } from "../folders.ts";
import { replaceFile } from "../state-files.ts";
import { machineFiles } from "./files.ts";
import type { NestedPlan } from "./plan.ts";

/**
 * Writes by which keys the lab's hosts are known.
 * @param choose the key files of a host, from the one that it has by rule: two while it is given a new one.
 */
export async function writeKnownHosts(
  plan: NestedPlan,
  choose: (hostKey: string) => readonly string[] = (hostKey) => [hostKey],
): Promise<void> {
  const lines = await Promise.all(
    plan.hosts.flatMap((host) =>
      choose(machineFiles(plan, host).hostKey).map(async (path) => {
        const key = (await readFile(`${path}.pub`, "utf8")).split(" ");
        const { sshAddress, sshPort } = host;
        const place = sshPort === 22 ? sshAddress : `[${sshAddress}]:${String(sshPort)}`;
        return `${place} ${key.slice(0, 2).join(" ")}\n`;
      }),
    ),
  );
  await replaceFile(labFiles(plan.folder).knownHosts, lines.join(""));
}
