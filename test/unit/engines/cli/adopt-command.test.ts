import { afterEach, beforeEach, expect, it } from "vitest";
import { addressOfHost, makeSmallWorld, TestCloud } from "../../../support/cloud.ts";
import { runStackyard, type CommandResult } from "../../../support/command-line.ts";
import { foreignDomain, foreignRaw } from "../../../support/foreign-domain.ts";

const words = ["server", "adopt", "h1", "legacy", "--name", "web", "--flavor", "tiny", "--image", "cirros"];

let test1: TestCloud;

beforeEach(async () => {
  test1 = await TestCloud.open();
  await makeSmallWorld(test1);
  test1.compute.defineForeign(addressOfHost(1), foreignDomain, "data");
});

afterEach(async () => {
  await test1[Symbol.asyncDispose]();
});

async function run(...more: readonly string[]): Promise<CommandResult> {
  return runStackyard(await test1.open(), [...words, ...more]);
}

it("without --adopt says what it found and what would change, and writes nothing", async () => {
  const before = test1.compute.dump();
  const { exitCode, stdout, stderr } = await run("--networks", "network=net");
  expect(exitCode).toBe(0);
  expect(stdout).toContain(`domain legacy (${foreignDomain.id}) on host h1\n`);
  expect(stdout).toMatch(/^state +shut-off$/m);
  expect(stdout).toMatch(/^disk vda +\/srv\/legacy\.qcow2, qcow2, 1 GiB \(1 MiB in the file\)$/m);
  expect(stdout).toMatch(/^interface 0 +52:54:00:aa:bb:cc on bridge br0$/m);
  expect(stdout).toMatch(/^vcpus +2 +1$/m);
  expect(stdout).toContain("its disk would be moved from /srv/legacy.qcow2 to ");
  expect(stderr).toMatch(/nothing was written; run again with --adopt to adopt it\n$/);
  expect(test1.compute.dump()).toBe(before);
  expect(await test1.cloud.list("server")).toEqual([]);
});

it("without --adopt prints the same as JSON", async () => {
  const { stdout } = await run("--json");
  expect(JSON.parse(stdout)).toMatchObject({
    adopted: false,
    host: "h1",
    domain: { name: "legacy", state: "shut-off" },
    disk: { from: "/srv/legacy.qcow2", transfer: "move", sizeBytes: 1_073_741_824 },
    changes: expect.arrayContaining([{ field: "vcpus", found: "2", declared: "1" }]) as unknown,
    inputs: { name: "web" },
    placement: { host: "h1", isKept: true },
    domains: [{ host: "h1", name: "web", diff: expect.stringContaining(foreignDomain.id) as unknown }],
    commands: expect.arrayContaining([
      expect.objectContaining({ host: "h1", step: "block-devices", purpose: "domains.takeOver" }),
    ]) as unknown,
    incomplete: null,
  });
});

it("with --adopt makes a server of it", async () => {
  const { exitCode, stdout } = await run("--adopt", "--json");
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    id: foreignDomain.id,
    status: "active",
    outputs: { status: "ACTIVE", host: "h1", adoptedFrom: { domain: "legacy" } },
  });
});

it("says where the original is when the disk was copied", async () => {
  test1.compute.defineForeign(addressOfHost(1), foreignRaw, "data");
  const { stderr } = await run("--adopt");
  expect(stderr).toContain("its disk was copied; the original is still /srv/legacy.img");
});

it("refuses what cannot be adopted, with what to do", async () => {
  test1.compute.defineForeign(addressOfHost(1), { ...foreignDomain, state: "running" }, "data");
  const { exitCode, stderr } = await run();
  expect(exitCode).toBe(1);
  expect(stderr).toContain("it is running");
  expect(stderr).toContain(`virsh shutdown ${foreignDomain.id}`);
});

it("wants a name for the server", async () => {
  const { exitCode, stderr } = await runStackyard(test1.cloud, words.slice(0, 4));
  expect(exitCode).toBe(1);
  expect(stderr).toContain("cannot adopt the domain as a server: it needs a name");
});
