import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { registerLabCommands } from "../../../lab/commands.ts";
import { machineFiles } from "../../../lab/nested/files.ts";
import type { NestedHost, NestedPlan } from "../../../lab/nested/plan.ts";
import { writeState } from "../../../lab/state.ts";
import { parseTopology } from "../../../lab/topology.ts";
import { findPackageRoot } from "../../../providers/core/package-root.ts";
import { definitions } from "../../../providers/registry.ts";
import { FakeCloud } from "../../fakes/cloud.ts";
import { runStackyard, type CommandResult } from "../../support/command-line.ts";
import { planBelow } from "../../support/nested-plan.ts";

const extensions = [{ name: "lab", summary: "labs", register: registerLabCommands }];

let home: string;
let said: string;
let told: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "stackyard-lab-commands-"));
  vi.stubEnv("XDG_CACHE_HOME", join(home, "cache"));
  vi.stubEnv("XDG_STATE_HOME", home);
  vi.stubEnv("XDG_RUNTIME_DIR", home);
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    told += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  rmSync(home, { recursive: true });
});

function exitCodeLeft(): number {
  return Number(process.exitCode ?? 0);
}

/** Runs `stackyard lab …`. */
async function lab(...words: readonly string[]): Promise<CommandResult> {
  said = told = "";
  process.exitCode = undefined;
  const result = await runStackyard(new FakeCloud({ definitions }), ["lab", ...words], { extensions });
  return {
    ...result,
    exitCode: result.exitCode === 0 ? exitCodeLeft() : result.exitCode,
    stdout: `${said}${result.stdout}`,
    stderr: `${told}${result.stderr}`,
  };
}

/** Puts a lab of two virtual machines on record, as one is that is off. */
async function record(name = "trial"): Promise<NestedPlan> {
  const input = { name, virtualization: "tcg" };
  const plan = planBelow(join(home, "stackyard"), input);
  const topology = z
    .json()
    .parse(JSON.parse(JSON.stringify(parseTopology({ driver: "nested", hosts: 2, ...input }))));
  mkdirSync(plan.folder, { recursive: true });
  await writeState({ version: 1, topology, madeFolders: [], driver: "nested", plan });
  return plan;
}

/** Ends when its power button is pressed. */
const machine = `
  require("node:net").createServer((socket) => {
    socket.write('{"QMP":{}}\\n');
    socket.on("data", (line) => {
      socket.write('{"return":{}}\\n');
      if (String(line).includes("system_powerdown")) setTimeout(() => process.exit(), 100);
    });
  }).listen(process.argv.at(-1));`;

/** Starts what stands for the host's QEMU. */
async function startMachine(plan: NestedPlan, host: NestedHost): Promise<void> {
  const { monitor } = machineFiles(plan, host);
  mkdirSync(plan.runFolder, { recursive: true });
  const child = spawn(process.execPath, ["-e", machine, "--", "-uuid", host.uuid, monitor], {
    argv0: "qemu-system-x86_64",
    stdio: "ignore",
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await expect.poll(() => existsSync(monitor), { timeout: 20_000 }).toBe(true);
}

test("check by a name judges what the lab on record needs, and --driver another one", async () => {
  await record();
  const { stdout } = await lab("check", "--name", "trial");
  expect(stdout).toContain("memory: the lab is on record");
  expect((await lab("check", "--name", "trial", "--driver", "namespace")).stdout).not.toContain("memory");
});

test("exec and ssh say that the host is off, with the exit code of a host that is not reached", async () => {
  await record();
  const error = {
    code: "host-unreachable",
    field: "host",
    value: "h2",
    remedy: "Switch it on: stackyard lab power h2 on --name trial",
  };
  const asJson = await lab("exec", "h2", "--name", "trial", "--json", "--", "true");
  expect(asJson.exitCode).toBe(4);
  expect(JSON.parse(asJson.stdout)).toMatchObject({ error });
  const shell = await lab("ssh", "h2", "--name", "trial");
  expect(shell.exitCode).toBe(4);
  expect(shell.stderr).toContain('host h2 of lab "trial" cannot be reached: it is off');
});

test("net keeps of delay and loss what it is not told, and prints how the cable is then", async () => {
  await record();
  const net = (...words: readonly string[]) => lab("net", "h2", "--name", "trial", ...words);
  expect((await net("spoil", "--delay", "50")).stdout).toBe("h2 data: 50 ms more for each frame\n");
  const { stdout } = await net("spoil", "--loss", "1");
  expect(stdout).toBe("h2 data: 50 ms more for each frame, 1 of 100 frames are lost\n");
  expect(JSON.parse((await net("cut", "--json")).stdout)).toMatchObject({
    name: "trial",
    cable: { host: "h2", network: "data", cut: true, delayMs: 50, lossPercent: 1 },
  });
  expect((await net("mend")).stdout).toBe("h2 data: good\n");
});

test.each([
  [["spoil"], "action", "spoil"],
  [["cut", "--loss", "0"], "--loss", 0],
  [["mend", "--delay", "5"], "--delay", 5],
])("net refuses %j, and changes nothing", async (words, field, value) => {
  await record();
  const { exitCode, stdout } = await lab("net", "h2", "--name", "trial", "--json", ...words);
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: "invalid-input", field, value, remedy: expect.stringContaining("spoil --") as unknown },
  });
});

