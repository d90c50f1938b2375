import { StackyardError } from "../../providers/core/errors.ts";
import { sh } from "../../providers/hosts/command.ts";
import type { Shell } from "../../providers/hosts/command.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import { runOnMachine } from "./ssh.ts";

/** Where libvirt has its domains, so that all of them are stopped, and go on, at once (Linux: admin-guide/cgroup-v2, `cgroup.freeze`). */
const slice = "/sys/fs/cgroup/machine.slice";

/** After that guests go on by themselves, whatever has become of who holds them; in seconds of the host's clock. */
const longestHold = 60;

/** Lets the domains of a host go on. */
export const releaseScript: Shell = sh`[ ! -e ${slice}/cgroup.freeze ] || echo 0 > ${slice}/cgroup.freeze`;

/**
 * `cgroup.events` never says that all is frozen, since KVM has a kernel thread of each guest among its processes. They get a signal,
 * at which a processor leaves its guest.
 */
const holdScript = sh`set -eu
[ -e ${slice}/cgroup.freeze ] || exit 0
(sleep ${longestHold}; echo 0 > ${slice}/cgroup.freeze) < /dev/null > /dev/null 2>&1 &
echo 1 > ${slice}/cgroup.freeze
sleep 0.3`.text;

/**
 * Stops the domains of hosts, which know nothing of it, so that no processor of a host is within a guest.
 * @returns lets them go on. They do so by themselves a minute later.
 * @throws StackyardError `wrong-state` for a host that cannot be told.
 */
export async function holdGuests(
  plan: NestedPlan,
  hosts: readonly NestedHost[],
): Promise<() => Promise<void>> {
  const release = async (): Promise<void> => {
    await Promise.allSettled(hosts.map((host) => runOnMachine(plan, host, ["sh", "-c", releaseScript.text])));
  };
  const answers = await Promise.all(
    hosts.map(async (host) => ({ host, ...(await runOnMachine(plan, host, ["sh", "-c", holdScript])) })),
  );
  const failed = answers.find(({ exitCode }) => exitCode !== 0);
  if (failed === undefined) return release;
  await release();
  throw new StackyardError("wrong-state", {
    message: `guests of host ${failed.host.name} are at work, and cannot be held for a moment, without which an emulated host does not go on where it was`,
    remedy: `Mend its management cable, or stop its servers: stackyard lab net ${failed.host.name} mend --network management --name ${plan.name}`,
    notes: [failed.stderr.trim()].filter((note) => note !== ""),
  });
}
