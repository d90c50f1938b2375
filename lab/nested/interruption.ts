import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { hasCode } from "../../providers/core/errors.ts";
import type { LabOptions } from "../driver.ts";
import { runSideBySide } from "../side-by-side.ts";
import { nestedFiles } from "./files.ts";
import { removeSnapshot } from "./removal.ts";
import { cutMachine, findMachine, withMonitor } from "./machine.ts";
import { cancelMigration } from "./memory.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";
import { requireSpace } from "./resources.ts";
import { mendMachine } from "./restore.ts";
import { listSnapshotNames, ownSnapshots, snapshotFileName, unfinishedSnapshot } from "./snapshot-file.ts";

/** Below this a host whose disk was full is not let go on: it would stand still again. */
const wakeDiskMib = 256;

/** States of a host that stands still though it was not switched off (QEMU: qapi/run-state.json), and can go on. */
const stillStates = ["paused", "postmigrate", "finish-migrate", "io-error"];
const statusSchema = z.looseObject({ status: z.string() });

/** Lets a host that stands still go on. @returns whether it did. */
async function wake(plan: NestedPlan, host: NestedHost): Promise<boolean> {
  try {
    return await withMonitor(plan, host, async (qmp) => {
      const { status } = statusSchema.parse(await qmp.execute("query-status"));
      if (status === "inmigrate") await cutMachine(host); // Of a restore that was killed.
      if (!stillStates.includes(status)) return false;
      if (status === "io-error") {
        await requireSpace(host.diskFolder, wakeDiskMib, {
          subject: `the disks of host ${host.name}, which stands still since there was no room for them,`,
          field: "diskFolder",
          remedy: `Free space, and run again. What the host has not written yet is lost when its power is cut: stackyard lab power ${host.name} cut --name ${plan.name}`,
        });
      }
      await cancelMigration(qmp);
      await qmp.execute("cont");
      return true;
    });
  } catch (error) {
    if (hasCode(error, "command-failed") || hasCode(error, "command-timeout")) return false; // It hangs.
    throw error;
  }
}

/**
 * Takes back what commands that were killed have left: hosts that stand still for a snapshot go on, and what is no snapshot
 * yet goes away.
 */
export async function mendInterrupted(plan: NestedPlan, options: LabOptions): Promise<void> {
  await runSideBySide(
    plan.hosts.map((host) => async (signal) => {
      if (findMachine(host) === undefined || !(await wake(plan, host))) return;
      options.onProgress?.(`${host.name}: stood still, goes on`);
      await mendMachine(plan, host, [], { ...options, signal }).catch((error: unknown) => {
        if (!hasCode(error, "host-unsuitable")) throw error; // The caller sees that it is not up.
      });
    }),
    options.signal,
  );
  const { snapshots } = nestedFiles(plan);
  if (!existsSync(snapshots)) return;
  if (listSnapshotNames(plan).includes(ownSnapshots.passing))
    await removeSnapshot(plan, ownSnapshots.passing);
  for (const name of await readdir(snapshots)) {
    const folder = join(snapshots, name);
    if (name === unfinishedSnapshot || !existsSync(join(folder, snapshotFileName)))
      await rm(folder, { recursive: true });
  }
}