test("a lab that is not there names those that are, or says how to make it", async () => {
  const status = async (): Promise<unknown> => JSON.parse((await lab("status", "--json")).stdout);
  const error = { code: "not-found", field: "lab", value: "lab" };
  expect(await status()).toMatchObject({
    error: { ...error, remedy: "Bring it up: stackyard lab up --name lab" },
  });
  expect((await lab("down")).stdout).toBe("there is no lab lab: nothing to do\n");
  await record("ci");
  await record("trial");
  expect(await status()).toMatchObject({
    error: { ...error, remedy: "Labs here: ci, trial. Name one: --name ci" },
  });
  expect((await lab("down")).stdout).toBe("there is no lab lab: nothing to do; labs here: ci, trial\n");
});

test("a snapshot that is not there is none to remove, and those that are there are named", async () => {
  await record();
  const error = { code: "not-found", field: "snapshot", value: "nope" };
  const words = ["nope", "--name", "trial", "--json"];
  const none = JSON.parse((await lab("snapshot", ...words, "--remove")).stdout) as unknown;
  expect(none).toMatchObject({ error: { ...error, remedy: "It has none at all." } });
  const folder = join(home, "stackyard", "labs", "trial", "snapshots", "ready");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "snapshot.json"), "{}");
  const other = JSON.parse((await lab("snapshot", ...words, "--remove")).stdout) as unknown;
  expect(other).toMatchObject({ error: { ...error, remedy: "Its snapshots: ready." } });
});

test("power off says what it waits for", async () => {
  const plan = await record();
  await startMachine(plan, plan.hosts[1] ?? expect.fail());
  const { exitCode, stderr } = await lab("power", "h2", "off", "--name", "trial");
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain("h2: its power button is pressed; waiting until it is off, 120 s at most");
});

test.each([
  [["status", "--name", "../x"], "../x"],
  [["up", "--name", "Bad Name"], "Bad Name"],
  [["clone", "Bad Name", "--name", "trial"], "Bad Name"],
  [["import", "lab.tar.zst", "--name", "-"], "-"],
])("%j names no lab, and says so", async (words, value) => {
  await record();
  const { exitCode, stdout } = await lab(...words, "--json");
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: "invalid-input", message: "this is not the name of a lab", field: "name", value },
  });
});

test.each([
  [["frobnicate", "--help"], "unknown command 'frobnicate'"],
  [["image", "frobnicate", "--help"], "unknown command 'frobnicate'"],
  [["frobnicate"], "unknown command 'frobnicate'"],
  [["exec", "h1", "virsh", "list", "--all"], "come after --: stackyard lab exec h1 -- ls -l"],
])("%j is no command line, and the way out is told", async (words, message) => {
  const { exitCode, stdout, stderr } = await lab(...words);
  expect([exitCode, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(message);
});

test.each([[[]], [["image"]], [["ceph", "status"]], [["matrix"]]])(
  "help of lab %j is that of the command",
  async (words) => {
    const { exitCode, stdout } = await lab(...words, "--help");
    expect(exitCode).toBe(0);
    expect(stdout).toContain(["Usage: stackyard lab", ...words].join(" "));
    expect(stdout).not.toContain("default: []");
  },
);

test("image export takes the roles that it names where a topology has several images", async () => {
  const topology = join(findPackageRoot(), "lab", "topologies", "three-hosts-ceph.yaml");
  const words = ["image", "export", "--topology", topology, "--out", join(home, "host.qcow2"), "--json"];
  expect(JSON.parse((await lab(...words)).stdout)).toMatchObject({
    error: {
      field: "role",
      value: topology,
      remedy: "Name the roles of one with --role: compute ceph-client; ceph.",
    },
  });
  // What is refused then is no role.
  const named = await lab(...words, "--role", "compute", "ceph-client", "--mirror", "ftp://mirror");
  expect(JSON.parse(named.stdout)).toMatchObject({ error: { field: "mirror" } });
});
