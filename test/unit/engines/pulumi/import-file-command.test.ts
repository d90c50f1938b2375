import { chown, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StackyardError } from "../../../../providers/core/errors.ts";
import { registerPulumiCommand } from "../../../../providers/engines/pulumi/import-file-command.ts";
import { definitions } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { runStackyard, type CommandResult } from "../../../support/command-line.ts";
import { openTestSession, TestCloud } from "../../../support/cloud.ts";

const extensions = [{ name: "pulumi", summary: "stacks", register: registerPulumiCommand }];
const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n";

let cloud: FakeCloud;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stackyard-import-"));
  cloud = new FakeCloud({
    definitions,
    outputsOf: (type) => (type === "keypair" ? { publicKey: "ssh-ed25519 AAAA", privateKey } : {}),
  });
  await run("flavor", "create", "--name", "small", "--vcpus", "1", "--ram-mib", "64");
  await run("image", "create", "--name", "tiny", "--disk.location", "/images/tiny.qcow2");
  await run("network", "create", "--name", "net");
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function run(...words: readonly string[]): Promise<CommandResult> {
  return runStackyard(cloud, words, { extensions, stdin: "open sesame" });
}

async function makeServer(name = "web"): Promise<string> {
  await run("server", "create", "--name", name, "--flavor", "small", "--image", "tiny");
  return (await cloud.find("server", name)).id;
}

/** A second resource of the same type and name, as another project's. */
async function makeTwin(type: string, inputs: Readonly<Record<string, string | number>>): Promise<string> {
  const request = { type, maker: "test:twin", defaultName: "twin" };
  const { inputs: planned } = await cloud.plan({ ...request, inputs });
  return (await cloud.apply({ ...request, inputs: planned })).id;
}

interface Entry {
  readonly type: string;
  readonly name: string;
  readonly id: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** The entries that these words give, by type and name. */
async function entriesOf(...words: readonly string[]): Promise<ReadonlyMap<string, Entry>> {
  const { stdout } = await run("pulumi", "import-file", ...words);
  const { resources } = JSON.parse(stdout) as { resources: readonly Entry[] };
  return new Map(resources.map((entry) => [`${entry.type.replace(/.*:/, "")} ${entry.name}`, entry]));
}

describe("the file", () => {
  it("has all that somebody made, each after what it refers to", async () => {
    await makeServer();
    expect([...(await entriesOf()).keys()]).toEqual([
      "Flavor small",
      "Image tiny",
      "Network net",
      "Server web",
    ]);
  });

  it("has what is asked for after what it refers to, in whatever order", async () => {
    await makeServer();
    expect([...(await entriesOf("server/web", "flavor")).keys()]).toEqual(["Flavor small", "Server web"]);
  });

  it("has in an entry what Pulumi needs to go on with the resource", async () => {
    const id = await makeServer();
    const entry = (await entriesOf("server")).get("Server web");
    expect(entry).toMatchObject({
      type: "pulumi-nodejs:dynamic/stackyard:Server",
      id,
      inputs: {
        name: "web",
        uuid: id,
        drift: [],
        __provider: 'exports.handler = () => require("stackyard/pulumi-provider").provider("server");',
        __maker: (await cloud.find("server", "web")).record.maker,
        __defaultName: "web",
        __v: 1,
      },
      outputs: { uuid: id, drift: [] },
    });
  });

  it("gives the name of the program, and keeps that of the resource", async () => {
    await makeServer();
    expect((await entriesOf("server/web=frontend")).get("Server frontend")?.inputs["name"]).toBe("web");
  });

  it("takes what is named by itself once, under that name, where its type is asked for too", async () => {
    await makeServer();
    expect([...(await entriesOf("server", "server/web=frontend")).keys()]).toEqual(["Server frontend"]);
  });

  it("has names of its own for those that share one, and says so", async () => {
    const first = await cloud.find("network", "net");
    const second = await makeTwin("network", { name: "net" });
    const { stderr } = await run("pulumi", "import-file", "network");
    const short = [first.id, second].map((id) => `Network net-${id.slice(0, 8)}`);
    expect([...(await entriesOf("network")).keys()]).toEqual(short);
    expect(stderr).toContain(`the program declares this one as "net-${second.slice(0, 8)}"`);
  });

  it("marks what the cloud filled in as such, and says which output is lost", async () => {
    await run("keypair", "create", "--name", "login");
    const { stderr } = await run("pulumi", "import-file", "keypair");
    const entry = (await entriesOf("keypair")).get("Keypair login");
    expect(entry?.inputs).not.toHaveProperty("publicKey");
    expect(entry?.outputs["publicKey"]).toBe("ssh-ed25519 AAAA");
    expect(entry?.outputs["__filled"]).toContain("publicKey");
    expect(stderr).toContain("privateKey was given only once");
  });

  it("has no secret, and says which the program must give", async () => {
    await run("user", "create", "--name", "ada", "--password-file", "-");
    await run("keypair", "create", "--name", "login");
    const { stdout, stderr } = await run("pulumi", "import-file");
    expect(stdout).not.toMatch(/open sesame|PRIVATE KEY/);
    expect(stderr).toContain('user "ada": password is secret and not in the file; give it in the program');
  });

  it("has what is in error, with the fault as a drift that the next update repairs, and says so", async () => {
    const id = await makeServer();
    cloud.failures.set(id, new StackyardError("command-failed", { message: "the disk is full" }));
    await run("server", "set", "web", "--yes");
    const { stderr } = await run("pulumi", "import-file", "server");
    const drift = ["resource: expected whole, found the disk is full; the next update goes on with it"];
    expect((await entriesOf("server")).get("Server web")).toMatchObject({
      inputs: { drift },
      outputs: { drift },
    });
    expect(stderr).toContain('server "web" is in error: the disk is full');
  });

  it("has what a Pulumi stack made, and says whose it may be", async () => {
    const request = { type: "network", maker: "urn:pulumi:dev::shop::x::lan", defaultName: "lan" };
    const { inputs } = await cloud.plan({ ...request, inputs: {} });
    await cloud.apply({ ...request, inputs });
    const { stderr } = await run("pulumi", "import-file", "network/lan");
    expect(stderr).toContain('network "lan" was made by stack dev of project shop');
  });

  it("has nothing of what the cloud made for itself", async () => {
    await using test = await TestCloud.open();
    await test.make("project", "demo");
    const session = await openTestSession(test.folder, test.compute);
    const { stdout } = await runStackyard(session, ["pulumi", "import-file"], { extensions });
    expect(JSON.parse(stdout)).toMatchObject({ resources: [{ name: "demo" }] });
  });

  it("goes to a file that only the user reads, with the next command", async () => {
    const file = join(folder, "import.json");
    const { stdout, exitCode } = await run("pulumi", "import-file", "flavor", "--out", file);
    expect(exitCode).toBe(0);
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ resources: [{ name: "small" }] });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(stdout).toContain(`pulumi import --file ${file} --generate-code=false --protect=false`);
  });

