import { existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { StackyardError } from "../../providers/core/errors.ts";
import type { NestedHost } from "./plan.ts";

/** What QEMU itself takes beside a host's memory. */
const overheadMib = 200;
/** What a host writes to its disks from its first boot to its first server. */
const firstDiskMib = 1024;

const bytesPerMib = 1024 ** 2;

/**
 * What the hosts take, of what is free.
 * @param available text of /proc/meminfo.
 * @throws StackyardError `host-unsuitable` with the numbers when the hosts' memory is not there.
 */
export function requireMemory(
  hosts: readonly Pick<NestedHost, "name" | "ramMib">[],
  available = readFileSync("/proc/meminfo", "utf8"),
): string {
  const freeMib = Math.floor(Number(/^MemAvailable:\s+(\d+) kB$/m.exec(available)?.[1] ?? 0) / 1024);
  const wantedMib = hosts.reduce((sum, { ramMib }) => sum + ramMib + overheadMib, 0);
  if (wantedMib <= freeMib) return `${String(wantedMib)} MiB of ${String(freeMib)} MiB`;
  throw new StackyardError("host-unsuitable", {
    message: `the hosts to start (${hosts.map(({ name }) => name).join(", ")}) need ${String(wantedMib)} MiB of memory, and ${String(freeMib)} MiB are free`,
    field: "hosts.ramMib",
    value: String(wantedMib),
    remedy:
      "Use fewer or smaller hosts (ramMib), or free memory: stackyard lab list shows the labs of this user.",
  });
}

/**
 * What the hosts' disks take at first, of what is free.
 * @param folder where the disks go; it may not be there yet.
 * @throws StackyardError `host-disk-full` with the numbers when there is no room for the hosts' first boots.
 */
export function requireDisk(folder: string, hosts: number): Promise<string> {
  return requireSpace(folder, hosts * firstDiskMib, {
    subject: `the disks of ${String(hosts)} hosts`,
    field: "diskFolder",
    remedy: "Free space, or name another diskFolder in the topology.",
  });
}

/** Refuses to start hosts that this machine has no memory or disk for. */
export async function requireResources(hosts: readonly NestedHost[]): Promise<void> {
  requireMemory(hosts);
  const [first] = hosts;
  if (first !== undefined) await requireDisk(dirname(first.diskFolder), hosts.length);
}

/**
 * What a subject takes, of what is free.
 * @param folder where it goes; it may not be there yet.
 * @throws StackyardError `host-disk-full` with the numbers.
 */
export async function requireSpace(
  folder: string,
  wantedMib: number,
  { subject, field, remedy }: { readonly subject: string; readonly field: string; readonly remedy: string },
): Promise<string> {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = await statfs(existing);
  const freeMib = Math.floor((bavail * bsize) / bytesPerMib);
  if (wantedMib <= freeMib) return `${String(wantedMib)} MiB of ${String(freeMib)} MiB in ${existing}`;
  throw new StackyardError("host-disk-full", {
    message: `${subject} need ${String(wantedMib)} MiB at first, and ${String(freeMib)} MiB are free`,
    field,
    value: existing,
    remedy,
  });
}
