import { spawn } from "node:child_process";
import { access, chmod, copyFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const setup = join(import.meta.dirname, "..", "..", "lab", "setup");
const lock = JSON.stringify({ packages: { "": {}, "node_modules/zod": { version: "4.0.0" } } });
const nobody = 65534;

/** A checkout of its own with the real launcher, a stand-in for what it hands over to, and an npm that only notes. */
let checkout: string;
let bin: string;
let cache: string;
let npm: string;

beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), "stackyard-launch-"));
  bin = join(checkout, "bin");
  cache = join(checkout, "cache");
  await mkdir(join(checkout, "lab", "setup"), { recursive: true });
  await mkdir(bin);
  for (const file of ["launch.mjs", "nodes.json", "packages.json"]) {
    await copyFile(join(setup, file), join(checkout, "lab", "setup", file));
  }
  await writeFile(
    join(checkout, "lab", "setup", "main.ts"),
    `import { appendFileSync } from "node:fs";
     const [verb, code]: string[] = process.argv.slice(2);
     if (verb === "setup") appendFileSync("${checkout}/set-up-for", code + "\\n");
     else if (code === "wait") { console.log("waiting"); setInterval(() => undefined, 1000); }
     else { console.log(verb, code); process.exitCode = Number(code ?? 0); }`,
  );
  await writeFile(join(checkout, "package-lock.json"), lock);
  npm = `echo "$@" >> ${checkout}/npm-calls
     mkdir -p ${checkout}/node_modules
     cp ${checkout}/package-lock.json ${checkout}/node_modules/.package-lock.json`;
  await writeProgram("npm", npm);
  await writeProgram("apt-get", "exit 1");
});

afterEach(() => rm(checkout, { recursive: true, force: true }));