  it("goes over a file by force, and only the user reads it then", async () => {
    const file = join(folder, "import.json");
    await writeFile(file, "x".repeat(100_000), { mode: 0o644 });
    expect((await run("pulumi", "import-file", "flavor", "--out", file)).exitCode).not.toBe(0);
    expect((await run("pulumi", "import-file", "flavor", "--out", file, "--force")).exitCode).toBe(0);
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ resources: [{ name: "small" }] });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("goes through no symbolic link, by force neither", async () => {
    const [file, other] = [join(folder, "import.json"), join(folder, "other")];
    await writeFile(other, "somebody's");
    await symlink(other, file);
    const { exitCode, stderr } = await run("pulumi", "import-file", "flavor", "--out", file, "--force");
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("the file cannot be written");
    expect(await readFile(other, "utf8")).toBe("somebody's");
  });

  it.runIf(process.getuid?.() === 0)("goes into nobody else's file", async () => {
    const file = join(folder, "import.json");
    await writeFile(file, "somebody's");
    await chown(file, 1234, 1234);
    const { exitCode } = await run("pulumi", "import-file", "flavor", "--out", file, "--force");
    expect(exitCode).not.toBe(0);
    expect(await readFile(file, "utf8")).toBe("somebody's");
  });

  it("is summed up as JSON", async () => {
    const words = ["flavor", "--out", join(folder, "import.json"), "--json"];
    const { stdout } = await run("pulumi", "import-file", ...words);
    expect(JSON.parse(stdout)).toEqual({
      file: join(folder, "import.json"),
      resources: [
        {
          type: "flavor",
          name: "small",
          id: (await cloud.find("flavor", "small")).id,
          status: "active",
          secrets: [],
          missing: [],
        },
      ],
    });
  });
});

describe("a wrong word", () => {
  it.each([
    { title: "an unknown type", words: ["sever"], says: 'there is no resource type "sever"' },
    { title: "an unknown name", words: ["server/nope"], says: "there is no such server" },
    { title: "no name", words: ["network/"], says: "this names no resource" },
    { title: "an empty name of the program", words: ["network/net="], says: "this names no resource" },
    {
      title: "a resource twice",
      words: ["network/net=a", "network/net=b"],
      says: 'network "net" is named twice',
    },
    {
      title: "a name of the program twice",
      words: ["flavor/small=x", "flavor/small=x"],
      says: 'the name "x" is given to two flavors',
    },
  ])("that is $title is refused by its name", async ({ words, says }) => {
    const { exitCode, stdout, stderr } = await run("pulumi", "import-file", ...words);
    expect(exitCode).not.toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toContain(says);
  });

  it("that is an ambiguous name is refused", async () => {
    await makeTwin("network", { name: "net" });
    const { exitCode, stderr } = await run("pulumi", "import-file", "network/net");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("several resources have this name");
  });

  it("that names a resource on which a task has not ended is refused", async () => {
    await using test = await TestCloud.open();
    const { id } = await test.make("project", "demo");
    const database = await test.database();
    await database.updateTable("records").set({ status: "deleting" }).where("id", "=", id).execute();
    const session = await openTestSession(test.folder, test.compute);
    const { stderr } = await runStackyard(session, ["pulumi", "import-file", "project/demo"], { extensions });
    expect(stderr).toContain('project "demo" is deleting');
  });
});

describe("a file that exists", () => {
  it("is left alone", async () => {
    const file = join(folder, "import.json");
    await writeFile(file, "mine");
    const { exitCode, stderr } = await run("pulumi", "import-file", "--out", file);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--force writes over one");
    expect(await readFile(file, "utf8")).toBe("mine");
  });

  it("is written over with --force", async () => {
    const file = join(folder, "import.json");
    await writeFile(file, "mine");
    await run("pulumi", "import-file", "--out", file, "--force");
    expect(JSON.parse(await readFile(file, "utf8"))).toHaveProperty("resources");
  });
});
