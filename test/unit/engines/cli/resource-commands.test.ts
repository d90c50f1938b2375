import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StackyardError } from "../../../../providers/core/errors.ts";
import type { JsonObject } from "../../../../providers/core/json.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard, type CommandResult, type CommandSetting } from "../../../support/command-line.ts";

const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n";
const smallFlavor = ["flavor", "create", "--name", "small", "--vcpus", "1", "--ram-mib", "64"];

let cloud: FakeCloud;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stackyard-cli-"));
  cloud = new FakeCloud({
    definitions,
    outputsOf: (type) => (type === "keypair" ? { publicKey: "ssh-ed25519 AAAA", privateKey } : {}),
    answerOf: (type, action, input) => answers[`${type} ${action}`]?.(input),
  });
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const answers: Readonly<Record<string, (input: JsonObject) => JsonObject>> = {
  "server reboot": (input) => ({ kind: input["kind"] ?? "default" }),
  "server console-log": () => ({ text: "booting\u001b[2J\nlogin:" }),
};

function run(words: readonly string[], setting?: CommandSetting): Promise<CommandResult> {
  return runStackyard(cloud, words, setting);
}

async function runJson(words: readonly string[]): Promise<unknown> {
  return JSON.parse((await run([...words, "--json"])).stdout);
}

async function makeServer(): Promise<void> {
  await run(smallFlavor);
  await run(["image", "create", "--name", "tiny", "--disk.location", "/images/tiny.qcow2"]);
  await run(["server", "create", "--name", "web", "--flavor", "small", "--image", "tiny"]);
}

