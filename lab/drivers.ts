import type { DrivenLab, LabOptions, Reserved } from "./driver.ts";
import { openNamespaceLab } from "./namespace/driver.ts";
import { planLab } from "./namespace/plan.ts";
import type { LabPlan } from "./namespace/plan.ts";
import { requirePrograms, requireRoot } from "./namespace/requirements.ts";
import { openNestedLab, planNested, requireNested } from "./nested/driver.ts";
import type { NestedPlan } from "./nested/plan.ts";
import { systemPath } from "./process.ts";
import { chooseRanges } from "./ranges.ts";
import type { LabState } from "./state.ts";
import type { Topology } from "./topology.ts";

/** Refuses, before anything is written, a topology that this user may not, or that this machine has not the programs or the bridges for. */
export async function requireUsable(topology: Topology): Promise<void> {
  if (topology.driver === "nested") return requireNested(topology);
  requireRoot("new");
  requirePrograms(
    systemPath,
    topology.hosts.some(({ roles }) => roles.includes("ceph")),
  );
}

/** The part of a lab's record that is its driver's. */
export type DrivenPlan =
  | { readonly driver: "namespace"; readonly plan: LabPlan }
  | { readonly driver: "nested"; readonly plan: NestedPlan };

/**
 * Chooses what a topology leaves open, and plans all of the lab. Nothing is made.
 * @param reserved what other labs have, whether they are up or not.
 */
export async function planState(
  topology: Topology,
  folder: string,
  reserved: Reserved,
  options: LabOptions,
): Promise<DrivenPlan> {
  if (topology.driver === "nested")
    return { driver: "nested", plan: await planNested(topology, folder, reserved, options) };
  const ranges = await chooseRanges(topology, reserved.ranges);
  return { driver: "namespace", plan: planLab(topology, folder, ranges) };
}

/** The lab of a record. */
export function openLab(state: LabState): DrivenLab {
  return state.driver === "nested" ? openNestedLab(state.plan) : openNamespaceLab(state.plan);
}
