import { blockNode, nameImage } from "../../providers/compute/volumes/rbd/rbd-client.ts";
import { deriveId, type ResourceId } from "../../providers/core/ids.ts";
import type { RbdPlace, VolumeRef, VolumeSpec } from "../../providers/core/volume-backend.ts";
import { script, sh } from "../../providers/hosts/command.ts";
import type { Shell } from "../../providers/hosts/command.ts";
import { imageSizes, rbdByHand, type CephStage, type ImageSize } from "./ceph.ts";
import { compare, timeMs } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";

/** Goal of what one or two commands do, as a ratio to them. */
const commandGoal = 1.3;
/** Goal of a clone of the larger image, as a ratio to one of the smaller. */
const flatGoal = 1.2;
/** Goal of an import, as a ratio to the conversion alone. */
const importGoal = 1.05;

/** Pairs of commands, and of copies. */
const commandRuns = 7;
const copyRuns = 3;

const copiedMib = 256;
const importedMib = 512;

const rootDiskNote =
  "One process with one connection, which starts in twice the time of an rbd, against two of rbd. Beside what is done by hand it sees whether the disk is there and ours, marks it as ours, and gives it its name when it is whole. Growth and snapshots have the first of these beside what is done by hand.";

const silent = (): void => undefined;

function volumeOf(place: RbdPlace, label: string): VolumeRef & { readonly id: ResourceId } {
  return { place, id: deriveId<"resource">("bench volume", label) };
}

/** Runs commands by hand in one session, and tells how long that took. */
function timeByHand({ connection }: CephStage, ...commands: readonly Shell[]): Promise<number> {
  return timeMs(() =>
    connection.run(script(...commands), { attempting: "work by hand", timeoutMs: 300_000 }),
  );
}

/** Clones of images of both sizes, and what the copy of one costs. */
export async function benchRootDisks(stage: CephStage): Promise<readonly Measurement[]> {
  const { bench, host, vms, signal } = stage;
  const { volumes } = bench.compute;
  const byHand = (...words: readonly string[]): Shell => rbdByHand(host, vms, ...words);
  const own = { 1: new Array<number>(), 10: new Array<number>() };
  const bare = { 1: new Array<number>(), 10: new Array<number>() };
  for (let run = -1; run < commandRuns; run++) {
    for (const size of imageSizes) {
      const { parent } = stage.parents[size];
      const source = { kind: "parent", parent } as const;
      const spec: VolumeSpec = { ...volumeOf(vms, "root"), sizeGib: size + 1, source };
      const ownMs = await timeMs(() => volumes.ensureVolume(host, spec, silent, signal));
      await volumes.removeVolume(host, spec, signal);
      const bareMs = await timeByHand(
        stage,
        byHand("clone", `${parent.pool}/${parent.image}@${parent.snapshot}`, "vms/by-hand"),
        byHand("resize", "--no-progress", "--size", `${String(size + 1)}G`, "vms/by-hand"),
      );
      await timeByHand(stage, byHand("rm", "--no-progress", "vms/by-hand"));
      if (run < 0) continue;
      own[size].push(ownMs);
      bare[size].push(bareMs);
    }
  }
  const cloned = (size: ImageSize): Measurement => ({
    name: `root disk in a pool, of an image of ${String(size)} GiB`,
    unit: "ms",
    ...compare(
      { own: own[size], baseline: bare[size] },
      { name: "rbd clone and rbd resize by hand", goal: commandGoal },
    ),
    ...(size === imageSizes[0] ? { note: rootDiskNote } : {}),
  });
  const flat: Measurement = {
    name: "root disk in a pool, of an image of 10 GiB, against one of 1 GiB",
    unit: "ms",
    ...compare({ own: own[10], baseline: own[1] }, { name: "the row of 1 GiB", goal: flatGoal }),
  };
  return [cloned(1), cloned(10), flat, await benchCopy(stage)];
}

/** A clone against the copy of an image that has data. */
async function benchCopy(stage: CephStage): Promise<Measurement> {
  const { bench, host, vms, images, signal } = stage;
  const full = `images/full`;
  const image = (...words: readonly string[]): Shell => rbdByHand(host, images, ...words);
  const byHand = (...words: readonly string[]): Shell => rbdByHand(host, vms, ...words);
  await timeByHand(
    stage,
    image("create", "--size", "1G", full),
    sh`head -c ${copiedMib * 2 ** 20} /dev/urandom > /tmp/bench-data
qemu-img convert -n -f raw -O raw /tmp/bench-data ${blockNode(host, images, "full")}
rm /tmp/bench-data`,
    image("snap", "create", "--no-progress", `${full}@snap`),
    image("snap", "protect", `${full}@snap`),
  );
  const source = { kind: "parent", parent: { pool: "images", image: "full", snapshot: "snap" } } as const;
  const spec: VolumeSpec = { ...volumeOf(vms, "copy"), sizeGib: 1, source };
  const own: number[] = [];
  const bare: number[] = [];
  for (let run = -1; run < copyRuns; run++) {
    const ownMs = await timeMs(() => bench.compute.volumes.ensureVolume(host, spec, silent, signal));
    await bench.compute.volumes.removeVolume(host, spec, signal);
    const bareMs = await timeByHand(stage, byHand("cp", "--no-progress", `${full}@snap`, "vms/by-hand"));
    await timeByHand(stage, byHand("rm", "--no-progress", "vms/by-hand"));
    if (run < 0) continue;
    own.push(ownMs);
    bare.push(bareMs);
  }
  await timeByHand(
    stage,
    image("snap", "unprotect", `${full}@snap`),
    image("snap", "rm", "--no-progress", `${full}@snap`),
    image("rm", "--no-progress", full),
  );
  return {
    name: `root disk in a pool, of an image of 1 GiB with ${String(copiedMib)} MiB of data`,
    unit: "ms",
    ...compare({ own, baseline: bare }, { name: "a full copy by rbd cp" }),
  };
}

