import { nameImage } from "../../providers/compute/volumes/rbd/rbd-client.ts";
import { brandId } from "../../providers/core/ids.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import type { ComputeHost } from "../../providers/core/ports.ts";
import { sh } from "../../providers/hosts/command.ts";
import { rbdByHand, type CephStage, type ImageSize } from "./ceph.ts";
import { compare, timeMs } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";
import { buildBare, overlay, prepare, removeBare } from "./servers.ts";
import type { DiskCommands, Subject } from "./servers.ts";

/** Goal of a server's creation, as a ratio to the bare commands. */
const createGoal = 1.3;

const singleRuns = 5;
const manyRuns = 2;
const manyCount = 20;

/** Servers whose root disk is a clone in a pool, one beside one in a file, and many at a time. They have no network, and what they boot holds nothing. */
export async function benchPoolServers(stage: CephStage): Promise<readonly Measurement[]> {
  const { bench, host, poolIds } = stage;
  const inputsOf = async (size: ImageSize, pool: string | undefined): Promise<JsonObject> => ({
    project: stage.project,
    image: stage.parents[size].id,
    flavor: await stage.flavorOf(size + 1, pool),
    networks: [],
  });
  const cloned = async (name: string, size: ImageSize): Promise<Subject> => {
    const shared = { inputs: await inputsOf(size, poolIds.vms), imageId: stage.parents[size].id };
    return prepare(bench, name, shared, host, (_host, id) => cloneByHand(stage, size, id));
  };
  const { id: imageId } = stage.parents[1];
  const shared = { inputs: await inputsOf(1, undefined), imageId };
  const local = await prepare(bench, "local", shared, host, (on: ComputeHost) =>
    overlay(on, imageId, "qcow2", 2),
  );
  const rows = [
    await benchSingle(
      stage,
      "one server with its root disk in a pool, image of 1 GiB",
      await cloned("pool1", 1),
    ),
    await benchSingle(
      stage,
      "one server with its root disk in a pool, image of 10 GiB",
      await cloned("pool10", 10),
    ),
    await benchSingle(stage, "one server with its root disk in a file, on the same host", local),
  ];
  const subjects: Subject[] = [];
  for (let index = 0; index < manyCount; index++) subjects.push(await cloned(`many${String(index)}`, 1));
  return [...rows, ...(await benchMany(stage, subjects))];
}

/** The clone of an image that is a server's root disk, by hand. */
function cloneByHand({ host, vms, parents }: CephStage, size: ImageSize, id: string): DiskCommands {
  const { parent } = parents[size];
  const disk = `${vms.pool}/${nameImage({ id: brandId<"resource">(id), name: `${id}_disk` })}`;
  return {
    make: sh`${rbdByHand(host, vms, "clone", `${parent.pool}/${parent.image}@${parent.snapshot}`, disk)}
${rbdByHand(host, vms, "resize", "--no-progress", "--size", `${String(size + 1)}G`, disk)}`,
    remove: rbdByHand(host, vms, "rm", "--no-progress", disk),
  };
}

async function benchSingle({ bench }: CephStage, name: string, subject: Subject): Promise<Measurement> {
  const own: number[] = [];
  const bare: number[] = [];
  for (let run = -1; run < singleRuns; run++) {
    const ownMs = await timeMs(() => bench.cloud.apply(subject.request));
    await bench.cloud.remove("server", subject.id);
    const bareMs = await timeMs(() => buildBare(bench, subject));
    await removeBare(bench, subject);
    if (run < 0) continue;
    own.push(ownMs);
    bare.push(bareMs);
  }
  const against = { name: "bare commands, one SSH session", goal: createGoal };
  return { name, unit: "ms", ...compare({ own, baseline: bare }, against) };
}

async function benchMany(
  { bench }: CephStage,
  subjects: readonly Subject[],
): Promise<readonly Measurement[]> {
  const own: number[] = [];
  const bare: number[] = [];
  for (let run = 0; run < manyRuns; run++) {
    own.push(await timeMs(() => Promise.all(subjects.map(({ request }) => bench.cloud.apply(request)))));
    await Promise.all(subjects.map(({ id }) => bench.cloud.remove("server", id)));
    bare.push(await timeMs(() => Promise.all(subjects.map((subject) => buildBare(bench, subject)))));
    await Promise.all(subjects.map((subject) => removeBare(bench, subject)));
  }
  const shareOf = (samples: readonly number[]): readonly number[] =>
    samples.map((ms) => ms / subjects.length);
  const against = { name: "bare commands, all in parallel", goal: createGoal };
  return [
    {
      name: `${String(subjects.length)} servers at once of one image in a pool, on one host, until all run`,
      unit: "ms",
      ...compare({ own, baseline: bare }, against),
    },
    {
      name: `of the time of ${String(subjects.length)} servers at once, for each`,
      unit: "ms",
      ...compare({ own: shareOf(own), baseline: shareOf(bare) }, { name: against.name }),
    },
  ];
}
