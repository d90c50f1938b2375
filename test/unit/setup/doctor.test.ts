import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { Command } from "commander";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { registerDoctorCommand } from "../../../lab/setup/doctor.ts";

let folder: string;
let printed: string;

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
  expect(process.exitCode).toBe(1);
});

test("--stack leaves out what only the lab needs; --json is the same list as data", async () => {
  await runDoctor("--stack", "--json");
  expect(JSON.parse(printed)).toMatchObject([
    { name: "Node.js", state: "present" },
    { name: "Pulumi CLI", state: "missing", found: "no pulumi on PATH" },
  ]);
});
