import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ResourceView } from "../../providers/core/cloud.ts";
import {
  addressOfHost,
  make,
  makerOf,
  makeSmallWorld,
  nameOfHost,
  TestCloud,
  textOf,
  type SmallWorld,
} from "../support/cloud.ts";
import { foreignDomain } from "../support/foreign-domain.ts";
import { KilledCloud, killTimeoutMs, type KilledTask } from "../support/killed-cloud.ts";
import { runStackyard } from "../support/command-line.ts";

/** Before and after each effect on a host, and between the steps that have none. */
const buildPoints = [
  "choosing a host",
  "images.ensureCached before",
  "images.ensureCached after",
  "wiring 1 ports",
  "switching.ensureNetwork before",
  "switching.ensureNetwork after",
  "starting the domain",
  "domains.spawn before",
  "domains.spawn after",
  "domains.waitReady before",
  "domains.waitReady after",
];
const adoptionPoints = [
  "choosing a host",
  "images.ensureCached before",
  "switching.ensureNetwork after",
  "taking over domain",
  "domains.takeOver before",
  "domains.takeOver after",
  "domains.spawn before",
  "domains.spawn after",
  "domains.waitReady after",
];
const changePoints = [
  "domains.stop before",
  "domains.stop after",
  "domains.spawn before",
  "domains.spawn after",
];
const removalPoints = [
  "removing the domain",
  "domains.remove before",
  "domains.remove after",
  "switching.releaseNetwork before",
  "switching.releaseNetwork after",
];

/** On the disk of the domain that is adopted. */
const foreignContent = "what somebody wrote";

let template: TestCloud;
let world: SmallWorld;
/** Another flavor: a change to it power-cycles a server. */
let large: ResourceView;
let bare: readonly string[];
/** In a copy of the template a process is killed; each test has a copy of that. */
let killed: KilledCloud;
let test1: TestCloud;

/** Runs the task in a process of its own, which is killed there. */
async function kill(task: KilledTask, point: string): Promise<void> {
  expect(await killed.kill(task, point, [world.server, { flavor: large.id }])).toBe("SIGKILL");
}

beforeAll(async () => {
  template = await TestCloud.open();
  world = await makeSmallWorld(template);
  large = await template.make("flavor", "large", { vcpus: 2, ramMib: 512, diskGib: 1 });
  template.compute.defineForeign(addressOfHost(1), foreignDomain, foreignContent);
  bare = await template.holdings();
  await template.cloud.close();
  killed = new KilledCloud(template);
});

afterAll(async () => {
  await template[Symbol.asyncDispose]();
  killed.dispose();
});

beforeEach(async () => {
  test1 = await killed.open();
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

async function expectConverged(): Promise<void> {
  const server = await test1.make("server", "web", world.server);
  expect(await test1.cloud.read("server", server.id)).toMatchObject({
    drift: [],
    record: { status: "active" },
    outputs: { status: "ACTIVE" },
  });
  expect((await test1.plan(server, "web", world.server)).change.action).toBe("none");
  expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
}

/** Changes something, which begins to finish what others left, and waits until that is done. */
async function runOtherSession(): Promise<void> {
  const other = await test1.open();
  const { id, name, description } = world.group.inputs;
  await make(other, "server-group", "apart", { id, name, description, policy: "anti-affinity" });
  await other.close();
}

describe.each(buildPoints)("a build that is killed at: %s", (point) => {
  beforeAll(() => kill("build", point), killTimeoutMs);

  test("is finished by the next apply, and removed without a trace", async () => {
    await expectConverged();
    const { id } = await test1.cloud.find("server", "web");

    await test1.cloud.remove("server", id);

    expect(await test1.holdings()).toEqual(bare);
  });

  test("leaves nothing once it is removed", async () => {
    const request = { type: "server", maker: makerOf("server", "web"), defaultName: "web" };
    const { inputs } = await test1.cloud.plan({ ...request, inputs: world.server });

    await test1.cloud.remove("server", textOf(inputs, "id"));

    expect(await test1.holdings()).toEqual(bare);
  });

  test("is taken back by the next session that changes anything", async () => {
    await runOtherSession();

    expect(await test1.holdings()).toEqual(bare);
  });

  test("is named by drift, with nothing at work and nobody else's drift", async () => {
    expect(await test1.cloud.drift()).toMatchObject({
      inWork: 0,
      interrupted: [{ resource: { type: "server", name: "web" }, was: "creation" }],
      findings: [],
    });
  });

  test("is finished by stackyard reconcile, which says so", async () => {
    const words = ["reconcile", "server", "web", "--json"];
    const { exitCode, stdout } = await runStackyard(await test1.open(), words);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "active",
      repairs: [{ found: "its creation was interrupted" }],
      drift: [],
    });
    expect(exitCode).toBe(0);
  });

  test("is shown as abandoned, and cleared away by gc", async () => {
    const { leftovers } = await test1.cloud.listLeftovers();
    expect(leftovers).toMatchObject([
      { kind: "record", description: expect.stringContaining('"web"') as unknown },
    ]);

    for (const leftover of leftovers) await test1.cloud.removeLeftover(leftover);

    expect(await test1.holdings()).toEqual(bare);
    expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  });
});

