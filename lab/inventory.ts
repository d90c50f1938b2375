import { readFileSync } from "node:fs";
import { z } from "zod";
import { StackyardError } from "../providers/core/errors.ts";
import { labFiles, labFolder } from "./folders.ts";

const inventoryHostSchema = z.object({
  name: z.string(),
  address: z.string(),
  port: z.int(),
  user: z.string(),
  identityFile: z.string(),
  knownHostsFile: z.string(),
  tunnelInterface: z.string(),
  tunnelAddress: z.string(),
});

const inventoryCephSchema = z.object({
  fsid: z.string(),
  monitors: z.array(z.string()),
  user: z.string(),
  keyringFile: z.string(),
});

export const inventorySchema = z.object({
  name: z.string(),
  hosts: z.array(inventoryHostSchema),
  /** Absent in a lab without a host of the role `ceph`. */
  ceph: inventoryCephSchema.optional(),
  networks: z.object({
    management: z.object({ cidr: z.string(), gateway: z.string() }),
    data: z.object({ cidr: z.string(), mtuBytes: z.int() }),
  }),
});

/**
 * A lab host as a stack enrols it: how SSH reaches it (address, port, user, key, known_hosts) and which interface and
 * CIDR address its tunnels use.
 */
export type InventoryHost = z.infer<typeof inventoryHostSchema>;

/** A lab's Ceph as a stack names it: its fsid, monitors, and the file with its admin's key. */
export type InventoryCeph = z.infer<typeof inventoryCephSchema>;

/** What `stackyard lab up` leaves for stacks: the hosts and the networks between them. */
export type Inventory = z.infer<typeof inventorySchema>;

/**
 * The inventory of a lab that is up.
 * @throws StackyardError `not-found` when no lab of that name has come up.
 */
export function readInventory(name = "lab"): Inventory {
  const file = labFiles(labFolder(name)).inventory;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new StackyardError("not-found", {
      message: `there is no lab "${name}" that is up`,
      field: "lab",
      value: name,
      remedy: `Bring it up: stackyard lab up --name ${name}`,
      cause,
    });
  }
  return inventorySchema.parse(JSON.parse(text));
}

/**
 * The hosts of a lab, for a stack to enrol: `for (const host of labHosts()) new Host(host.name, host)`.
 * @throws StackyardError `not-found` when no lab of that name has come up.
 */
export function labHosts(name = "lab"): readonly InventoryHost[] {
  return readInventory(name).hosts;
}

/**
 * The Ceph of a lab, for a stack to name: `new CephCluster("ceph", { ...labCeph(), hosts })`.
 * @throws StackyardError `not-found` when no lab of that name has come up, or it has no host of the role `ceph`.
 */
export function labCeph(name = "lab"): InventoryCeph {
  const { ceph } = readInventory(name);
  if (ceph !== undefined) return ceph;
  throw new StackyardError("not-found", {
    message: `the lab "${name}" has no Ceph`,
    field: "lab",
    value: name,
    remedy: "Give a host of its topology the role ceph, as three-hosts-ceph does.",
  });
}
