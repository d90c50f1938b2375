import { spawnSync } from "node:child_process";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const script = join(import.meta.dirname, "..", "..", "lab", "setup", "apt-install.sh");
const theirs = "#!/bin/sh\nexit 0\n";

let folder: string;
let policy: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stackyard-apt-"));
  policy = join(folder, "policy-rc.d");
  await writeProgram("dpkg", "");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function writeProgram(name: string, body: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

/** An apt-get that notes its last argument and what the policy answers; `failures` of its installs fail first. */
async function writeApt(failures = 0): Promise<void> {
  await writeProgram(
    "apt-get",
    `for last; do :; done
     ${policy}; echo "$1 $last policy=$?" >> ${folder}/calls
     [ "$1" = update ] || [ "$(grep -c ^install ${folder}/calls)" -gt ${failures} ]`,
  );
}

function install(): number | null {
  return spawnSync("sh", [script, policy, "cpio", "mtools"], {
    env: { PATH: `${folder}:/usr/bin:/bin` },
    stdio: "ignore",
  }).status;
}

const installCalls = async () =>
  (await readFile(join(folder, "calls"), "utf8")).split("\n").filter((line) => line.startsWith("install"));

test("no service may start while packages are installed, and nothing is left", async () => {
  await writeApt();
  expect(install()).toBe(0);
  expect(await installCalls()).toEqual(["install mtools policy=101"]);
  await expect(access(policy)).rejects.toThrow("ENOENT");
});

test("the policy that was there comes back", async () => {
  await writeApt();
  await writeFile(policy, theirs, { mode: 0o755 });
  expect(install()).toBe(0);
  expect(await installCalls()).toEqual(["install mtools policy=101"]);
  expect(await readFile(policy, "utf8")).toBe(theirs);
});

test("it comes back after a failure too, and after lists were fetched anew once", async () => {
  await writeApt(2);
  await writeFile(policy, theirs, { mode: 0o755 });
  expect(install()).not.toBe(0);
  expect(await installCalls()).toHaveLength(2);
  expect(await readFile(policy, "utf8")).toBe(theirs);
});

test("stale package lists are fetched anew and the install is tried again", async () => {
  await writeApt(1);
  expect(install()).toBe(0);
  expect(await readFile(join(folder, "calls"), "utf8")).toMatch(/install .*\nupdate .*\ninstall .*\n$/);
});

test("what a killed run left is put right", async () => {
  await writeProgram("apt-get", "kill -9 $PPID");
  await writeFile(policy, theirs, { mode: 0o755 });
  install();
  await writeApt();
  expect(install()).toBe(0);
  expect(await readFile(policy, "utf8")).toBe(theirs);
});
