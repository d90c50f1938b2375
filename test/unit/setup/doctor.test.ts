import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { Command } from "commander";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { registerDoctorCommand } from "../../../lab/setup/doctor.ts";

let folder: string;
let printed: string;

/** Puts a program there that answers as its version. */
async function place(file: string, version: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\necho v${version}\n`, { mode: 0o755 });
}

/** A machine without any program and with an empty cache. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stackyard-test-"));
  printed = "";
  vi.stubEnv("PATH", folder);
  vi.stubEnv("XDG_CACHE_HOME", folder);
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function runDoctor(...args: readonly string[]): Promise<void> {
  const program = new Command();
  registerDoctorCommand(program);
  await program.parseAsync(["doctor", ...args], { from: "user" });
}

test("says what is missing, each with a remedy, and ends with 1", async () => {
  await runDoctor();
  expect(printed).toMatch(/^present {2}Node.js .*\n/);
  expect(printed).toMatch(/^missing {2}Debian packages .*; remedy: .*apt-get install .* libvirt-clients /m);
  expect(printed).toMatch(/^missing {2}Pulumi CLI .*: no pulumi on PATH; remedy: /m);
  expect(printed).toMatch(/^missing {2}OpenTofu CLI \(test\): no tofu on PATH; remedy: /m);
  expect(printed).toMatch(/^missing {2}Node.js 22 \(test\): .*; remedy: /m);
  expect(process.exitCode).toBe(1);
});

test("--for stack leaves out what only the lab and the tests need; --json is the same list as data", async () => {
  await runDoctor("--for", "stack", "--json");
  expect(JSON.parse(printed)).toEqual([
    { name: "Node.js", neededFor: ["stack"], state: "present", found: process.versions.node },
    {
      name: "engine CLI",
      neededFor: ["stack"],
      state: "missing",
      found: "no pulumi on PATH, no terraform on PATH, no tofu on PATH",
      remedy: expect.stringMatching(/^Install one: Pulumi .*, Terraform 1.11.0 .*, OpenTofu /) as string,
    },
  ]);
});

test("a stack needs the CLI of one engine only", async () => {
  await place(join(folder, "terraform"), "1.11.4");
  await runDoctor("--for", "stack");
  expect(printed).toContain(`present  engine CLI (stack): Terraform 1.11.4 in ${folder}\n`);
  expect(process.exitCode).toBeUndefined();
});

test("Node 22 for cdktf-cli is the one that the launcher has put into the cache", async () => {
  const bin = join(folder, "stackyard", "node", "22.23.3", "bin");
  await place(join(bin, "node"), "22.23.3");
  await runDoctor("--for", "test");
  expect(printed).toContain(`present  Node.js 22 (test): ${bin}\n`);
});
