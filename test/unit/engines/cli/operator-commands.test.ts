import { beforeEach, describe, expect, it } from "vitest";
import type { Leftover, PlacementAnswer, PlacementQuestion } from "../../../../providers/core/cloud.ts";
import { StackyardError } from "../../../../providers/core/errors.ts";
import { brandId } from "../../../../providers/core/ids.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard, type CommandResult } from "../../../support/command-line.ts";

let cloud: FakeCloud;
let questions: PlacementQuestion[];
let answer: PlacementAnswer;
let serverId: string;

beforeEach(async () => {
  questions = [];
  answer = { selected: ["h2", "h1"], explanation: ["ComputeFilter removed 1 of 3: h3"] };
  cloud = new FakeCloud({
    definitions,
    placementOf: (question) => {
      questions.push(question);
      return answer;
    },
  });
  await run("flavor", "create", "--name", "small", "--vcpus", "1", "--ram-mib", "64");
  await run("image", "create", "--name", "tiny", "--disk.location", "/images/tiny.qcow2");
  await run("server", "create", "--name", "web", "--flavor", "small", "--image", "tiny");
  serverId = (await cloud.find("server", "web")).id;
});

function run(...words: readonly string[]): Promise<CommandResult> {
  return runStackyard(cloud, words);
}

async function runJson(...words: readonly string[]): Promise<unknown> {
  return JSON.parse((await run(...words, "--json")).stdout);
}

describe("trace", () => {
  const startedAtMs = Date.parse("2026-01-02T03:04:05.678Z");

  it("prints a line for each of the 29 steps", async () => {
    expect((await run("trace", "web")).stdout.trimEnd().split("\n")).toHaveLength(1 + 29);
  });

  it("prints time, time since the start, duration, service, kind, host and name of a step", async () => {
    cloud.events.set(serverId, [
      { number: 7, startedAtMs, durationMs: 1.5 },
      { number: 28, host: "h2", startedAtMs: startedAtMs + 2500, durationMs: 1234 },
    ]);
    const lines = (await run("trace", "web")).stdout.split("\n");
    expect(lines[28]?.split(/ {2,}/)).toEqual([
      "28",
      "03:04:08.178",
      "2.500 s",
      "1.2 s",
      "compute",
      "local",
      "h2",
      "domain is rendered, defined and started",
    ]);
    expect(lines[7]).toContain("1.50 ms");
  });

  it("says of a step that it did not happen", async () => {
    expect((await run("trace", "web")).stdout).toMatch(
      /^19 .*compute asks for the image \(did not happen\)$/m,
    );
  });

  it("shows a step that happened on two hosts twice", async () => {
    cloud.events.set(serverId, [
      { number: 13, host: "h1", startedAtMs, durationMs: 1 },
      { number: 13, host: "h2", startedAtMs: startedAtMs + 9, durationMs: 1 },
    ]);
    expect((await run("trace", "web")).stdout.match(/^13 .*$/gm)).toEqual([
      expect.stringContaining("h1"),
      expect.stringContaining("h2"),
    ]);
  });

  it("prints each step as JSON, happened or not", async () => {
    cloud.events.set(serverId, [{ number: 2, startedAtMs, durationMs: 80 }]);
    const traced = await runJson("trace", "web");
    expect(traced).toMatchObject({ server: { id: serverId, name: "web" } });
    expect(traced).toHaveProperty("steps.length", 29);
    expect(traced).toHaveProperty("steps.0", {
      number: 1,
      name: "client sends credentials",
      service: "authenticate",
      kind: "request",
      happened: false,
      startedAt: null,
      durationMs: null,
      host: null,
    });
    expect(traced).toHaveProperty("steps.1", {
      number: 2,
      name: "token is issued",
      service: "authenticate",
      kind: "reply",
      happened: true,
      startedAt: "2026-01-02T03:04:05.678Z",
      durationMs: 80,
      host: null,
    });
  });
});

describe("schedule", () => {
  it("asks the scheduler what the options say", async () => {
    await run(
      ...["schedule", "--flavor", "small", "--image", "tiny", "--server-group", "spread", "--count", "2"],
      ...["--availability-zone", "nova", "--hint", "query=x", "--hint", "a=b"],
    );
    expect(questions).toEqual([
      {
        flavor: "small",
        image: "tiny",
        serverGroup: "spread",
        availabilityZone: "nova",
        count: 2,
        hints: { query: "x", a: "b" },
      },
    ]);
  });

  it("prints a host for each server", async () => {
    expect((await run("schedule", "--flavor", "small")).stdout).toBe(
      "SERVER  HOST\n1       h2\n2       h1\n",
    );
  });

  it("explains on demand", async () => {
    expect((await run("schedule", "--flavor", "small", "--explain")).stdout).toContain(
      "ComputeFilter removed 1 of 3: h3\n",
    );
  });

  it("explains and ends with 1 when no host is left", async () => {
    answer = { selected: [], explanation: ["ComputeFilter removed 3 of 3: h1, h2, h3"] };
    expect(await run("schedule", "--flavor", "small")).toMatchObject({
      exitCode: 1,
      stdout: "no host can take them\nComputeFilter removed 3 of 3: h1, h2, h3\n",
    });
  });

  it("prints the whole answer as JSON", async () => {
    expect(await runJson("schedule", "--flavor", "small")).toEqual(answer);
  });

  it.each(["0", "-1", "1.5", "many"])("refuses a count of %s", async (count) => {
    expect((await run("schedule", "--flavor", "small", "--count", count)).exitCode).toBe(2);
  });
});

