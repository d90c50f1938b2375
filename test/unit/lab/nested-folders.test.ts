import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { labFiles } from "../../../lab/folders.ts";
import { machineFiles } from "../../../lab/nested/files.ts";
import { writeKnownHosts } from "../../../lab/nested/known-hosts.ts";
import { ensureRunFolder, requireRuntimeFolder } from "../../../lab/nested/run-folder.ts";
import { planBelow } from "../../support/nested-plan.ts";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "stackyard-run-"));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

describe("the folder of a lab's sockets", () => {
  test("is its user's alone", async () => {
    const folder = join(home, "stackyard", "lab");
    await ensureRunFolder(folder, "h1.qmp");
    for (const each of [folder, dirname(folder)]) expect(statSync(each).mode & 0o777).toBe(0o700);
    await ensureRunFolder(folder, "h1.qmp");
  });

  test("is refused where others may write to it, or to the one that it is in", async () => {
    const parent = join(home, "stackyard");
    mkdirSync(parent);
    chmodSync(parent, 0o777);
    await expect(ensureRunFolder(join(parent, "lab"), "h1.qmp")).rejects.toMatchObject({
      code: "forbidden",
      value: parent,
    });
    vi.stubEnv("XDG_RUNTIME_DIR", home);
    expect(() => requireRuntimeFolder()).toThrow(
      expect.objectContaining({ code: "forbidden", value: parent }),
    );
    chmodSync(parent, 0o700);
    expect(requireRuntimeFolder()).toBe(parent);
  });

  test("takes paths of sockets of 107 bytes, and is not made for longer ones", async () => {
    const folder = join(home, "lab");
    const rest = 107 - Buffer.byteLength(folder) - 1;
    await expect(ensureRunFolder(folder, "x".repeat(rest + 1))).rejects.toMatchObject({
      code: "invalid-input",
    });
    expect(existsSync(folder)).toBe(false);
    await ensureRunFolder(folder, "x".repeat(rest));
  });
});

describe("the keys that hosts are known by", () => {
  const bridged = { networks: { management: { cidr: "10.77.0.0/24", bridge: "br0" } } };

  test.each([
    ["their port", {}, "[127.0.0.1]:2201 ssh-ed25519 h1\n[127.0.0.1]:2202 ssh-ed25519 h2\n"],
    ["their address on a bridge", bridged, "10.77.0.11 ssh-ed25519 h1\n10.77.0.12 ssh-ed25519 h2\n"],
  ])("are those of %s, without their comments", async (_, input, known) => {
    const plan = planBelow(home, input);
    for (const host of plan.hosts) {
      const { folder, hostKey } = machineFiles(plan, host);
      mkdirSync(folder, { recursive: true });
      writeFileSync(`${hostKey}.pub`, `ssh-ed25519 ${host.name} a comment\n`);
    }
    await writeKnownHosts(plan);
    expect(readFileSync(labFiles(plan.folder).knownHosts, "utf8")).toBe(known);
  });
});
