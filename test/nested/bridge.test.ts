import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { inventorySchema } from "../../lab/inventory.ts";
import { labFiles, labFolder } from "../../lab/folders.ts";
import { ensureImage } from "../../lab/nested/image/image.ts";
import { expectProcess, runProcess } from "../../lab/process.ts";
import type { ProcessResult } from "../../lab/process.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

/**
 * A host on bridges that were there before it, in a network namespace of the test's own. The command line runs in there, with
 * an /etc of its own on top of the machine's, in which QEMU's helper may use the bridges or may not.
 */
const name = "bridged";
const space = `stackyard-bridges-${String(process.pid)}`;
const patience = { timeout: 60_000, interval: 1_000 };
const topology = {
  name,
  driver: "nested",
  hosts: [{ name: "h1", vcpus: 1, ramMib: 1024 }],
  networks: {
    management: { cidr: "10.99.7.0/24", bridge: "brm" },
    data: { cidr: "10.99.8.0/24", bridge: "brd", mtuBytes: 1500 },
  },
};

let labs: LabFolder;
let topologyFile: string;

const ip = (...words: readonly string[]) => expectProcess("making the test's networks", "ip", words);

beforeAll(async () => {
  labs = openLabFolder("bridge-test");
  topologyFile = join(labs.path, "lab.yaml");
  writeFileSync(topologyFile, JSON.stringify(topology));
  mkdirSync(join(labs.path, "etc"));
  await ensureImage({ distribution: "debian-12", roles: ["compute"] }, {}); // Nothing leads out of the namespace.
  await ip("netns", "add", space);
  for (const [bridge, address] of [
    ["brm", "10.99.7.1/24"],
    ["brd", "10.99.8.1/24"],
  ] as const) {
    await ip("-n", space, "link", "add", "name", bridge, "type", "bridge");
    await ip("-n", space, "address", "add", address, "dev", bridge);
    await ip("-n", space, "link", "set", "dev", bridge, "up");
  }
});

afterAll(async () => {
  await labs.close();
  await ip("netns", "delete", space);
});

/** `script FOLDER RULES COMMAND…`: the mounts are seen by the command and what it starts, and go with them. */
const withRules = `mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
mkdir -p /etc/qemu
printf '%s\\n' "$2" > /etc/qemu/bridge.conf
shift 2
exec "$@"`;

/** `stackyard lab …` where the bridges are. */
function lab(words: readonly string[], rules = "allow brm\nallow brd"): Promise<ProcessResult> {
  const program = [process.execPath, resolve("providers/main.ts"), "lab", ...words];
  const inside = ["sh", "-eu", "-c", withRules, "sh", join(labs.path, "etc"), rules, ...program];
  return runProcess("ip", ["netns", "exec", space, ...inside], { timeoutMs: 900_000 });
}

async function onHost(command: string): Promise<string> {
  return (await lab(["exec", "h1", "--name", name, "--", "sh", "-c", command])).stdout;
}

async function listPorts(bridge: string): Promise<readonly string[]> {
  const links = await ip("-json", "-n", space, "link", "show", "master", bridge);
  return z
    .array(z.object({ ifname: z.string() }))
    .parse(JSON.parse(links))
    .map(({ ifname }) => ifname);
}

test("is refused before anything is written where QEMU may not use the bridge", async () => {
  const checked = await lab(["check", "--topology", topologyFile], "allow brm");
  expect(checked.exitCode).toBe(1);
  expect(checked.stdout).toMatch(/missing +bridges: .* does not allow QEMU to use bridge brd/);
  const refused = await lab(["up", "--topology", topologyFile], "allow brm");
  expect(refused.exitCode).not.toBe(0);
  expect(refused.stderr).toContain('Add the line "allow brd"');
  expect(existsSync(labFolder(name))).toBe(false);
});

test("comes up as ports of the bridges, and is reached at its own address", async () => {
  const up = await lab(["up", "--topology", topologyFile, "--json"]);
  expect(up.stderr).not.toContain("remedy");
  expect(JSON.parse(up.stdout)).toMatchObject({
    state: "up",
    networks: { management: { bridge: "brm", gateway: "10.99.7.1" }, data: { bridge: "brd" } },
    hosts: [{ name: "h1", state: "up", address: "10.99.7.11", port: 22, tunnelAddress: "10.99.8.11/24" }],
  });
  const { hosts } = inventorySchema.parse(
    JSON.parse(readFileSync(labFiles(labFolder(name)).inventory, "utf8")),
  );
  expect(hosts).toMatchObject([{ address: "10.99.7.11", port: 22 }]);
  expect(await onHost("ip route show default; cat /etc/resolv.conf")).toMatch(
    /^default via 10\.99\.7\.1 dev eth0 .*\nnameserver 10\.99\.7\.1\n$/,
  );
  expect([(await listPorts("brm")).length, (await listPorts("brd")).length]).toEqual([1, 1]);
});

test("has cables that are cut and mended, and are never slow", async () => {
  const reaches = () => onHost("ping -n -q -c 1 -W 2 10.99.8.1 > /dev/null && echo there");
  expect(await reaches()).toBe("there\n");
  await lab(["net", "h1", "cut", "--name", name]);
  expect(await onHost("cat /sys/class/net/eth1/carrier")).toBe("0\n");
  expect(await reaches()).toBe("");
  await lab(["net", "h1", "mend", "--name", name]);
  await expect.poll(reaches, patience).toBe("there\n");
  const spoiled = await lab(["net", "h1", "spoil", "--delay", "5", "--name", name]);
  expect(spoiled.stderr).toContain("is bridge brd, past the lab's switch");
});

test("is not copied: its addresses are on the bridge", async () => {
  expect((await lab(["clone", "second", "--name", name])).stderr).toContain("[conflict]");
  const file = join(labs.path, "lab.tar.zst");
  expect((await lab(["export", file, "--name", name])).stderr).toContain("[conflict]");
  expect([existsSync(file), existsSync(labFolder("second"))]).toEqual([false, false]);
  const other = join(labs.path, "other.yaml");
  writeFileSync(other, JSON.stringify({ ...topology, name: "other" }));
  expect((await lab(["up", "--topology", other])).stderr).toContain("belongs to lab bridged");
});

test("leaves the bridges as they were", async () => {
  expect((await lab(["down", "--name", name])).exitCode).toBe(0);
  expect([await listPorts("brm"), await listPorts("brd")]).toEqual([[], []]);
});