describe("create", () => {
  it("makes the resource with the inputs of its flags", async () => {
    expect((await run(smallFlavor)).exitCode).toBe(0);
    expect((await cloud.find("flavor", "small")).inputs).toMatchObject({
      name: "small",
      vcpus: 1,
      ramMib: 64,
      diskGib: 0,
    });
  });

  it("prints the resource as JSON with these keys in this order", async () => {
    const { stdout } = await run([...smallFlavor, "--json"]);
    const { id } = await cloud.find("flavor", "small");
    expect(stdout).toBe(`{
  "id": "${id}",
  "type": "flavor",
  "name": "small",
  "status": "active",
  "projectId": null,
  "inputs": {
    "name": "small",
    "vcpus": 1,
    "ramMib": 64,
    "diskGib": 0,
    "extraSpecs": {}
  },
  "outputs": {},
  "drift": [],
  "fault": null,
  "createdAt": "2026-01-02T03:04:06.000Z",
  "updatedAt": "2026-01-02T03:04:06.000Z"
}
`);
  });

  it("takes references by name", async () => {
    await makeServer();
    const { id } = await cloud.find("flavor", "small");
    expect((await cloud.find("server", "web")).inputs["flavor"]).toBe(id);
  });

  it("says which field names a resource that does not exist", async () => {
    await makeServer();
    expect(await runJson(["server", "create", "--name", "b", "--flavor", "huge", "--image", "tiny"])).toEqual(
      {
        error: {
          code: "unknown-reference",
          message: "there is no flavor of this id or name",
          field: "flavor",
          value: "huge",
          remedy: "See what there is: stackyard flavor list",
          notes: [],
        },
      },
    );
  });

  it("reads fields from a YAML file, flags winning over it", async () => {
    const path = join(folder, "flavor.yaml");
    await writeFile(path, "name: large\nvcpus: 8\nramMib: 4096\nextraSpecs:\n  hw:cpu_policy: shared\n");
    await run(["flavor", "create", "--file", path, "--vcpus", "4"]);
    expect((await cloud.find("flavor", "large")).inputs).toMatchObject({
      vcpus: 4,
      ramMib: 4096,
      extraSpecs: { "hw:cpu_policy": "shared" },
    });
  });

  it("reads fields from JSON on standard input", async () => {
    await run(["flavor", "create", "--file", "-"], { stdin: '{"name":"piped","vcpus":2,"ramMib":32}' });
    expect((await cloud.find("flavor", "piped")).inputs["vcpus"]).toBe(2);
  });

  it.each(["- a list", "text", "{broken: ["])("refuses a file that holds no object: %s", async (stdin) => {
    const { exitCode, stderr } = await run(["flavor", "create", "--file", "-"], { stdin });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("does not hold the inputs of a resource");
  });

  it("reads a secret from standard input and never prints it", async () => {
    const { stdout, stderr } = await run(["user", "create", "--name", "ada", "--password-file", "-"], {
      stdin: "correct horse\n",
    });
    expect(cloud.applied[0]?.inputs["password"]).toBe("correct horse");
    expect(stdout).toContain("[secret]");
    expect(stdout + stderr).not.toContain("correct horse");
  });

  it("never prints a secret as JSON", async () => {
    const { stdout } = await run(["user", "create", "--name", "ada", "--password-file", "-", "--json"], {
      stdin: "correct horse",
    });
    expect(JSON.parse(stdout)).toMatchObject({ inputs: { password: "[secret]" } });
  });

  it("writes a secret output to a new file that only its owner can read", async () => {
    const path = join(folder, "id_ed25519");
    const { stdout, stderr } = await run(["keypair", "create", "--name", "mine", "--save-private-key", path]);
    expect(await readFile(path, "utf8")).toBe(privateKey);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(stdout + stderr).not.toContain("c2VjcmV0");
  });

  it("says when a secret output was not saved", async () => {
    const { stderr } = await run(["keypair", "create", "--name", "mine"]);
    expect(stderr).toContain("privateKey is given only once and was not saved");
  });

  it("makes nothing when the file for a secret output is there already", async () => {
    const path = join(folder, "id_ed25519");
    await writeFile(path, "precious");
    const { exitCode } = await run(["keypair", "create", "--name", "mine", "--save-private-key", path]);
    expect(exitCode).toBe(1);
    expect(await readFile(path, "utf8")).toBe("precious");
    expect(await cloud.list("keypair")).toEqual([]);
  });

  it("leaves no empty file behind when it fails", async () => {
    const path = join(folder, "id_ed25519");
    const planned = await cloud.plan({
      type: "keypair",
      inputs: { name: "mine" },
      maker: 'cli:["keypair",null,"mine"]',
      defaultName: "mine",
    });
    cloud.failures.set(
      planned.inputs["id"] as string,
      new StackyardError("command-failed", { message: "no luck" }),
    );
    expect((await run(["keypair", "create", "--name", "mine", "--save-private-key", path])).exitCode).toBe(1);
    await expect(stat(path)).rejects.toThrow("ENOENT");
  });

  it("refuses a second one of the same name", async () => {
    await run(smallFlavor);
    expect(await runJson(smallFlavor)).toMatchObject({ error: { code: "conflict", field: "name" } });
  });

  it("takes up again what failed", async () => {
    const planned = await cloud.plan({
      type: "flavor",
      inputs: { name: "small", vcpus: 1, ramMib: 64 },
      maker: 'cli:["flavor",null,"small"]',
      defaultName: "small",
    });
    cloud.failures.set(
      planned.inputs["id"] as string,
      new StackyardError("command-failed", { message: "no luck" }),
    );
    expect((await run(smallFlavor)).exitCode).toBe(1);
    expect((await run(smallFlavor)).exitCode).toBe(0);
    expect(await cloud.list("flavor")).toHaveLength(1);
  });

  it("reports every wrong field at once", async () => {
    expect(
      await runJson(["flavor", "create", "--name", "x", "--vcpus", "0", "--ram-mib", "0"]),
    ).toMatchObject({
      error: { code: "invalid-input", field: "vcpus", notes: [expect.stringContaining("ramMib")] },
    });
  });

  it("needs a name", async () => {
    expect(await runJson(["flavor", "create", "--vcpus", "1", "--ram-mib", "1"])).toMatchObject({
      error: { code: "invalid-input", field: "name" },
    });
  });

  it("makes nothing on a dry run, and says what it would", async () => {
    const { stdout } = await run([...smallFlavor, "--dry-run"]);
    expect(stdout).toContain("would create");
    expect(await cloud.list("flavor")).toEqual([]);
  });
});

