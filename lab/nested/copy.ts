import type { LabOptions } from "../driver.ts";
import { placeKeys } from "./bundle.ts";
import { bringCephUp } from "./ceph.ts";
import { ensureImages } from "./image/host-images.ts";
import { ensureFiles } from "./lab-files.ts";
import { findMachine } from "./machine.ts";
import type { NestedPlan } from "./plan.ts";
import { rekeyLab } from "./rekey.ts";
import { writeSeed } from "./seed.ts";
import { findSnapshot, ownSnapshots } from "./snapshot-file.ts";
import { removeSnapshot } from "./removal.ts";
import { restoreSnapshot } from "./restore.ts";

/** Whether the lab is a copy whose hosts have not got so far as to go on by themselves: their command was killed. */
export function isHalfCopied(plan: NestedPlan): boolean {
  return findSnapshot(plan, ownSnapshots.imported) !== undefined;
}

/**
 * Lets the hosts of a copy go on where they were, and gives them keys of their own. What was killed on the way begins anew:
 * the moment that the copy was made of stays until the end, with the keys that its memory knows.
 */
export async function beginCopy(plan: NestedPlan, options: LabOptions): Promise<void> {
  await placeKeys(plan);
  await ensureFiles(plan);
  for (const host of plan.hosts) await writeSeed(plan, host);
  await restoreSnapshot(plan, ownSnapshots.imported, await ensureImages(plan, plan.hosts, options), options);
  const running = plan.hosts.filter((host) => findMachine(host) !== undefined);
  await rekeyLab(plan, running);
  // Its files here are written anew. What is off has its part of the cluster back at the next `up`.
  if (running.length === plan.hosts.length) await bringCephUp(plan, [], options);
  await removeSnapshot(plan, ownSnapshots.imported);
}
