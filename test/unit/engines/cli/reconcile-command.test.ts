import { beforeEach, describe, expect, it } from "vitest";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard, type CommandResult } from "../../../support/command-line.ts";

const stopped = {
  field: "running",
  expected: "running",
  found: "shut-off",
  repair: "starts it",
  label: "live",
} as const;
const shrunk = {
  field: "ramMib",
  expected: "64",
  found: "32",
  repair: "power-cycles it with its own definition",
  label: "restart",
} as const;

/** No apply repairs it. */
const replaced = { field: "disk", expected: "its own", found: "another", repair: "leaves it" } as const;
const broken = { field: "resource", found: "its creation was interrupted", repair: "finishes it" } as const;

let cloud: FakeCloud;
let serverId: string;

beforeEach(async () => {
  cloud = new FakeCloud({ definitions });
  await run("flavor", "create", "--name", "small", "--vcpus", "1", "--ram-mib", "64");
  await run("image", "create", "--name", "tiny", "--disk.location", "/images/tiny.qcow2");
  await run("server", "create", "--name", "web", "--flavor", "small", "--image", "tiny");
  serverId = (await cloud.find("server", "web")).id;
  cloud.applied.length = 0;
});

function run(...words: readonly string[]): Promise<CommandResult> {
  return runStackyard(cloud, words);
}

async function runJson(...words: readonly string[]): Promise<unknown> {
  return JSON.parse((await run(...words, "--json")).stdout);
}

describe.each([
  ["reconcile", ["reconcile", "server", "web"]],
  ["set without fields", ["server", "set", "web"]],
])("%s", (_name, words) => {
  it("applies the record's own inputs", async () => {
    cloud.drifts.set(serverId, [stopped]);
    const { record } = await cloud.find("server", "web");
    expect((await run(...words)).exitCode).toBe(0);
    expect(cloud.applied).toMatchObject([{ type: "server", inputs: { ...record.inputs, id: serverId } }]);
  });

  it("says what it repaired", async () => {
    cloud.drifts.set(serverId, [stopped]);
    const { exitCode, stdout } = await run(...words);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^repaired\nDRIFTED .*\nrunning +running +shut-off +starts it \(live\)\n$/m);
    expect(stdout).not.toContain("still not as declared");
  });

  it("ends with 2 and says what is left when something is", async () => {
    cloud.drifts.set(serverId, [stopped, replaced]);
    const { exitCode, stdout } = await run(...words);
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(
      /^repaired\nDRIFTED .*\nrunning .*\n\nstill not as declared\nDRIFTED .*\ndisk .*leaves it\n$/m,
    );
  });

  it("says both as JSON", async () => {
    cloud.drifts.set(serverId, [stopped, replaced]);
    expect(await runJson(...words)).toMatchObject({ id: serverId, repairs: [stopped], drift: [replaced] });
  });

  it("finishes what was interrupted, and says so", async () => {
    cloud.interrupted.set(serverId, "creation");
    expect(await runJson(...words, "--dry-run")).toMatchObject({ repairs: [broken] });
    expect(await runJson(...words)).toMatchObject({ repairs: [broken], drift: [] });
  });

  it("ends with 4 when the host does not answer any more once all is done", async () => {
    cloud.lostByApply.add(serverId);
    const { exitCode, stdout, stderr } = await run(...words);
    expect(exitCode).toBe(4);
    expect(stdout).toContain(serverId);
    expect(stderr).toContain(
      "whether anything is left is not known: no answer from host h1 [host-unreachable]",
    );
  });

  it("wants to be confirmed before it interrupts the server", async () => {
    cloud.drifts.set(serverId, [stopped, shrunk]);
    expect(await runJson(...words)).toMatchObject({
      error: {
        code: "invalid-input",
        field: "ramMib",
        message: expect.stringContaining("(restart)") as string,
      },
    });
    expect(cloud.applied).toEqual([]);
    expect((await run(...words, "--yes")).exitCode).toBe(0);
    expect(cloud.applied).toHaveLength(1);
  });

  it("says on a dry run what it would repair, and applies nothing", async () => {
    cloud.drifts.set(serverId, [stopped, shrunk]);
    expect(await runJson(...words, "--dry-run")).toMatchObject({
      change: { action: "none" },
      repairs: [stopped, shrunk],
    });
    const { stdout } = await run(...words, "--dry-run");
    expect(stdout).toMatch(/^would repair what drifted$/m);
    expect(stdout).toMatch(/^running +running +shut-off +starts it \(live\)$/m);
    expect(cloud.applied).toEqual([]);
  });

  it("does not begin while the host does not answer; a dry run says so and goes on", async () => {
    cloud.unreachable.add(serverId);
    expect((await run(...words)).exitCode).toBe(4);
    expect(cloud.applied).toEqual([]);
    const dry = await run(...words, "--dry-run");
    expect(dry.exitCode).toBe(0);
    expect(dry.stderr).toContain("what drifted is not known: no answer from host h1 [host-unreachable]");
  });

  it("shows its steps", async () => {
    expect((await run(...words)).stderr).toMatch(/server web: spawn$/m);
  });
});

it("says that a type does not exist", async () => {
  const result = await run("reconcile", "serve", "web");
  expect(result.exitCode).toBe(2);
  expect(result.stderr).toContain("there is no type 'serve'");
});

it("says that a resource does not exist", async () => {
  expect((await run("reconcile", "server", "absent")).exitCode).toBe(3);
});