/** Snapshots, and the growth of a volume. */
export async function benchSnapshots(stage: CephStage): Promise<readonly Measurement[]> {
  const { bench, host, volumes: place, signal } = stage;
  const { volumes } = bench.compute;
  const volume = volumeOf(place, "snapshots");
  const image = `${place.pool}/${nameImage(volume)}`;
  const byHand = (...words: readonly string[]): Shell => rbdByHand(host, place, ...words);
  await volumes.ensureVolume(host, { ...volume, sizeGib: 1, source: { kind: "blank" } }, silent, signal);
  const own = { snapshot: new Array<number>(), resize: new Array<number>() };
  const bare = { snapshot: new Array<number>(), resize: new Array<number>() };
  let sizeGib = 1;
  for (let run = -1; run < commandRuns; run++) {
    const snapshotId = deriveId<"resource">("bench snapshot");
    const ownMs = await timeMs(() => volumes.ensureSnapshot(host, volume, snapshotId, signal));
    await volumes.removeSnapshot(host, volume, snapshotId, signal);
    const bareMs = await timeByHand(
      stage,
      byHand("snap", "create", "--no-progress", `${image}@by-hand`),
      byHand("snap", "protect", `${image}@by-hand`),
    );
    await timeByHand(
      stage,
      byHand("snap", "unprotect", `${image}@by-hand`),
      byHand("snap", "rm", "--no-progress", `${image}@by-hand`),
    );
    const ownGrowthMs = await timeMs(() => volumes.growVolume(host, volume, ++sizeGib, signal));
    const growth = byHand("resize", "--no-progress", "--size", `${String(++sizeGib)}G`, image);
    const bareGrowthMs = await timeByHand(stage, growth);
    if (run < 0) continue;
    own.snapshot.push(ownMs);
    bare.snapshot.push(bareMs);
    own.resize.push(ownGrowthMs);
    bare.resize.push(bareGrowthMs);
  }
  await volumes.removeVolume(host, volume, signal);
  const row = (name: string, what: "snapshot" | "resize", against: string): Measurement => ({
    name,
    unit: "ms",
    ...compare({ own: own[what], baseline: bare[what] }, { name: against, goal: commandGoal }),
  });
  return [
    row("snapshot of a volume in a pool", "snapshot", "rbd snap create and protect by hand"),
    row("growth of a volume in a pool by 1 GiB", "resize", "rbd resize by hand"),
  ];
}

/** The import of a qcow2 file into the pool. */
export async function benchImport(stage: CephStage): Promise<readonly Measurement[]> {
  const { bench, host, images: place, signal } = stage;
  const { volumes } = bench.compute;
  const id = deriveId<"resource">("bench image");
  const path = "/tmp/bench-import.qcow2";
  const virtualSizeBytes = 2 ** 30;
  const image = { id, name: id, path, format: "qcow2", virtualSizeBytes } as const;
  await timeByHand(
    stage,
    sh`head -c ${importedMib * 2 ** 20} /dev/urandom > /tmp/bench-data
truncate -s 1G /tmp/bench-data
qemu-img convert -f raw -O qcow2 /tmp/bench-data ${path}
rm /tmp/bench-data`,
  );
  const node = blockNode(host, place, "by-hand");
  const convert = sh`${rbdByHand(host, place, "create", "--size", "1G", "images/by-hand")}
qemu-img convert -n --target-is-zero -f qcow2 -O raw ${path} ${node}`;
  const byHand = (...words: readonly string[]): Shell => rbdByHand(host, place, ...words);
  const snapshot = script(
    byHand("snap", "create", "--no-progress", "images/by-hand@snap"),
    byHand("snap", "protect", "images/by-hand@snap"),
  );
  const drop = script(
    byHand("snap", "unprotect", "images/by-hand@snap"),
    byHand("snap", "rm", "--no-progress", "images/by-hand@snap"),
    byHand("rm", "--no-progress", "images/by-hand"),
  );
  const own: number[] = [];
  const bare: number[] = [];
  const whole: number[] = [];
  for (let run = -1; run < copyRuns; run++) {
    const ownMs = await timeMs(() => volumes.importImage(host, place, image, silent, signal));
    await volumes.removeImage(host, place, image, signal);
    const bareMs = await timeByHand(stage, convert);
    const compareMs = await timeByHand(stage, sh`qemu-img compare -f qcow2 -F raw ${path} ${node}`);
    const snapshotMs = await timeByHand(stage, snapshot);
    await timeByHand(stage, drop);
    if (run < 0) continue;
    own.push(ownMs);
    bare.push(bareMs);
    whole.push(bareMs + compareMs + snapshotMs);
  }
  await timeByHand(stage, sh`rm ${path}`);
  const name = `import of an image with ${String(importedMib)} MiB of data into a pool`;
  return [
    {
      name,
      unit: "ms",
      ...compare({ own, baseline: bare }, { name: "qemu-img convert into an empty image by hand" }),
      note: "What arrived is compared with the file, byte for byte, before it gets its name, and a snapshot is made of it; that is in the figure, and by hand in the next row. The pool's space is checked too.",
    },
    {
      name: `${name}, against all that it does`,
      unit: "ms",
      ...compare(
        { own, baseline: whole },
        { name: "qemu-img convert, qemu-img compare, rbd snap create and protect by hand", goal: importGoal },
      ),
    },
  ];
}
