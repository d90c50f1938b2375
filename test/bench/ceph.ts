import { join } from "node:path";
import { buildGuest } from "../../lab/guest/build.ts";
import { type InventoryCeph } from "../../lab/inventory.ts";
import { expectProcess } from "../../lab/process.ts";
import type { Say } from "../../lab/setup/progress.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import type { RbdPlace, RbdParent } from "../../providers/core/volume-backend.ts";
import { sh } from "../../providers/hosts/command.ts";
import type { Shell } from "../../providers/hosts/command.ts";
import type { HostConnection } from "../../providers/hosts/connection.ts";
import { benchAttachments } from "./attachments.ts";
import type { BenchCloud } from "./cloud.ts";
import type { Measurement } from "./measurement.ts";
import { benchPoolServers } from "./pool-servers.ts";
import { benchImport, benchRootDisks, benchSnapshots } from "./rbd.ts";
import { listClientOptions } from "../support/rbd-options.ts";

/** Sizes of the images that disks are cloned from, GiB. */
export const imageSizes = [1, 10] as const;
export type ImageSize = (typeof imageSizes)[number];

/** A cloud with one host that is a client of a Ceph cluster, and its pools, each named by what it holds. */
export interface CephStage {
  readonly bench: BenchCloud;
  readonly host: ComputeHost;
  /** The connection that the cloud itself uses. */
  readonly connection: HostConnection;
  /** Inputs of all servers. */
  readonly project: string;
  readonly vms: RbdPlace;
  readonly volumes: RbdPlace;
  readonly images: RbdPlace;
  /** Ids of the pools. */
  readonly poolIds: { readonly vms: string; readonly volumes: string };
  /** Images with a few MiB of data, by size. They are in the pool. */
  readonly parents: Readonly<Record<ImageSize, { readonly id: string; readonly parent: RbdParent }>>;
  /** Image of a guest that boots. */
  readonly guestId: string;
  /** Flavors of 64 MiB, with a disk of that many GiB in the pool, and in a file. */
  readonly flavorOf: (diskGib: number, pool: string | undefined, ramMib?: number) => Promise<string>;
  readonly signal: AbortSignal;
}

/** Times the copy-on-write disks of the cloud in a Ceph cluster against `rbd`, `qemu-img` and `virsh` by hand, over the same connection. */
export async function benchCeph(
  bench: BenchCloud,
  ceph: InventoryCeph,
  folder: string,
  say: Say,
  signal: AbortSignal,
): Promise<readonly Measurement[]> {
  const stage = await openStage(bench, ceph, folder, signal);
  const measurements: Measurement[] = [];
  for (const [what, part] of [
    ["root disks", benchRootDisks],
    ["snapshots", benchSnapshots],
    ["images", benchImport],
    ["servers in a pool", benchPoolServers],
    ["attachments", benchAttachments],
  ] as const) {
    say(what);
    measurements.push(...(await part(stage)));
  }
  return measurements;
}

/** `rbd` by hand, as the cloud's user for the place. */
export function rbdByHand(host: ComputeHost, place: RbdPlace, ...words: readonly string[]): Shell {
  return sh`rbd ${listClientOptions(host, place)} ${words} < /dev/null`;
}

async function openStage(
  bench: BenchCloud,
  ceph: InventoryCeph,
  folder: string,
  signal: AbortSignal,
): Promise<CephStage> {
  const { make, hosts } = bench;
  const [host] = hosts;
  if (host === undefined) throw new StackyardError("internal", { message: "the lab has no host" });
  const { id: project } = await make("project", "bench", {
    quota: { instances: -1, cores: -1, ramMib: -1 },
  });
  const cluster = await make("ceph-cluster", "ceph", { ...ceph, hosts: [host.id] });
  const makePool = async (content: string, more: JsonObject = {}): Promise<string> =>
    (await make("storage-pool", content, { cluster: cluster.id, content, ...more })).id;
  const imagePool = await makePool("images");
  const poolIds = {
    vms: await makePool("vms", { imagePool }),
    volumes: await makePool("volumes", { imagePool }),
  };
  const placeOf = (content: RbdPlace["content"]): RbdPlace => {
    const clusterId = cluster.id;
    return { backend: "rbd", clusterId, monitors: ceph.monitors, pool: content, content };
  };
  const flavors = new Map<string, string>();
  const flavorOf: CephStage["flavorOf"] = async (diskGib, storagePool, ramMib = 64) => {
    const name = `${storagePool === undefined ? "file" : "pool"}-${String(diskGib)}-${String(ramMib)}`;
    const known = flavors.get(name);
    if (known !== undefined) return known;
    const pool = storagePool === undefined ? {} : { storagePool };
    const { id } = await make("flavor", name, { vcpus: 1, ramMib, diskGib, ...pool });
    flavors.set(name, id);
    return id;
  };
  const guest = await buildGuest();
  const { id: guestId } = await make("image", "guest", { project, disk: { location: guest.qcow2 } });
  const parentOf = async (size: ImageSize) => {
    const file = join(folder, `blank-${String(size)}.qcow2`);
    await expectProcess("making an image", "qemu-img", [
      "create",
      "-q",
      "-f",
      "qcow2",
      file,
      `${String(size)}G`,
    ]);
    await expectProcess("writing to an image", "qemu-io", ["-c", "write -q -P 7 1M 4M", file]);
    const { id } = await make("image", `blank-${String(size)}`, { project, disk: { location: file } });
    // The first server brings it into the pool.
    const flavor = await flavorOf(size, poolIds.vms);
    const inputs = { project, flavor, image: id, networks: [], running: false };
    const server = await make("server", `first-${String(size)}`, inputs);
    await bench.cloud.remove("server", server.id);
    return { id, parent: { pool: "images", image: id, snapshot: "snap" } };
  };
  return {
    bench,
    host,
    connection: await bench.connect(host),
    project,
    vms: placeOf("vms"),
    volumes: placeOf("volumes"),
    images: placeOf("images"),
    poolIds,
    parents: { 1: await parentOf(1), 10: await parentOf(10) },
    guestId,
    flavorOf,
    signal,
  };
}
