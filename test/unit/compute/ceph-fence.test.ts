import { expect, test } from "vitest";
import { chooseFenced, fenceClients, markLost, parseHolders } from "../../../providers/compute/ceph-fence.ts";
import type { FencedDisk } from "../../../providers/core/ceph.ts";
import { deriveId } from "../../../providers/core/ids.ts";

function diskOf(name: string, isShared = false): FencedDisk {
  const place = {
    backend: "rbd",
    clusterId: deriveId<"resource">("cluster"),
    monitors: ["10.0.0.1"],
    pool: "vms",
    content: "vms",
  } as const;
  return { volume: { place, id: deriveId<"resource">(name), name }, isShared };
}

/** What `rbd status` and `rbd lock ls` print of one disk. */
function print(watchers: readonly string[], lockers: readonly string[]): string {
  const status = { watchers: watchers.map((address) => ({ address, client: 1, cookie: 1 })) };
  const locks = lockers.map((address) => ({ id: "auto 1", locker: "client.1", address }));
  return `${JSON.stringify(status)}\n<>\n${JSON.stringify(locks)}\n<>\n`;
}

const [lost, gone, other] = ["10.0.0.11:0/1", "10.0.0.11:0/2", "10.0.0.12:0/3"] as const;

test("who watches a disk is shut out, and who holds a lock and watches no more", () => {
  const holders = parseHolders([diskOf("root")], print([lost], [gone]));

  expect(chooseFenced(holders)).toEqual([lost, gone]);
  const { text } = fenceClients(holders, [lost, gone]);
  expect(text.indexOf(`blocklist add '${gone}'`)).toBeLessThan(text.indexOf("lock rm"));
  expect(text).toContain("lock rm 'vms/root' 'auto 1' 'client.1'");
});

test("disks are marked as lost to their host, but for those that it shares", () => {
  const host = deriveId<"host">("lost");
  const { text } = markLost([diskOf("root"), diskOf("shared", true)], host);
  expect(text).toBe(`set -eu\nrbd image-meta set 'vms/root' 'stackyard-lost-${host}' yes`);
});

test("of a shared disk only clients of the machine that has the server's own are meant", () => {
  const disks = [diskOf("root"), diskOf("shared", true)];
  const holders = parseHolders(disks, print([lost], []) + print([gone, other], [other]));

  const addresses = chooseFenced(holders);

  expect(addresses).toEqual([lost, gone]);
  expect(fenceClients(holders, addresses).text).not.toContain("lock rm");
});

test("a disk that nobody has open leaves everybody in", () => {
  expect(chooseFenced(parseHolders([diskOf("root")], print([], [])))).toEqual([]);
});