describe("gc", () => {
  const leftover: Leftover = {
    hostId: undefined,
    host: "h1",
    kind: "domain",
    id: "stackyard-1",
    description: "running, no record",
  };

  it("lists what is left over, and removes nothing", async () => {
    cloud.leftovers.add(leftover);
    expect((await run("gc")).stdout).toBe(
      "HOST  KIND    ID           DESCRIPTION\nh1    domain  stackyard-1  running, no record\n",
    );
    expect(cloud.leftovers.size).toBe(1);
  });

  it("tells both ways out of a creation that was interrupted", async () => {
    const id = brandId<"resource">(serverId);
    const description = 'server "web": its creation was interrupted';
    const interruption = { resource: { type: "server", id, name: "web" }, was: "creation" } as const;
    cloud.leftovers.add({ hostId: undefined, host: "-", kind: "record", id, description, interruption });
    expect((await run("gc")).stderr).toContain(
      `${description}; finish it with stackyard reconcile server web, or take it back with stackyard gc --yes\n`,
    );
  });

  it("removes it with --yes", async () => {
    cloud.leftovers.add(leftover);
    expect(await runJson("gc", "--yes")).toEqual([
      { host: "h1", kind: "domain", id: "stackyard-1", description: "running, no record", removed: true },
    ]);
    expect(cloud.leftovers.size).toBe(0);
  });

  describe("when a host does not answer", () => {
    beforeEach(() => {
      const error = new StackyardError("host-unreachable", { message: "no answer from host h2" });
      cloud.hostFailures.push({ host: "h2", error });
    });

    it("lists what is known, tells the error, and ends with 4", async () => {
      cloud.leftovers.add(leftover);
      const result = await run("gc");
      expect(result.exitCode).toBe(4);
      expect(result.stdout).toContain("h1    domain  stackyard-1");
      expect(result.stderr).toMatch(/host h2 could not be looked at:\n.*no answer from host h2/);
    });

    it("does not say that nothing is left over", async () => {
      expect((await run("gc")).stdout).toBe("nothing is left over where hosts answered\n");
    });

    it("removes what is listed with --yes, and ends with 4", async () => {
      cloud.leftovers.add(leftover);
      const result = await run("gc", "--yes", "--json");
      expect(result.exitCode).toBe(4);
      expect(JSON.parse(result.stdout)).toMatchObject([{ id: leftover.id, removed: true }]);
    });
  });

  it("removes the rest when one removal fails, and tells its error", async () => {
    const other = { ...leftover, id: "stackyard-2" };
    cloud.leftovers.add(other).add(leftover);
    cloud.failures.set(other.id, new StackyardError("not-ours", { message: "it is somebody else's" }));
    const result = await run("gc", "--yes");
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(
      "1 of 2 leftovers were removed\ndomain stackyard-2 could not be removed:\n",
    );
    expect([...cloud.leftovers]).toEqual([other]);
  });

  it("says when there is nothing", async () => {
    expect((await run("gc")).stdout).toBe("nothing is left over\n");
  });
});

describe("journal", () => {
  beforeEach(() => {
    cloud.entries.set(serverId, [
      {
        taskId: "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        kind: "reconcile",
        state: "failed",
        step: "define domain",
        phase: "failure",
        at: "2026-01-02T03:04:05.000Z",
        detail: "virsh: no",
      },
    ]);
  });

  it("prints the steps of a resource by type and name", async () => {
    expect((await run("journal", "server/web")).stdout.split("\n")[1]?.split(/ {2,}/)).toEqual([
      "2026-01-02T03:04:05.000Z",
      "3f2504e0",
      "reconcile",
      "failed",
      "define domain",
      "failure",
      "virsh: no",
    ]);
  });

  it("prints the steps of a resource that is gone, by id", async () => {
    await run("server", "delete", "web");
    expect(await runJson("journal", serverId)).toMatchObject([
      { step: "define domain", detail: "virsh: no" },
    ]);
  });

  it.each(["web", "nothing/web"])("refuses %s, which names no resource", async (resource) => {
    expect(await runJson("journal", resource)).toMatchObject({ error: { code: "invalid-input" } });
  });
});

describe("sessions", () => {
  it("are checked by login, which takes its token back", async () => {
    expect((await run("login")).stdout).toBe("the cloud accepts your credentials\n");
    expect(cloud.revoked).toBe(true);
  });

  it("that expired are deleted by token flush", async () => {
    cloud.expiredTokenCount = 7;
    expect(await runJson("token", "flush")).toEqual({ flushed: 7 });
  });
});
