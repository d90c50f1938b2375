import { describe, expect, it } from "vitest";
import { StackyardError, type ErrorCode } from "../../../../providers/core/errors.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard } from "../../../support/command-line.ts";

/** A cloud whose listings fail. */
function failingCloud(error: Error): FakeCloud {
  const cloud = new FakeCloud({ definitions });
  cloud.list = () => Promise.reject(error);
  return cloud;
}

function failWith(code: ErrorCode): FakeCloud {
  return failingCloud(new StackyardError(code, { message: "listing failed" }));
}

const cloud = new FakeCloud({ definitions });

describe("the exit code", () => {
  it.each<[ErrorCode, number]>([
    ["not-found", 3],
    ["host-unreachable", 4],
    ["host-key-changed", 4],
    ["host-key-unknown", 4],
    ["host-login-refused", 4],
    ["interrupted", 130],
    ["invalid-input", 1],
    ["unauthenticated", 1],
    ["forbidden", 1],
    ["no-valid-host", 1],
    ["internal", 1],
  ])("of %s is %i", async (code, exitCode) => {
    expect((await runStackyard(failWith(code), ["server", "list"])).exitCode).toBe(exitCode);
  });

  it.each([
    ["an unknown command", ["sever", "list"]],
    ["an unknown subcommand", ["server", "lst"]],
    ["an unknown option", ["server", "list", "--colour"]],
    ["a missing argument", ["server", "show"]],
    ["an argument too many", ["server", "list", "web"]],
    ["a value of the wrong type", ["flavor", "create", "--vcpus", "two"]],
    ["an unknown help topic", ["help", "cooking"]],
    ["an unknown shell", ["completion", "powershell"]],
    ["nothing at all", []],
  ])("of %s is 2", async (_what, words) => {
    expect((await runStackyard(cloud, words)).exitCode).toBe(2);
  });

  it.each([[["--help"]], [["--version"]], [["server", "create", "--help"]], [["help", "exit-codes"]]])(
    "of %s is 0",
    async (words) => {
      expect((await runStackyard(cloud, words)).exitCode).toBe(0);
    },
  );

  it("of a command that failed because it was interrupted is 130", async () => {
    const signal = AbortSignal.abort();
    const { exitCode, stderr } = await runStackyard(failWith("command-failed"), ["server", "list"], {
      signal,
    });
    expect(exitCode).toBe(130);
    expect(stderr).toContain("[interrupted]");
  });
});

describe("an error", () => {
  const error = new StackyardError("no-valid-host", {
    message: "no host can take the server",
    field: "flavor",
    value: "large",
    remedy: "Add a host.",
    notes: ["RamFilter removed 3 of 3"],
  });

  it("is told on standard error, and leaves standard output empty", async () => {
    expect(await runStackyard(failingCloud(error), ["server", "list"])).toEqual({
      exitCode: 1,
      stdout: "",
      stderr:
        'no host can take the server (field flavor = "large") [no-valid-host]\n  RamFilter removed 3 of 3\n  remedy: Add a host.\n',
    });
  });

  it("is one JSON document on standard output with --json", async () => {
    const { stdout, stderr } = await runStackyard(failingCloud(error), ["server", "list", "--json"]);
    expect(stderr).toBe("");
    expect(stdout).toBe(`{
  "error": {
    "code": "no-valid-host",
    "message": "no host can take the server",
    "field": "flavor",
    "value": "large",
    "remedy": "Add a host.",
    "notes": [
      "RamFilter removed 3 of 3"
    ]
  }
}
`);
  });

  it("has field and value null in JSON when there are none", async () => {
    const { stdout } = await runStackyard(failWith("forbidden"), ["server", "list", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ error: { field: null, value: null } });
  });

  it("of usage is JSON too with --json", async () => {
    const { stdout, stderr } = await runStackyard(cloud, ["server", "list", "--json", "--colour"]);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "invalid-input", message: "unknown option '--colour'" },
    });
  });

  it("cannot steer the terminal", async () => {
    const hostile = new StackyardError("invalid-input", { message: "bad name \u001b]0;owned\u0007" });
    const { stderr } = await runStackyard(failingCloud(hostile), ["server", "list"]);
    expect(stderr).toContain("bad name \\u001b]0;owned\\u0007");
  });

  it("of usage cannot steer the terminal", async () => {
    const { stderr } = await runStackyard(cloud, ["flavor", "create", "--vcpus", "\u001b[2J"]);
    expect(stderr).toContain("\\u001b[2J");
  });

  it("that is a bug is shown as internal", async () => {
    const { exitCode, stderr } = await runStackyard(failingCloud(new TypeError("x is undefined")), [
      "server",
      "list",
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("[internal]");
    expect(stderr).toContain("because: x is undefined");
  });
});