async function writeProgram(name: string, body: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${body}\n`);
  await chmod(join(bin, name), 0o755);
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface LaunchOptions {
  readonly path?: string;
  readonly node?: string;
  readonly uid?: number;
  /** Sent once the program has printed something. */
  readonly signal?: NodeJS.Signals;
}

function launch(args: readonly string[], options: LaunchOptions = {}): Promise<Outcome> {
  const { path = `${bin}:/usr/bin:/bin`, node = process.execPath, uid, signal } = options;
  const child = spawn(node, [join(checkout, "lab", "setup", "launch.mjs"), ...args], {
    env: { PATH: path, XDG_CACHE_HOME: cache, HOME: checkout },
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid === undefined ? {} : { uid }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    if (signal !== undefined) child.kill(signal);
  });
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

const npmCalls = () => readFile(join(checkout, "npm-calls"), "utf8");
const installOnce = "ci --ignore-scripts --no-audit --no-fund\n";

test("installs node_modules once, and finds nothing to do at the second run", async () => {
  const first = await launch(["run", "0"]);
  const second = await launch(["run", "0"]);
  expect(first).toMatchObject({ code: 0, stdout: "run 0\n" });
  expect(first.stderr).toContain("missing: node_modules as in package-lock.json");
  expect(second).toEqual({ code: 0, stdout: "run 0\n", stderr: "" });
  expect(await npmCalls()).toBe(installOnce);
});

test("a lock file that was only touched changes nothing", async () => {
  await launch(["run", "0"]);
  await utimes(join(checkout, "package-lock.json"), new Date(), new Date(Date.now() + 60_000));
  await launch(["run", "0"]);
  expect(await npmCalls()).toBe(installOnce);
});

test("a lock file with another version installs again", async () => {
  await launch(["run", "0"]);
  await writeFile(join(checkout, "package-lock.json"), lock.replace("4.0.0", "4.0.1"));
  await launch(["run", "0"]);
  expect(await npmCalls()).toBe(installOnce.repeat(2));
});

test("an install that was killed half-way is done again", async () => {
  await mkdir(join(checkout, "node_modules", "zod"), { recursive: true });
  await launch(["run", "0"]);
  expect(await npmCalls()).toBe(installOnce);
});

test("two at once install once; the second says that it waits", async () => {
  await writeProgram("npm", `sleep 1; ${npm}`);
  const [a, b] = await Promise.all([launch(["run", "0"]), launch(["run", "0"])]);
  expect([a.code, b.code]).toEqual([0, 0]);
  expect(await npmCalls()).toBe(installOnce);
  expect(a.stderr + b.stderr).toContain("another set-up is running; waiting for it to end");
});

test("an install that fails ends with a clear line and without the program", async () => {
  await writeProgram("npm", "exit 3");
  const outcome = await launch(["run", "0"]);
  expect(outcome).toMatchObject({ code: 1, stdout: "" });
  expect(outcome.stderr).toContain("set-up failed: node_modules failed: npm ended with 3");
});

describe.runIf(process.getuid?.() === 0)("the whole set-up", () => {
  const node22 = () => join(cache, "stackyard", "node", "22.23.3", "bin", "node");
  const setUpFor = () => readFile(join(checkout, "set-up-for"), "utf8");

  beforeEach(() =>
    writeProgram(
      "npm",
      `${npm}
       mkdir -p node_modules/node-${process.platform}-${process.arch}/bin
       touch node_modules/node-${process.platform}-${process.arch}/bin/node`,
    ),
  );

  test("of the tests brings Node 22 for cdktf-cli, once", async () => {
    const first = await launch(["test", "0"]);
    const second = await launch(["test", "0"]);
    expect(first).toMatchObject({ code: 0, stdout: "test 0\n" });
    expect(first.stderr).toContain(
      "missing: node_modules as in package-lock.json; Node 22.23.3 for cdktf-cli",
    );
    expect(second).toEqual({ code: 0, stdout: "test 0\n", stderr: "" });
    expect(await npmCalls()).toBe(installOnce.repeat(2));
    await access(node22());
  });

  test("of the quickstart does without it", async () => {
    expect(await launch(["quickstart", "0"])).toMatchObject({ code: 0, stdout: "quickstart 0\n" });
    expect(await npmCalls()).toBe(installOnce);
    await expect(access(node22())).rejects.toThrow("ENOENT");
  });

  test.each([
    ["quickstart", "quickstart\n"],
    ["bench", "test\n"],
    ["test", "test\n"],
    ["setup", "test\n"],
  ])("of %s is for %j", async (verb, purpose) => {
    await launch([verb]);
    expect(await setUpFor()).toBe(purpose);
  });
});

test("passes the exit code on", async () => {
  expect(await launch(["run", "7"])).toMatchObject({ code: 7 });
});

test.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)("passes %s on and ends as the program did", async (signal, code) => {
  expect(await launch(["run", "wait"], { signal })).toMatchObject({ code });
});

test("an unknown verb is answered with the usage", async () => {
  const outcome = await launch(["destroy"]);
  expect(outcome.code).toBe(2);
  expect(outcome.stderr).toContain("usage: node lab/setup/launch.mjs quickstart|test|");
});

describe("where it cannot or may not install, it prints the commands and changes nothing", () => {
  const packages = "apt-get install -y --no-install-recommends libvirt-daemon-system ";

  test("without apt", async () => {
    const outcome = await launch(["quickstart", "--destroy"], { path: checkout });
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toContain("no apt-get");
    expect(outcome.stderr).toContain(packages);
    expect(outcome.stderr).toContain("  npm run quickstart -- --destroy\n");
    await expect(access(cache)).rejects.toThrow("ENOENT");
  });

  test.runIf(process.getuid?.() === 0)("not as root", async () => {
    const node = join(checkout, "node"); // the one that runs this test may lie in root's home
    await copyFile(process.execPath, node);
    await chmod(checkout, 0o777);
    const outcome = await launch(["test"], { node, uid: nobody });
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toContain("must run as root");
    expect(outcome.stderr).toContain(`  sudo ${packages}`);
    expect(outcome.stderr).toContain("  sudo npm test\n");
    await expect(access(cache)).rejects.toThrow("ENOENT");
  });
});
