import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { checkLab } from "../../../lab/check.ts";
import type { LabFinding } from "../../../lab/check.ts";
import { labFolder } from "../../../lab/folders.ts";
import { findMissingPrograms } from "../../../lab/installed-programs.ts";
import { parseTopology } from "../../../lab/topology.ts";
import { writeState } from "../../../lab/state.ts";
import { planBelow } from "../../support/nested-plan.ts";

vi.mock(import("../../../lab/installed-programs.ts"), async (importOriginal) => ({
  ...(await importOriginal()),
  findMissingPrograms: vi.fn(() => []),
}));

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "stackyard-check-"));
  vi.stubEnv("XDG_CACHE_HOME", join(home, "cache"));
  vi.stubEnv("XDG_STATE_HOME", join(home, "state"));
  vi.stubEnv("XDG_RUNTIME_DIR", home);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

async function check(change: object = {}): Promise<ReadonlyMap<string, LabFinding>> {
  const least = { name: "trial", driver: "nested", virtualization: "tcg" };
  const hosts = [{ name: "h1", ramMib: 768 }];
  const findings = await checkLab(parseTopology({ ...least, hosts, ...change }));
  return new Map(findings.map((finding) => [finding.name, finding]));
}

test("what a lab of virtual machines needs is looked for, and emulation is said to be slow", async () => {
  const findings = await check();
  expect(Object.fromEntries([...findings].map(([name, { state }]) => [name, state]))).toEqual({
    ...{ platform: "present", programs: "present", virtualization: "slow", memory: "present" },
    ...{ disk: "present", sockets: "present", ports: "present", images: "present" },
  });
  expect(findings.get("virtualization")?.remedy).toContain("enable it on this machine");
  expect(findings.get("images")?.found).toContain("built when the lab comes up");
  expect(findings.get("memory")?.found).toMatch(/^968 MiB of \d+ MiB$/);
  expect(findings.get("memory")?.remedy).toBeNull();
});

test("all that is missing is told at once, each with its way out", async () => {
  vi.mocked(findMissingPrograms).mockReturnValueOnce(["qemu-img"]);
  mkdirSync(join(home, "stackyard"));
  chmodSync(join(home, "stackyard"), 0o777);
  const findings = await check({ hosts: [{ name: "h1", ramMib: 1_048_576 }], diskFolder: "/proc/none" });
  const missing = [...findings.values()].filter(({ state }) => state === "missing");
  expect(missing.map(({ name }) => name)).toEqual(["programs", "memory", "disk", "sockets"]);
  expect(missing.map(({ remedy }) => remedy)).not.toContain(null);
  expect(findings.get("programs")?.found).toBe("without qemu-img");
  expect(findings.get("memory")?.found).toContain("need 1048776 MiB");
});

test("a lab on record has its memory, and ports that somebody else has are named", async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  onTestFinished(() => void listener.close());
  const address = listener.address();
  const sshPort = address === null || typeof address === "string" ? expect.fail() : address.port;
  const planned = planBelow(home);
  const plan = {
    ...planned,
    folder: labFolder("trial"),
    hosts: planned.hosts.map((host) => ({ ...host, sshPort })),
  };
  mkdirSync(plan.folder, { recursive: true });
  await writeState({ version: 1, topology: {}, madeFolders: [], driver: "nested", plan });
  const findings = await check({ hosts: [{ name: "h1", ramMib: 1_048_576 }] });
  expect(findings.get("memory")).toMatchObject({ state: "present", found: "the lab is on record" });
  expect(findings.get("ports")).toMatchObject({
    state: "missing",
    found: expect.stringContaining(`127.0.0.1:${String(sshPort)}`) as unknown,
  });
});

test("what a lab of namespaces needs is fewer, and a fault of ours is none of the machine's", async () => {
  const findings = await check({ driver: "namespace" });
  expect([...findings.keys()]).toEqual(["root", "programs"]);
  vi.mocked(findMissingPrograms).mockImplementationOnce(() => {
    throw new TypeError("a fault of ours");
  });
  await expect(check()).rejects.toThrow("a fault of ours");
});
