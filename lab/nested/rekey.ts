import { readFile, rename, rm } from "node:fs/promises";
import { StackyardError } from "../../providers/core/errors.ts";
import { sh } from "../../providers/hosts/command.ts";
import { labFiles } from "../folders.ts";
import { ensureKey } from "../keys.ts";
import { runProcess } from "../process.ts";
import { sshArguments } from "../ssh.ts";
import { machineFiles } from "./files.ts";
import { writeKnownHosts } from "./known-hosts.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import { retryOnMachine } from "./ssh.ts";

const proofLimitMs = 60_000;

/**
 * Gives a lab that was copied keys of its own: to log in by, and for each host that is on. Hosts that are off get theirs at
 * their next boot. What is killed on the way is finished by the next `up`: both sides know both keys until the end.
 */
export async function rekeyLab(plan: NestedPlan, running: readonly NestedHost[]): Promise<void> {
  const { identity } = labFiles(plan.folder);
  const fresh = (path: string): string => `${path}.new`;
  const keys = [identity, ...plan.hosts.map((host) => machineFiles(plan, host).hostKey)];
  for (const path of keys) {
    await rm(fresh(path), { force: true });
    await rm(`${fresh(path)}.pub`, { force: true });
  }
  await ensureKey(fresh(identity), `stackyard lab ${plan.name}`);
  for (const host of plan.hosts) await ensureKey(fresh(machineFiles(plan, host).hostKey), host.name);
  await writeKnownHosts(plan, (path) => [path, fresh(path)]);
  const authorized = await readFile(`${fresh(identity)}.pub`, "utf8");
  await Promise.all(
    running.map(async (host) => {
      const { hostKey } = machineFiles(plan, host);
      const parts = [
        await readFile(fresh(hostKey), "utf8"),
        await readFile(`${fresh(hostKey)}.pub`, "utf8"),
        authorized,
      ];
      await tell(plan, host, identity, rekeyScript, parts.join("\0"));
    }),
  );
  for (const path of keys) {
    await rename(fresh(path), path);
    await rename(`${fresh(path)}.pub`, `${path}.pub`);
  }
  await writeKnownHosts(plan);
  await Promise.all(running.map((host) => proveKeys(plan, host)));
}

/** Logs in by the new keys: a host's sshd that reads its settings anew refuses connections for a moment. */
async function proveKeys(plan: NestedPlan, host: NestedHost): Promise<void> {
  const said = await retryOnMachine(plan, host, () => ["true"], { limitMs: proofLimitMs });
  if (said !== undefined) throw notTaken(plan, host, said);
}

function notTaken(plan: NestedPlan, host: NestedHost, said: string): StackyardError {
  return new StackyardError("command-failed", {
    message: `host ${host.name} has not taken its new keys`,
    remedy: `Run the command again, or take the copy down: stackyard lab down --name ${plan.name}`,
    notes: [said.trim().slice(-500)],
  });
}

async function tell(
  plan: NestedPlan,
  host: NestedHost,
  identity: string,
  command: string,
  stdin: string,
): Promise<void> {
  const files = { ...labFiles(plan.folder), identity };
  const target = sshArguments(files, { address: host.sshAddress, port: host.sshPort });
  const { exitCode, stderr } = await runProcess("ssh", [...target, command], { stdin, timeoutMs: 120_000 });
  if (exitCode === 0) return;
  throw notTaken(plan, host, stderr);
}

/** Reads host key, its public half and the key to log in by, zeros between them. The new login key comes last: all or nothing. */
const rekeyScript = sh`set -eu
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/all"
part() { tr '\n\0' '\001\n' < "$folder/all" | sed -n "$1p" | tr '\001' '\n'; }
part 1 > /etc/ssh/ssh_host_ed25519_key.new
part 2 > /etc/ssh/ssh_host_ed25519_key.pub.new
part 3 > /root/.ssh/authorized_keys.new
mv /etc/ssh/ssh_host_ed25519_key.new /etc/ssh/ssh_host_ed25519_key
mv /etc/ssh/ssh_host_ed25519_key.pub.new /etc/ssh/ssh_host_ed25519_key.pub
mv /root/.ssh/authorized_keys.new /root/.ssh/authorized_keys
systemctl reload ssh`.text;
