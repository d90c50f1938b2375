import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard, type CommandResult } from "../../../support/command-line.ts";

function report(document: unknown, ...words: readonly string[]): Promise<CommandResult> {
  const stdin = typeof document === "string" ? document : JSON.stringify(document);
  return runStackyard(new FakeCloud({ definitions }), ["diff-report", "-", ...words], { stdin });
}

const urn = (className: string, name: string) =>
  `urn:pulumi:dev::lab::pulumi-nodejs:dynamic/stackyard:${className}::${name}`;

/** A step of `pulumi preview --json` (pulumi: pkg/display/json.go, PreviewStep). */
function step(op: string, className: string, name: string, olds?: object, news?: object) {
  const type = `pulumi-nodejs:dynamic/stackyard:${className}`;
  return {
    op,
    urn: urn(className, name),
    provider: "urn:pulumi:dev::lab::pulumi:providers:pulumi-nodejs::default",
    ...(olds === undefined ? {} : { oldState: { type, inputs: { ...olds, __provider: "x" } } }),
    ...(news === undefined ? {} : { newState: { type, inputs: { ...news, __provider: "y" } } }),
  };
}

/** A resource of `terraform show -json PLAN` (terraform: internal/command/jsonplan, ResourceChange). */
function change(
  address: string,
  type: string,
  actions: readonly string[],
  before: object | null,
  after: object | null,
  unknown = {},
) {
  return {
    address,
    mode: "managed",
    type,
    name: "x",
    change: { actions, before, after, after_unknown: unknown },
  };
}

const flavorA = "11111111-1111-4111-8111-111111111111";
const flavorB = "22222222-2222-4222-8222-222222222222";
const server = { name: "web", flavor: flavorA, image: flavorA, networks: [] };

describe("of pulumi preview --json", () => {
  it("names resources, actions, labels by the change table, and fields", async () => {
    const { stdout, exitCode } = await report({
      steps: [
        {
          op: "create",
          urn: "urn:pulumi:dev::lab::pulumi:pulumi:Stack::lab-dev",
          newState: { type: "pulumi:pulumi:Stack" },
        },
        step("same", "Network", "net", { name: "net" }, { name: "net" }),
        step("create", "Flavor", "small", undefined, { name: "small" }),
        step("update", "Server", "web", server, { ...server, flavor: flavorB }),
        step("delete", "ServerGroup", "apart", { name: "apart" }),
      ],
    });
    expect(stdout).toBe(
      [
        "### Stackyard: 1 to create, 1 to update, 1 to delete",
        "",
        "| resource | action | label | changes |",
        "| --- | --- | --- | --- |",
        "| flavor small | create |  |  |",
        `| server web | update | restart | flavor: ${flavorA} → ${flavorB} |`,
        "| server-group apart | delete |  |  |",
        "",
      ].join("\n"),
    );
    expect(exitCode).toBe(0);
  });

  const replaced = {
    steps: [
      step("create-replacement", "Server", "web", server, { ...server, image: flavorB }),
      step("replace", "Server", "web", server, { ...server, image: flavorB }),
      step("delete-replaced", "Server", "web", server),
    ],
  };

  it("counts the steps of a replacement as one, and ends with 3 when it is not expected", async () => {
    const { stdout, stderr, exitCode } = await report(replaced);
    expect(stdout).toContain("### Stackyard: 1 to replace");
    expect(stdout).toContain("| server web | replace | **data-loss** | image: ");
    expect(stdout).toContain("**Not expected:** server web.");
    expect(stderr).toContain("not expected: server web: data-loss");
    expect(exitCode).toBe(3);
  });

  it.each([urn("Server", "web"), "Server.web"])("lets it pass when %s is allowed", async (address) => {
    const { stdout, exitCode } = await report(replaced, "--allow", address);
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain("Not expected");
  });

  it.each(["Server", "Server.we", "web"])("does not let it pass when %s is allowed", async (address) => {
    expect((await report(replaced, "--allow", address)).exitCode).toBe(3);
  });

  it("calls what the engine makes anew replaced, though no field says so", async () => {
    const forced = { steps: [step("replace", "Server", "web", server, server)] };
    expect((await report(forced)).exitCode).toBe(3);
  });

  it.each([
    [["--fail-on", "reboot"], 3],
    [["--fail-on", "restart"], 0],
    [[], 0],
  ] as const)("with %j ends a reboot with %d", async (words, expected) => {
    const document = {
      steps: [
        step("update", "Server", "web", { ...server, hostname: "old" }, { ...server, hostname: "new" }),
      ],
    };
    const { stdout, exitCode } = await report(document, ...words);
    expect(stdout.replaceAll("*", "")).toContain("| server web | update | reboot | hostname: old → new |");
    expect(exitCode).toBe(expected);
  });

  it("masks secrets", async () => {
    const { stdout } = await report({
      steps: [step("update", "User", "ada", { password: "old secret" }, { password: "new secret" })],
    });
    expect(stdout).toContain("password");
    expect(stdout).not.toMatch(/old secret|new secret/);
  });

  it("shows resources of others without a label, and does not fail on them", async () => {
    const type = "random:index/randomPet:RandomPet";
    const { stdout, exitCode } = await report({
      steps: [
        { op: "replace", urn: `urn:pulumi:dev::lab::${type}::pet`, oldState: { type }, newState: { type } },
      ],
    });
    expect(stdout).toMatch(/RandomPet pet \| replace \| {2}\| {2}\|/);
    expect(exitCode).toBe(0);
  });
});