describe("list", () => {
  it("prints a table that begins with id, name and status", async () => {
    await run(smallFlavor);
    const { id } = await cloud.find("flavor", "small");
    expect((await run(["flavor", "list"])).stdout.split("\n")).toEqual([
      `ID${" ".repeat(36)}NAME   STATUS  VCPUS  RAM MIB  DISK GIB  STORAGE POOL`,
      `${id}  small  active  1      64       0         -`,
      "",
    ]);
  });

  it("prints the columns asked for", async () => {
    await run(smallFlavor);
    expect((await run(["flavor", "list", "--columns", "name,ramMib"])).stdout).toBe(
      "NAME   RAM MIB\nsmall  64\n",
    );
  });

  it("shows references by name", async () => {
    await makeServer();
    expect((await run(["server", "list", "--columns", "name,flavor,image"])).stdout).toBe(
      "NAME  FLAVOR  IMAGE\nweb   small   tiny\n",
    );
  });

  it("fits a terminal", async () => {
    await run(["flavor", "create", "--name", "n".repeat(200), "--vcpus", "1", "--ram-mib", "64"]);
    const { stdout } = await run(["flavor", "list"], { terminalWidth: 90 });
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBe(90);
  });

  it("refuses an unknown column", async () => {
    expect((await run(["flavor", "list", "--columns", "name,colour"])).exitCode).toBe(2);
  });

  it("prints an empty list as JSON", async () => {
    expect((await run(["flavor", "list", "--json"])).stdout).toBe("[]\n");
  });
});

describe("show", () => {
  it("shows what differs from the declaration", async () => {
    await makeServer();
    const { id } = await cloud.find("server", "web");
    cloud.drifts.set(id, [
      { field: "running", expected: "running", found: "shut-off", repair: "starts it", label: "live" },
    ]);
    expect((await run(["server", "show", "web"])).stdout).toMatch(
      /^drift: running +expected running, found shut-off$/m,
    );
  });

  it("escapes what a host reports", async () => {
    await makeServer();
    const { id } = await cloud.find("server", "web");
    cloud.drifts.set(id, [{ field: "state", expected: "a", found: "\u001b]0;owned\u0007", repair: "x" }]);
    expect((await run(["server", "show", "web"])).stdout).toContain("\\u001b]0;owned\\u0007");
  });

  it("answers from the record when told not to ask the host", async () => {
    await makeServer();
    cloud.unreachable.add((await cloud.find("server", "web")).id);
    expect((await run(["server", "show", "web", "--no-observe"])).exitCode).toBe(0);
  });

  it("ends with 4 when the host cannot be asked", async () => {
    await makeServer();
    cloud.unreachable.add((await cloud.find("server", "web")).id);
    expect((await run(["server", "show", "web"])).exitCode).toBe(4);
  });

  it("ends with 3 and says so when there is none", async () => {
    const { exitCode, stdout, stderr } = await run(["server", "show", "nobody"]);
    expect(exitCode).toBe(3);
    expect(stdout).toBe("");
    expect(stderr).toContain("[not-found]");
  });
});

