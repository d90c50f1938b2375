import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Cloud } from "../../../providers/core/cloud.ts";
import { FakeCompute } from "../../fakes/compute.ts";
import { make, makeSmallWorld, openTestSession, TestCloud, type SmallWorld } from "../../support/cloud.ts";

let test1: TestCloud;
let world: SmallWorld;

beforeEach(async () => {
  test1 = await TestCloud.open();
  world = await makeSmallWorld(test1, 2);
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

/** A session with these options in the cloud's folder. */
function openWith(options: object, environment: NodeJS.ProcessEnv = {}): Promise<Cloud> {
  writeFileSync(join(test1.folder, "test", "scheduler.yaml"), JSON.stringify(options));
  return test1.open(environment);
}

/** What a session says of the placement of one server. */
async function explain(cloud: Cloud): Promise<string> {
  const { explanation } = await cloud.explainPlacement({ flavor: "tiny" });
  return explanation.join("\n");
}

describe("the options of the cloud's folder", () => {
  test("say which filters a placement runs", async () => {
    const cloud = await openWith({
      scheduler: { query_placement_for_availability_zone: false },
      filter_scheduler: { enabled_filters: ["NumInstancesFilter"] },
    });

    expect((await explain(cloud)).match(/\w+Filter/g)).toEqual(["NumInstancesFilter"]);
  });

  test("say what weighs how much", async () => {
    const cloud = await openWith({ filter_scheduler: { ram_weight_multiplier: -2.5 } });

    expect(await explain(cloud)).toMatch(/RAMWeigher: -2\.5 = -2\.5 x 1 /);
  });

  test("reach what is read of servers that are there", async () => {
    const image = await test1.make("image", "like", {
      disk: { location: "/images/cirros.qcow2" },
      properties: { hw_disk_bus: "scsi" },
    });
    await test1.make("server", "web", { ...world.server, image: image.id });
    const cloud = await openWith({ filter_scheduler: { image_props_weight_multiplier: 10 } });

    const { explanation } = await cloud.explainPlacement({ flavor: "tiny", image: image.id });

    expect(explanation.join("\n")).toContain("ImagePropertiesWeigher: 10 = 10 x 1 (raw 1)");
  });

  test("hold for builds as well", async () => {
    const cloud = await openWith({
      filter_scheduler: { enabled_filters: ["NumInstancesFilter"], max_instances_per_host: 1 },
    });
    await make(cloud, "server", "one", world.server);
    await make(cloud, "server", "two", world.server);

    await expect(make(cloud, "server", "three", world.server)).rejects.toMatchObject({
      code: "no-valid-host",
      message: expect.stringContaining("NumInstancesFilter removed 2 of 2") as unknown,
    });
  });

  test("hold for a server that grows, whatever they were when its host was enrolled", async () => {
    const large = await test1.make("flavor", "large", { vcpus: 8, ramMib: 256, diskGib: 1 });
    const cloud = await openWith({ DEFAULT: { initial_cpu_allocation_ratio: 1 } });
    const inputs = world.server;
    await make(cloud, "server", "web", inputs);

    await expect(make(cloud, "server", "web", { ...inputs, flavor: large.id })).rejects.toMatchObject({
      code: "no-valid-host",
    });
  });
});

describe("the setting of an option", () => {
  const file = { DEFAULT: { initial_cpu_allocation_ratio: 2, reserved_host_memory_mb: 1024 } };

  test("wins over the file", async () => {
    const cloud = await openWith(file, { STACKYARD_CPU_ALLOCATION_RATIO: "3" });

    expect(await explain(cloud)).toMatch(/CPUWeigher: 1 = 1 x 1 \(raw 12\)/);
  });

  test("leaves the file's other options as they are", async () => {
    const cloud = await openWith(file, { STACKYARD_RAM_ALLOCATION_RATIO: "3" });

    expect(await explain(cloud)).toMatch(/CPUWeigher: 1 = 1 x 1 \(raw 8\)/);
  });
});

test("a wrong option is refused before the cloud is made", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-cloud-"));
  mkdirSync(join(folder, "test"));
  const path = join(folder, "test", "scheduler.yaml");
  writeFileSync(path, "scheduler: { max_atempts: 1 }");

  await expect(openTestSession(folder, new FakeCompute(join(folder, "hosts.json")))).rejects.toMatchObject({
    code: "invalid-input",
    message: `the file of the scheduler's options ${path} cannot be used: scheduler.max_atempts is no option of the group scheduler`,
    field: "scheduler.max_atempts",
    value: 1,
  });
  expect(existsSync(join(folder, "test", "cloud.sqlite"))).toBe(false);
  rmSync(folder, { recursive: true });
});
