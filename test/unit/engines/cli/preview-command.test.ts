import { beforeEach, describe, expect, it, vi } from "vitest";
import { StackyardError } from "../../../../providers/core/errors.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard, type CommandResult } from "../../../support/command-line.ts";

let cloud: FakeCloud;

beforeEach(async () => {
  cloud = new FakeCloud({ definitions });
  await run("flavor", "create", "--name", "small", "--vcpus", "1", "--ram-mib", "64");
  await run("flavor", "create", "--name", "large", "--vcpus", "2", "--ram-mib", "64");
  await run("image", "create", "--name", "tiny", "--disk.location", "/images/tiny.qcow2");
  await run("server", "create", "--name", "web", "--flavor", "small", "--image", "tiny");
  cloud.applied.length = 0;
  cloud.previewed = {
    placement: {
      host: "h2",
      isKept: false,
      hosts: 3,
      filters: [{ name: "ComputeFilter", before: 3, removed: 1 }],
    },
    domains: [{ host: "h2", name: "web", before: "<a>\n  <b/>\n</a>\n", after: "<a>\n  <c/>\n</a>\n" }],
    commands: [
      { host: "h2", step: "spawn", purpose: "build server", command: "set -eu\necho one", inputBytes: 5 },
    ],
  };
});

function run(...words: readonly string[]): Promise<CommandResult> {
  return runStackyard(cloud, words);
}

async function runJson(...words: readonly string[]): Promise<unknown> {
  return JSON.parse((await run(...words, "--json")).stdout);
}

describe("preview", () => {
  it("shows a change: fields, host, filters, XML, commands", async () => {
    const { stdout, exitCode } = await run("preview", "server", "web", "--flavor", "large");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^would update$/m);
    expect(stdout).toMatch(/^flavor +.* restart$/m);
    expect(stdout).toContain("host h2 of 3 would be chosen");
    expect(stdout).toMatch(/^ComputeFilter +3 +1$/m);
    expect(stdout).toContain("-  <b/>\n+  <c/>\n");
    expect(stdout).toContain(
      "# on host h2: build server (step spawn, reads 5 bytes that are not shown)\nset -eu\necho one",
    );
    expect(cloud.applied).toEqual([]);
  });

  it("shows a new resource under the name given", async () => {
    expect(await runJson("preview", "server", "db", "--flavor", "small", "--image", "tiny")).toMatchObject({
      type: "server",
      change: { action: "create" },
      inputs: { name: "db" },
      placement: { host: "h2", hosts: 3 },
      domains: [{ diff: expect.stringContaining("+  <c/>") as string }],
      commands: [{ step: "spawn", inputBytes: 5 }],
      incomplete: null,
    });
  });

  it("plans what create would make, under the same id", async () => {
    const planned = (await runJson("preview", "flavor", "new", "--vcpus", "1", "--ram-mib", "1")) as {
      readonly inputs: { readonly id: string };
    };
    await run("flavor", "create", "--name", "new", "--vcpus", "1", "--ram-mib", "1");
    expect((await cloud.find("flavor", "new")).id).toBe(planned.inputs.id);
  });

  it("says that a server stays, and that its XML does", async () => {
    cloud.previewed = {
      placement: { host: "h1", isKept: true, hosts: 1, filters: [] },
      domains: [{ host: "h1", name: "web", before: "<a/>\n", after: "<a/>\n" }],
    };
    const { stdout } = await run("preview", "server", "web");
    expect(stdout).toContain("it stays on host h1");
    expect(stdout).toContain("domain of web on host h1: as it is");
    expect(stdout).toContain("no command would run on a host");
  });

  it("shows what would be repaired along with it", async () => {
    const { id } = await cloud.find("server", "web");
    cloud.drifts.set(id, [
      { field: "running", expected: "running", found: "shut-off", repair: "starts it", label: "live" },
    ]);
    expect((await run("preview", "server", "web")).stdout).toMatch(/starts it \(live\)$/m);
  });

  it("says where it ends before the flow does", async () => {
    cloud.previewed = {
      incomplete: { step: "image", error: new StackyardError("host-unreachable", { message: "no answer" }) },
    };
    expect((await run("preview", "server", "web")).stderr).toContain(
      "the preview ends at step image: no answer [host-unreachable]",
    );
    expect(await runJson("preview", "server", "web")).toMatchObject({
      incomplete: { step: "image", code: "host-unreachable", message: "no answer" },
    });
  });

  it.each([[[]], [["--json"]]])("masks secrets, with %j", async (words) => {
    const result = await runStackyard(cloud, ["preview", "user", "ada", "--password-file", "-", ...words], {
      stdin: "correct horse",
    });
    expect(result.stdout).toContain("[secret]");
    expect(result.stdout).not.toContain("correct horse");
  });

  it("shows what a host sent so that no terminal acts on it", async () => {
    cloud.previewed = {
      domains: [{ host: "h\u001b[2J", name: "web", after: "<title>\u001b[2J</title>\n" }],
      commands: [{ host: "h1", step: "spawn", purpose: "build server", command: "echo \u001b[2J" }],
    };
    expect((await run("preview", "server", "web")).stdout).not.toContain("\u001b");
  });

  it("takes no failed look-up of a name for a new resource", async () => {
    const ambiguous = new StackyardError("conflict", { message: "2 servers are called so" });
    vi.spyOn(cloud, "find").mockRejectedValueOnce(ambiguous);
    const { stderr, exitCode } = await run("preview", "server", "web");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("2 servers are called so");
  });

  it("refuses wrong inputs as create does", async () => {
    expect(await runJson("preview", "flavor", "odd", "--vcpus", "0", "--ram-mib", "1")).toMatchObject({
      error: { code: "invalid-input", field: "vcpus" },
    });
  });
});