describe("set", () => {
  it("changes the fields given and keeps the others", async () => {
    await run(["project", "create", "--name", "lab", "--description", "old", "--quota.cores", "4"]);
    await run(["project", "set", "lab", "--description", "new"]);
    expect((await cloud.find("project", "lab")).inputs).toMatchObject({
      description: "new",
      quota: { cores: 4 },
    });
  });

  it("takes a field back to its default", async () => {
    await run(["project", "create", "--name", "lab", "--description", "old", "--quota.cores", "4"]);
    await run(["project", "set", "lab", "--unset", "description", "--unset", "quota.cores"]);
    const { inputs } = await cloud.find("project", "lab");
    expect(inputs).toMatchObject({ quota: { cores: 20 } });
    expect(inputs["description"]).toBeUndefined();
  });

  it("refuses to make the resource anew", async () => {
    await run(smallFlavor);
    expect(await runJson(["flavor", "set", "small", "--vcpus", "2"])).toMatchObject({
      error: { code: "invalid-input", field: "vcpus", remedy: "Delete the flavor and create it anew." },
    });
    expect((await cloud.find("flavor", "small")).inputs["vcpus"]).toBe(1);
  });

  it("interrupts a server only with --yes", async () => {
    await makeServer();
    await run(["flavor", "create", "--name", "large", "--vcpus", "2", "--ram-mib", "128"]);
    expect(await runJson(["server", "set", "web", "--flavor", "large"])).toMatchObject({
      error: { code: "invalid-input", field: "flavor", remedy: "Run again with --yes to accept it." },
    });
    expect((await run(["server", "set", "web", "--flavor", "large", "--yes"])).exitCode).toBe(0);
    const { id } = await cloud.find("flavor", "large");
    expect((await cloud.find("server", "web")).inputs["flavor"]).toBe(id);
  });

  it("needs a secret again, since the cloud does not give it back", async () => {
    await run(["user", "create", "--name", "ada", "--password-file", "-"], { stdin: "correct horse" });
    expect(await runJson(["user", "set", "ada", "--email", "ada@example.org"])).toMatchObject({
      error: {
        code: "invalid-input",
        field: "password",
        remedy: expect.stringContaining("--password-file") as string,
      },
    });
  });

  it("shows on a dry run what a change does, and changes nothing", async () => {
    await run(smallFlavor);
    expect(await runJson(["flavor", "set", "small", "--vcpus", "2", "--dry-run"])).toMatchObject({
      change: {
        action: "replace",
        label: "replace",
        fields: [{ field: "vcpus", from: 1, to: 2, label: "replace" }],
      },
    });
    expect((await cloud.find("flavor", "small")).inputs["vcpus"]).toBe(1);
  });
});

describe("delete", () => {
  it("removes each resource named", async () => {
    await run(smallFlavor);
    await run(["flavor", "create", "--name", "large", "--vcpus", "2", "--ram-mib", "128"]);
    expect(await runJson(["flavor", "delete", "small", "large"])).toMatchObject([
      { type: "flavor", name: "small", deleted: true },
      { type: "flavor", name: "large", deleted: true },
    ]);
    expect(await cloud.list("flavor")).toEqual([]);
  });

  it("removes nothing when one of the names is wrong", async () => {
    await run(smallFlavor);
    expect((await run(["flavor", "delete", "small", "smal"])).exitCode).toBe(3);
    expect(await cloud.list("flavor")).toHaveLength(1);
  });
});

describe("actions", () => {
  it("run with the input of their flags", async () => {
    await makeServer();
    expect(await runJson(["server", "reboot", "web", "--kind", "hard"])).toEqual({ kind: "hard" });
  });

  it("print a text that is the whole answer as it is, made safe", async () => {
    await makeServer();
    expect((await run(["server", "console-log", "web"])).stdout).toBe("booting\\u001b[2J\nlogin:\n");
  });
});

describe("progress", () => {
  it("goes to standard error, a line a step", async () => {
    await makeServer();
    const { stderr, stdout } = await run(["server", "delete", "web"]);
    expect(stderr).toMatch(/^\[\d+\.\d\d s\] delete server web: /m);
    expect(stdout).toMatch(/^deleted web \([0-9a-f-]{36}\)\n$/);
  });
});

describe("the cloud", () => {
  it("is closed after a command", async () => {
    await run(["flavor", "list"]);
    expect(cloud.closed).toBe(true);
  });

  it("is closed after a command that failed", async () => {
    await run(["flavor", "show", "none"]);
    expect(cloud.closed).toBe(true);
  });
});