describe("of terraform show -json", () => {
  const small = { name: "small", ram_mib: 64, vcpus: 1, disk_gib: 0, description: null };

  it("takes names back to ours, and labels by the change table", async () => {
    const { stdout, exitCode } = await report({
      format_version: "1.2",
      terraform_version: "1.11.0",
      resource_changes: [
        change("stackyard_flavor.same", "stackyard_flavor", ["no-op"], small, small),
        change("stackyard_flavor.small", "stackyard_flavor", ["delete", "create"], small, {
          ...small,
          ram_mib: 128,
        }),
        change(
          "stackyard_server.web",
          "stackyard_server",
          ["update"],
          { ...server, wait_for: "running" },
          { ...server, wait_for: "ssh" },
        ),
        change("data.stackyard_flavor.x", "stackyard_flavor", ["read"], null, {}),
        change('null_resource.check["a|b"]', "null_resource", ["create", "delete"], {}, {}),
      ],
    });
    expect(stdout).toContain("| stackyard&#95;flavor.small | replace | **replace** | ramMib: 64 → 128 |");
    expect(stdout).toContain("| stackyard&#95;server.web | update | live | waitFor: running → ssh |");
    expect(stdout).toContain("null&#95;resource.check&#91;&#34;a&#124;b&#34;&#93; | replace |  |");
    expect(exitCode).toBe(3);
    expect(stdout).not.toContain("flavor.same");
  });

  it("shows what is known only after the apply", async () => {
    const { stdout } = await report({
      resource_changes: [
        change(
          "stackyard_server.web",
          "stackyard_server",
          ["update"],
          server,
          { ...server, flavor: null },
          { flavor: true },
        ),
      ],
    });
    expect(stdout).toContain("restart");
    expect(stdout).toContain("known after apply");
  });
});

