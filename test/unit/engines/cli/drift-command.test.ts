import { beforeEach, describe, expect, it, vi } from "vitest";
import { StackyardError } from "../../../../providers/core/errors.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard, type CommandResult, type CommandSetting } from "../../../support/command-line.ts";

const stopped = {
  field: "running",
  expected: "running",
  found: "shut-off",
  repair: "starts it",
  label: "live",
  host: "h1",
} as const;

let cloud: FakeCloud;
let serverId: string;

beforeEach(async () => {
  cloud = new FakeCloud({ definitions });
  await run(["flavor", "create", "--name", "small", "--vcpus", "1", "--ram-mib", "64"]);
  await run(["image", "create", "--name", "tiny", "--disk.location", "/images/tiny.qcow2"]);
  await run(["server", "create", "--name", "web", "--flavor", "small", "--image", "tiny"]);
  serverId = (await cloud.find("server", "web")).id;
});

function run(words: readonly string[], setting: CommandSetting = {}): Promise<CommandResult> {
  return runStackyard(cloud, words, setting);
}

describe("drift", () => {
  it("ends with 0 when there is none", async () => {
    const result = await run(["drift"]);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toBe("no drift in 3 resources\n");
  });

  it("ends with 2 when there is some, and names resource, field, expected, found, and the repair", async () => {
    cloud.drifts.set(serverId, [stopped]);
    const result = await run(["drift"]);
    expect(result.exitCode).toBe(2);
    expect(result.stdout.split("\n")[1]?.split(/ {2,}/)).toEqual([
      "h1",
      "server",
      "web",
      "running",
      "running",
      "shut-off",
      "starts it (live)",
    ]);
  });

  it("counts what was looked at only", async () => {
    cloud.unreachable.add((await cloud.find("image", "tiny")).id);
    expect((await run(["drift"])).stdout).toBe(
      "no drift in 2 of 3 resources; 1 on h1 could not be looked at\n",
    );
  });

  it("ends a watch at an error", async () => {
    const failure = new StackyardError("forbidden", { message: "no more" });
    vi.spyOn(cloud, "drift").mockRejectedValueOnce(failure);
    const { stderr, exitCode } = await run(["drift", "--watch", "60"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("no more");
  });

  it("ends with 1 when a host does not answer, and still shows what the others say", async () => {
    cloud.drifts.set(serverId, [stopped]);
    cloud.unreachable.add((await cloud.find("image", "tiny")).id);
    const result = await run(["drift"]);
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toContain("starts it (live)");
    expect(result.stderr).toContain("1 resource of host h1 could not be looked at:");
    expect(result.stderr).toContain("[host-unreachable]");
  });

  it.each([
    ["creation", "finish it with stackyard reconcile server web, or take it back with stackyard gc --yes"],
    ["change", "finish it with stackyard reconcile server web"],
    ["removal", "finish it with stackyard gc --yes, or keep the server with stackyard reconcile server web"],
  ] as const)("ends with 2 when a %s was interrupted, and tells the ways out", async (was, ways) => {
    cloud.interrupted.set(serverId, was);
    const result = await run(["drift"]);
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toBe(
      `no drift in 2 resources\nserver "web": its ${was} was interrupted; ${ways}\n`,
    );
  });

  it("names an interrupted resource by its id where a shell would not read its name as one word", async () => {
    await run(["flavor", "create", "--name", "a; b", "--vcpus", "1", "--ram-mib", "64"]);
    const { id } = await cloud.find("flavor", "a; b");
    cloud.interrupted.set(id, "change");
    expect((await run(["drift"])).stdout).toContain(`finish it with stackyard reconcile flavor ${id}\n`);
  });

  it.each([
    [1, "1 resource left out: a task is at work on it"],
    [2, "2 resources left out: tasks are at work on them"],
  ])("tells of %s that tasks are at work on", async (count, line) => {
    cloud.inWork = count;
    const result = await run(["drift"]);
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain(line);
  });

  it("prints all of it as JSON", async () => {
    cloud.drifts.set(serverId, [stopped]);
    const image = await cloud.find("image", "tiny");
    cloud.unreachable.add(image.id);
    const flavor = await cloud.find("flavor", "small");
    cloud.interrupted.set(flavor.id, "change");
    const printed: unknown = JSON.parse((await run(["drift", "--json"])).stdout);
    expect(printed).toMatchObject({
      checked: 2,
      inWork: 0,
      interrupted: [{ type: "flavor", id: flavor.id, name: "small", was: "change" }],
      findings: [{ type: "server", id: serverId, name: "web", ...stopped }],
      errors: [{ host: "h1", error: { code: "host-unreachable" }, resources: [{ id: image.id }] }],
    });
  });

  it("looks at one resource by type and name", async () => {
    cloud.drifts.set(serverId, [stopped]);
    expect((await run(["drift", "image", "tiny"])).exitCode).toBe(0);
    expect((await run(["drift", "server", "web"])).exitCode).toBe(2);
  });

  it("wants the name with the type", async () => {
    const result = await run(["drift", "server"]);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain("name the server to look at");
  });

  it("shows what a host found so that no terminal acts on it", async () => {
    cloud.drifts.set(serverId, [{ ...stopped, found: "\u001b[2J" }]);
    const result = await run(["drift"]);
    expect(result.stdout).toContain("\\u001b[2J");
  });

  it("watches until it is interrupted, and then ends as the last look did", async () => {
    cloud.drifts.set(serverId, [stopped]);
    const interruption = new AbortController();
    const watching = run(["drift", "--watch", "3600"], { signal: interruption.signal });
    setTimeout(() => interruption.abort(), 100);
    const result = await watching;
    expect(result.exitCode).toBe(2);
    expect(result.stdout.match(/starts it/g)).toHaveLength(1);
  });

  it("refuses to watch without a pause", async () => {
    expect((await run(["drift", "--watch", "0"])).stderr).toContain("It is a number from 1 on");
  });
});
