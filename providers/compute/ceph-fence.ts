import { z } from "zod";
import type { FencedDisk } from "../core/ceph.ts";
import { StackyardError } from "../core/errors.ts";
import type { HostId } from "../core/ids.ts";
import { script, sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import type { CephFault } from "./ceph-session.ts";
import { nameImage } from "./volumes/rbd/rbd-client.ts";

/**
 * How long an address is shut out: ten years. Ceph's own hour would let a process go on that has waited for it; no process has the nonce of another.
 */
const blocklistSeconds = 315_360_000;

/** Stands after each answer of {@link listHolders}. */
const separator = "<>";

const statusSchema = z.object({ watchers: z.array(z.object({ address: z.string() })) });
const locksSchema = z.array(z.object({ id: z.string(), locker: z.string(), address: z.string() }));

/** Who has a disk open, by what Ceph says. */
export interface DiskHolders {
  readonly disk: FencedDisk;
  /** Addresses of clients that watch it, and of those that hold a lock, be they gone. */
  readonly addresses: readonly string[];
  readonly locks: z.infer<typeof locksSchema>;
}

function nameDisk({ volume }: FencedDisk): string {
  if (volume.place.backend !== "rbd")
    throw new StackyardError("internal", {
      message: `disk ${volume.id} is in no pool, and cannot be fenced`,
    });
  return `${volume.place.pool}/${nameImage(volume)}`;
}

/** Asks for watchers and locks of each disk. Read by {@link parseHolders}. */
export function listHolders(disks: readonly FencedDisk[]): Shell {
  return script(
    ...disks.map(
      (disk) => sh`rbd status --format json ${nameDisk(disk)}
echo ${separator}
rbd lock ls --format json ${nameDisk(disk)}
echo ${separator}`,
    ),
  );
}

/** What a disk that is not there is told by. */
export const missingDiskFault: CephFault = {
  pattern: /No such file or directory/,
  code: "not-found",
  detail: { message: "A disk of the server is not in its pool" },
};

/** Reads the output of {@link listHolders}. */
export function parseHolders(disks: readonly FencedDisk[], output: string): readonly DiskHolders[] {
  const answers = output.split(separator);
  return disks.map((disk, index) => {
    const { watchers } = statusSchema.parse(JSON.parse(answers[2 * index] ?? ""));
    const text = answers[2 * index + 1]?.trim() ?? "";
    const locks = locksSchema.parse(text === "" ? [] : JSON.parse(text));
    const addresses = [...watchers, ...locks].map(({ address }) => address);
    return { disk, addresses: [...new Set(addresses)], locks };
  });
}

function machineOf(address: string): string {
  return address.replace(/:\d+\/\d+$/, "");
}

/** Addresses to shut out: of a shared disk those of machines that have another disk, which is the server's alone. */
export function chooseFenced(holders: readonly DiskHolders[]): readonly string[] {
  const own = holders.filter(({ disk }) => !disk.isShared).flatMap(({ addresses }) => addresses);
  const machines = new Set(own.map(machineOf));
  const shared = holders.filter(({ disk }) => disk.isShared).flatMap(({ addresses }) => addresses);
  return [...new Set([...own, ...shared.filter((address) => machines.has(machineOf(address)))])];
}

/** Key of an image's metadata that keeps a host from starting a server from it at a boot: the host has lost it to another. */
export function nameLostKey(host: HostId): string {
  return `stackyard-lost-${host}`;
}

/** Marks disks as lost to a host. A shared one still has other servers there. */
export function markLost(disks: readonly FencedDisk[], host: HostId): Shell {
  return script(
    ...disks
      .filter(({ isShared }) => !isShared)
      .map((disk) => sh`rbd image-meta set ${nameDisk(disk)} ${nameLostKey(host)} yes`),
  );
}

/** First all are shut out, then their locks are broken: nobody takes one again. */
export function fenceClients(holders: readonly DiskHolders[], addresses: readonly string[]): Shell {
  const locks = holders.flatMap(({ disk, locks: held }) =>
    held.filter(({ address }) => addresses.includes(address)).map((lock) => ({ disk, lock })),
  );
  return script(
    ...addresses.map((address) => sh`ceph osd blocklist add ${address} ${blocklistSeconds} > /dev/null`),
    // A lock that went meanwhile is not there to be removed.
    ...locks.map(
      ({ disk, lock }) => sh`rbd lock rm ${nameDisk(disk)} ${lock.id} ${lock.locker} > /dev/null 2>&1 ||
  ! rbd lock ls --format json ${nameDisk(disk)} | grep -qF ${`"${lock.locker}"`}`,
    ),
  );
}