describe("of stackyard's own", () => {
  const preview = {
    type: "server",
    change: {
      action: "replace",
      label: "replace",
      fields: [{ field: "image", from: "a", to: "b", label: "replace" }],
    },
    inputs: { name: "web", id: flavorA },
    repairs: [],
  };

  it.each(["server/web", flavorA])("reads a preview, and allows %s", async (address) => {
    expect((await report(preview)).exitCode).toBe(3);
    expect((await report([preview], "--allow", address)).exitCode).toBe(0);
  });

  it("reads a report of drift by resource, with the worst label", async () => {
    const finding = { type: "server", id: flavorA, name: "web", host: "h1", expected: "a", found: "b" };
    const { stdout, exitCode } = await report({
      findings: [
        { ...finding, field: "running", label: "live" },
        { ...finding, field: "disk", label: "data-loss" },
        { ...finding, field: "base", label: null },
      ],
    });
    expect(stdout).toContain("1 drifted");
    expect(stdout).toContain(
      "| server web | drift | **data-loss** | running: b → a<br>disk: b → a<br>base: b → a |",
    );
    expect(exitCode).toBe(3);
  });

  it("says that nothing changes", async () => {
    const { stdout, exitCode } = await report({
      ...preview,
      change: { action: "none", label: null, fields: [] },
    });
    expect(stdout).toBe("### Stackyard: nothing changes\n");
    expect(exitCode).toBe(0);
  });

  it.each([
    ["restart", "restart", 3],
    ["restart", "replace", 0],
    ["live", "restart,replace", 0],
  ])("a %s under --fail-on %s ends with %d", async (label, kinds, exitCode) => {
    const change = { action: "update", label, fields: [] };
    expect((await report({ ...preview, change }, "--fail-on", kinds)).exitCode).toBe(exitCode);
  });

  it("fails on removals when it is asked to", async () => {
    const removal = { steps: [step("delete", "Server", "web", server)] };
    expect((await report(removal)).exitCode).toBe(0);
    expect((await report(removal, "--fail-on", "delete")).exitCode).toBe(3);
  });
});

describe("the report", () => {
  it.each([
    "a|b",
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "@everyone",
    "`code`",
    "**bold**",
    "line\nbreak",
    "\u202eevil",
    "https://evil.example",
    "#1",
  ])("takes the name %j for nothing but a name", async (name) => {
    const { stdout } = await report({ steps: [step("create", "Server", name, undefined, server)] });
    const row = stdout.split("\n").find((line) => line.includes("| create |")) ?? "";
    const cell = row.slice("| server ".length, row.indexOf(" | create |"));
    expect(cell).toMatch(/^([\p{L}\p{N} .,;=/-]|&#\d+;)+$/u);
    expect(row.match(/\|/g)).toHaveLength(5);
  });

  it("takes the name of what was not expected for nothing but a name", async () => {
    const { stdout } = await report({ steps: [step("replace", "Server", "**@everyone**", server, server)] });
    expect(stdout).toContain("**Not expected:** server &#42;&#42;&#64;everyone&#42;&#42;.");
  });

  it("stays short however much changes, and shows first what was not expected", async () => {
    const steps = Array.from({ length: 399 }, (_, n) =>
      step("update", "Server", `s${String(n)}`, server, { ...server, name: "x".repeat(5000) }),
    );
    const last = step("replace", "Server", "last", server, server);
    const { stdout, exitCode } = await report({ steps: [...steps, last] });
    expect(exitCode).toBe(3);
    expect(stdout.split("\n")[4]).toContain("| server last | replace |");
    expect(stdout.length).toBeLessThan(65_536);
    expect(stdout).toContain("And 250 more.");
  });

  it("is JSON too", async () => {
    const { stdout, exitCode } = await report(
      { steps: [step("update", "Server", "web", server, { ...server, flavor: flavorB })] },
      ...["--json", "--fail-on", "restart"],
    );
    expect(JSON.parse(stdout)).toEqual([
      {
        resource: "server web",
        address: urn("Server", "web"),
        action: "update",
        label: "restart",
        changes: [{ field: "flavor", from: flavorA, to: flavorB }],
        unexpected: true,
      },
    ]);
    expect(exitCode).toBe(3);
  });

  it("is written to a file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "stackyard-report-"));
    const { stdout } = await report({ steps: [] }, "--out", join(folder, "comment.md"));
    expect(stdout).toBe("");
    expect(readFileSync(join(folder, "comment.md"), "utf8")).toBe("### Stackyard: nothing changes\n");
    rmSync(folder, { recursive: true });
  });
});

describe("what is no preview is refused", () => {
  it.each(["", "null", "[]", '"text"', "{}", '{"steps": 1}', "not json", '{"resource_changes": [{}]}'])(
    "%j",
    async (text) => {
      const { exitCode, stderr } = await report(text);
      expect(exitCode).toBe(1);
      expect(stderr).toContain("[invalid-input]");
    },
  );

  it("in a format that it is not said to be", async () => {
    const { stderr } = await report({ steps: [] }, "--format", "stackyard");
    expect(stderr).toContain("does not hold a preview of stackyard");
  });
});
