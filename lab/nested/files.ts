import { join } from "node:path";
import { labFiles } from "../folders.ts";
import type { NestedHost, NestedPlan } from "./plan.ts";

/** Segments of the lab's switch, by the interface that hosts have on them. */
export const segments = { data: "eth1", storage: "eth2" } as const;

export type Segment = keyof typeof segments;

/** The segments of a lab. */
export function segmentsOf(plan: NestedPlan): readonly Segment[] {
  return plan.networks.storage === undefined ? ["data"] : ["data", "storage"];
}

/** Files and sockets of a lab of virtual machines, beside {@link labFiles}. */
export function nestedFiles(plan: NestedPlan) {
  return {
    switchFile: join(plan.runFolder, "switch.json"),
    switchControl: join(plan.runFolder, "switch.sock"),
    switchLog: join(plan.folder, "switch.log"),
    /** Which cables are cut or bad. */
    links: join(plan.folder, "links.json"),
    snapshots: join(plan.folder, "snapshots"),
  };
}

/** Files and sockets of one host. */
export function machineFiles(plan: NestedPlan, host: NestedHost) {
  const { folder, hostKey } = labFiles(plan.folder).host(host.name);
  return {
    folder,
    hostKey,
    seed: join(folder, "seed.tar"),
    /** What the guest has written to its serial line, over all its boots. */
    consoleLog: join(folder, "console.log"),
    /** There until the host has let somebody log in: nothing on its disks is a user's. */
    fresh: join(folder, "fresh"),
    /** Which process of QEMU's has got through its boot, or was brought back. */
    ready: join(folder, "ready"),
    /** What QEMU itself has said. */
    qemuLog: join(folder, "qemu.log"),
    monitor: join(plan.runFolder, `${host.name}.qmp`),
    consoleSocket: join(plan.runFolder, `${host.name}.con`),
    migration: join(plan.runFolder, `${host.name}.mig`),
    nic: (segment: Segment) => join(plan.runFolder, `${host.name}.${segment}`),
  };
}
