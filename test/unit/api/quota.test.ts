import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../../providers/core/json.ts";
import { makeSmallWorld, TestCloud } from "../../support/cloud.ts";

let test1: TestCloud;
/** Inputs of a server with one processor and 256 MiB, in a project of its own. */
let inputs: JsonObject;

beforeEach(async () => {
  test1 = await TestCloud.open();
  const world = await makeSmallWorld(test1);
  const project = await test1.make("project", "small");
  inputs = { ...world.server, project: project.id };
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

async function limit(quota: JsonObject): Promise<void> {
  await test1.make("project", "small", { quota });
}

describe("a quota that was lowered below what is used", () => {
  test("lets a server that is there be changed", async () => {
    await test1.make("server", "web", inputs);
    await limit({ instances: 0, cores: 0, ramMib: 0 });

    await expect(test1.make("server", "web", { ...inputs, running: false })).resolves.toMatchObject({
      outputs: { status: "SHUTOFF" },
    });
  });

  test("lets it shrink", async () => {
    const large = await test1.make("flavor", "large", { vcpus: 4, ramMib: 1024, diskGib: 1 });
    await test1.make("server", "web", { ...inputs, flavor: large.id });
    await limit({ cores: 2, ramMib: 512 });

    await expect(test1.make("server", "web", inputs)).resolves.toMatchObject({
      inputs: { flavor: inputs["flavor"] },
    });
  });
});

test("a server that grows is counted with what it has and what it asks for more", async () => {
  await test1.make("server", "web", inputs);
  const large = await test1.make("flavor", "large", { vcpus: 4, ramMib: 1024, diskGib: 1 });
  await limit({ cores: 2 });

  await expect(test1.make("server", "web", { ...inputs, flavor: large.id })).rejects.toMatchObject({
    code: "quota-exceeded",
    message: "Quota exceeded for cores: Requested 3, but already used 1 of 2 cores",
  });
});

test("all limits that are exceeded are named at once, as Nova does", async () => {
  await test1.make("server", "web", inputs);
  await limit({ instances: 1, cores: 1, ramMib: 256 });

  await expect(test1.make("server", "next", inputs)).rejects.toMatchObject({
    message:
      "Quota exceeded for cores, instances, ram: Requested 1, 1, 256, but already used 1, 1, 256 of 1, 1, 256 cores, instances, ram",
  });
});
