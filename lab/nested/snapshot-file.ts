import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import { nestedFiles } from "./files.ts";
import { linkSchema } from "./network.ts";
import type { NestedPlan } from "./plan.ts";

const hostSnapshotSchema = z.object({
  name: z.string(),
  /** Hash of the image that its root disk stands on. */
  image: z.string(),
  /** Its memory; null for a host that was off. */
  memory: z.object({ file: z.string(), bytes: z.int(), crc: z.int() }).nullable(),
  /** The layer of each disk as it was, by slot. Nothing writes to it any more. */
  disks: z.record(z.string(), z.string()),
});

/** Of `snapshot.json`. */
export const snapshotSchema = z.object({
  version: z.literal(1),
  name: z.string(),
  takenAt: z.iso.datetime(),
  hosts: z.array(hostSnapshotSchema),
  /** The cables that were not as they should be. */
  links: z.array(linkSchema),
});

/** A moment of a whole lab: memory and disks of all hosts. */
export type Snapshot = z.infer<typeof snapshotSchema>;

export type HostSnapshot = Snapshot["hosts"][number];

const namePattern = /^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/;

/** @throws StackyardError `invalid-input` for a name that cannot be a folder's, or is not fit for one. */
export function parseSnapshotName(name: string): string {
  if (namePattern.test(name)) return name;
  throw new StackyardError("invalid-input", {
    message: "this is not the name of a snapshot",
    field: "snapshot",
    value: name,
    remedy: 'Use at most 64 of a-z, 0-9, ".", "_" and "-", beginning and ending with a letter or digit.',
  });
}

/** Names of snapshots that no user can give: of one that is taken for a copy, and of one that a copy begins with. */
export const ownSnapshots = { passing: "_copy", imported: "_imported" } as const;

/** Name of the folder of a snapshot that is being taken. */
export const unfinishedSnapshot = "_taking";

/** The folder of a snapshot's files. */
export function snapshotFolder(plan: NestedPlan, name: string): string {
  return join(nestedFiles(plan).snapshots, name);
}

/** Name of the file that makes a folder a snapshot. */
export const snapshotFileName = "snapshot.json";

/** The names of the lab's snapshots, also of those whose record cannot be read. */
export function listSnapshotNames(plan: NestedPlan): string[] {
  const { snapshots } = nestedFiles(plan);
  if (!existsSync(snapshots)) return [];
  return readdirSync(snapshots).filter(
    (name) => name !== unfinishedSnapshot && existsSync(join(snapshots, name, snapshotFileName)),
  );
}

/** The lab's snapshots, oldest first, less those whose record cannot be read. */
export function listSnapshots(plan: NestedPlan): Snapshot[] {
  return listSnapshotNames(plan)
    .map((name) => parseRecord(plan, name))
    .filter((snapshot) => snapshot !== undefined)
    .sort((a, b) => a.takenAt.localeCompare(b.takenAt));
}

function parseRecord(plan: NestedPlan, name: string): Snapshot | undefined {
  const text = readFileSync(join(snapshotFolder(plan, name), snapshotFileName), "utf8");
  try {
    const snapshot = snapshotSchema.parse(JSON.parse(text));
    return snapshot.name === name ? snapshot : undefined;
  } catch {
    return undefined;
  }
}

/** The snapshot of that name; undefined when the lab has none. */
export function findSnapshot(plan: NestedPlan, name: string): Snapshot | undefined {
  return listSnapshots(plan).find((snapshot) => snapshot.name === name);
}

/** The error of a snapshot that is not as it was written. */
export function damagedSnapshot({ name: lab }: NestedPlan, name: string, damage: string): StackyardError {
  return new StackyardError("image-checksum", {
    message: `snapshot "${name}" of lab "${lab}" is damaged: ${damage}`,
    field: "snapshot",
    value: name,
    remedy: `Nothing was changed. Remove it: stackyard lab snapshot ${name} --remove --name ${lab}`,
  });
}

/**
 * @throws StackyardError `not-found` when the lab has no such snapshot, `image-checksum` when its record cannot be read,
 * `invalid-input` when none can have that name.
 */
export function readSnapshot(plan: NestedPlan, name: string): Snapshot {
  const found = findSnapshot(plan, name);
  if (found !== undefined) return found;
  const names = listSnapshotNames(plan);
  if (names.includes(name)) throw damagedSnapshot(plan, name, `${snapshotFileName} cannot be read`);
  parseSnapshotName(name);
  throw new StackyardError("not-found", {
    message: `lab "${plan.name}" has no snapshot "${name}"`,
    field: "snapshot",
    value: name,
    remedy: names.length === 0 ? "It has none at all." : `Its snapshots: ${names.join(", ")}.`,
  });
}