/** Nothing of the domain that was to be adopted is otherwise than before. */
async function expectGivenBack(): Promise<void> {
  expect(await test1.holdings()).toEqual(bare);
  expect(test1.compute.contentOf(addressOfHost(1), "/srv/legacy.qcow2")).toBe(foreignContent);
}

describe.each(adoptionPoints)("an adoption that is killed at: %s", (point) => {
  beforeAll(() => kill("adopt", point), killTimeoutMs);

  async function expectAdopted(): Promise<void> {
    expect(await test1.cloud.drift()).toMatchObject({ interrupted: [], findings: [], failures: [] });
    expect(await test1.cloud.find("server", "web")).toMatchObject({
      id: foreignDomain.id,
      record: { status: "active" },
    });
    expect(test1.compute.contentOf(addressOfHost(1), foreignDomain.id)).toBe(foreignContent);
    expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  }

  test("is finished by the same command", async () => {
    const inputs = { ...world.server, name: "web" };
    await test1.cloud.adopt({ host: nameOfHost(1), domain: foreignDomain.name, inputs });

    await expectAdopted();
  });

  test("is finished by stackyard reconcile", async () => {
    const { exitCode } = await runStackyard(await test1.open(), ["reconcile", "server", "web"]);

    expect(exitCode).toBe(0);
    await expectAdopted();
  });

  test("is previewed as one that was broken off", async () => {
    const inputs = { ...world.server, name: "web" };
    const request = { host: nameOfHost(1), domain: foreignDomain.id, inputs };
    const preview = await test1.cloud.previewAdoption(request);

    expect(preview).toMatchObject({ issues: [], changes: [], adoption: { domain: foreignDomain.name } });
    expect(preview).not.toHaveProperty("found");
  });

  test("is named by drift, with nobody else's drift", async () => {
    expect(await test1.cloud.drift()).toMatchObject({
      interrupted: [{ resource: { type: "server", name: "web" }, was: "creation" }],
      findings: [],
    });
  });

  test("gives the domain back once it is removed", async () => {
    await test1.cloud.remove("server", foreignDomain.id);

    await expectGivenBack();
  });

  test("gives the domain back by the next session that changes anything", async () => {
    await runOtherSession();

    await expectGivenBack();
  });

  test("gives the domain back by gc", async () => {
    const { leftovers } = await test1.cloud.listLeftovers();
    for (const leftover of leftovers) await test1.cloud.removeLeftover(leftover);

    expect(leftovers).toMatchObject([{ kind: "record" }]);
    await expectGivenBack();
  });
});

describe.each(changePoints)("a change that is killed at: %s", (point) => {
  beforeAll(() => kill("change", point), killTimeoutMs);

  test("is finished by the next session that changes anything", async () => {
    await runOtherSession();

    const { id } = await test1.cloud.find("server", "web");
    expect(await test1.cloud.read("server", id)).toMatchObject({
      inputs: { flavor: large.id },
      drift: [],
      record: { status: "active" },
      outputs: { status: "ACTIVE" },
    });
  });

  test("is no leftover", async () => {
    expect(await test1.cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  });
});

describe.each(removalPoints)("a removal that is killed at: %s", (point) => {
  beforeAll(() => kill("remove", point), killTimeoutMs);

  test("is finished by the next removal", async () => {
    const { id } = await test1.cloud.find("server", "web");

    await test1.cloud.remove("server", id);

    expect(await test1.holdings()).toEqual(bare);
  });

  test("is finished by the next session that changes anything", async () => {
    await runOtherSession();

    expect(await test1.holdings()).toEqual(bare);
  });

  test("is shown as abandoned, and finished by gc", async () => {
    const { leftovers } = await test1.cloud.listLeftovers();
    for (const leftover of leftovers) await test1.cloud.removeLeftover(leftover);

    expect(leftovers).toMatchObject([{ kind: "record" }]);
    expect(await test1.holdings()).toEqual(bare);
  });

  test("is made up for by an apply", async () => {
    await expectConverged();
  });
});
