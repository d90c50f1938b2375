import { labFiles } from "../folders.ts";
import { ensureKey } from "../keys.ts";
import { makeFolder } from "../state-files.ts";
import { machineFiles } from "./files.ts";
import { writeKnownHosts } from "./known-hosts.ts";
import type { NestedPlan } from "./plan.ts";
import { ensureRunFolder } from "./run-folder.ts";

/** Keys, known_hosts, and the folder of the sockets: what a start of the machine may have taken comes back. */
export async function ensureFiles(plan: NestedPlan): Promise<void> {
  const files = labFiles(plan.folder);
  const longest = plan.hosts.map(({ name }) => `${name}.storage`).sort((a, b) => b.length - a.length)[0];
  await ensureRunFolder(plan.runFolder, longest ?? "");
  await ensureKey(files.identity, `stackyard lab ${plan.name}`);
  for (const host of plan.hosts) {
    const { folder, hostKey } = machineFiles(plan, host);
    await makeFolder(folder, 0o700);
    await ensureKey(hostKey, host.name);
  }
  await writeKnownHosts(plan);
}
