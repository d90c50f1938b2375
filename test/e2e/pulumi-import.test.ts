import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pulumiEnvironment } from "../../lab/packed-project.ts";
import { runProgram } from "../../lab/setup/program.ts";
import { toolPath } from "../../lab/setup/requirements.ts";
import { registerPulumiCommand } from "../../providers/engines/pulumi/import-file-command.ts";
import { TestCloud } from "../support/cloud.ts";
import { runStackyard } from "../support/command-line.ts";
import { makePulumiProject } from "../support/pulumi-project.ts";

/** Resources that the command line made, and a stack that declares them. */
let test: TestCloud;
let folder: string;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  test = await TestCloud.open();
  folder = makePulumiProject("providers/engines/pulumi/host.ts");
  cpSync(join(import.meta.dirname, "../fixtures/pulumi-import"), folder, { recursive: true });
  mkdirSync(join(folder, "state"));
  writeFileSync(join(folder, "passphrase"), "e2e");
  environment = {
    ...process.env,
    ...pulumiEnvironment(folder),
    PATH: await toolPath(),
    STACKYARD_HOME: test.folder,
    STACKYARD_CLOUD: "test",
  };
  await stackyard("project", "create", "--name", "demo");
  await stackyard("user", "create", "--name", "ada", "--password-file", "-", "--default-project", "demo");
  await stackyard("flavor", "create", "--name", "tiny", "--vcpus", "1", "--ram-mib", "64");
  await stackyard("keypair", "create", "--name", "login", "--project", "demo");
  await stackyard("network", "create", "--name", "net", "--project", "demo");
  const subnet = ["--name", "subnet", "--project", "demo", "--network", "net", "--cidr", "10.20.0.0/24"];
  await stackyard("subnet", "create", ...subnet);
  await stackyard("port", "create", "--name", "port", "--project", "demo", "--subnet", "subnet");
  await stackyard("pulumi", "import-file", "flavor/tiny=small", ...otherTypes, "--out", importFile());
  await pulumi("stack", "init", "e2e");
  await pulumi("config", "set", "--secret", "password", password);
});

afterAll(async () => {
  await test[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const password = "correct horse battery";
const otherTypes = ["project/demo", "user/ada", "keypair", "network", "subnet", "port"];

function importFile(): string {
  return join(folder, "import.json");
}

async function stackyard(...words: readonly string[]): Promise<string> {
  const extensions = [{ name: "pulumi", summary: "stacks", register: registerPulumiCommand }];
  const cloud = await test.open();
  const { exitCode, stdout, stderr } = await runStackyard(cloud, words, { extensions, stdin: password });
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

/** What Pulumi prints, on both streams. */
async function pulumi(...words: readonly string[]): Promise<string> {
  const tail: string[] = [];
  const { exitCode } = await runProgram("pulumi", [...words, "--non-interactive", "--color", "never"], {
    cwd: folder,
    env: environment,
    timeoutMs: 120_000,
    onLine: (line) => tail.push(line),
  });
  expect(exitCode, tail.join("\n")).toBe(0);
  return tail.join("\n");
}

function up(): Promise<string> {
  return pulumi("up", "--yes", "--skip-preview");
}

async function idOf(type: string, name: string): Promise<string> {
  return (await test.cloud.find(type, name)).id;
}

it("imports what the command line made, without a word of warning", async () => {
  const flags = ["--generate-code=false", "--protect=false", "--yes"];
  const shown = await pulumi("import", "--file", importFile(), ...flags);
  expect(shown).toContain("= 7 imported");
  expect(shown).not.toMatch(/warning|error/);
});

it("then only sets the secret that the file does not have", async () => {
  const shown = await pulumi("preview", "--diff");
  expect(shown).toMatch(/~ 1 to update\s+7 unchanged/);
  expect(shown).toContain("+ password: [secret]");
  expect(await up()).toMatch(/~ 1 updated\s+7 unchanged/);
});

it("then has nothing to do, after a refresh neither", async () => {
  await pulumi("preview", "--refresh", "--expect-no-changes");
});

it("changes what it took in place, and replaces it under the name that it has", async () => {
  const before = { network: await idOf("network", "net"), flavor: await idOf("flavor", "tiny") };
  await pulumi("config", "set-all", "--plaintext", "mtuBytes=1400", "--plaintext", "ramMib=128");
  expect(await up()).toMatch(/~ 1 updated\s+\+-1 replaced\s+2 changes\. 6 unchanged/);
  expect(await test.cloud.find("network", "net")).toMatchObject({
    id: before.network,
    inputs: { mtuBytes: 1400 },
  });
  expect(await idOf("flavor", "tiny")).not.toBe(before.flavor);
  await pulumi("preview", "--expect-no-changes");
});

it("removes all of it, and nothing else", async () => {
  await pulumi("destroy", "--yes", "--skip-preview");
  const left = await test.holdings();
  expect(left.filter((line) => !line.endsWith(" admin") && !line.startsWith("reservation"))).toEqual([]);
});

it("refuses to import what is not there any more", async () => {
  const words = ["import", "--file", importFile(), "--generate-code=false", "--yes", "--non-interactive"];
  const { exitCode, stdout } = await runProgram("pulumi", [...words, "--color", "never"], {
    cwd: folder,
    env: environment,
  });
  expect(exitCode).not.toBe(0);
  expect(stdout).toContain("there is no project of this id in the cloud");
});
