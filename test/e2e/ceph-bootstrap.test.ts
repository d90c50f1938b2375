import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { buildGuest } from "../../lab/guest/build.ts";
import { readInventory } from "../../lab/inventory.ts";
import { bringUp } from "../../lab/lab.ts";
import { expectProcess, runProcess, type ProcessResult } from "../../lab/process.ts";
import { parseTopology } from "../../lab/topology.ts";
import { readConfig } from "../../providers/config/config.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make } from "../support/cloud.ts";
import { openGuestShell } from "../support/guest-shell.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";
import { lookAtHosts, type LabHosts } from "../support/lab-hosts.ts";

const labName = "boot-ceph";
let labs: LabFolder;
let hosts: LabHosts;
let out: string;
let addresses: readonly string[];
let before: string;

/** What a stack takes of a cluster. */
const clusterSchema = z.object({
  fsid: z.string(),
  monitors: z.array(z.string()),
  user: z.string(),
  keyringFile: z.string(),
});

/** All of Ceph's on the hosts, and all that runs there. */
async function survey(): Promise<string> {
  const look =
    "find /etc/ceph /var/lib/ceph /var/log/ceph /run/ceph /etc/systemd/system 2> /dev/null | sort; ps -eo comm= | grep -vxE 'sh|ps|grep|sort' | sort";
  return (await Promise.all(["h1", "h2"].map((host) => hosts.onHost(host, look)))).join("--\n");
}

beforeAll(async () => {
  labs = openLabFolder("ceph-bootstrap");
  await bringUp(parseTopology({ name: labName, hosts: ["h1", "h2"], diskFolder: join(labs.path, "disks") }));
  hosts = lookAtHosts(labName, ["h1", "h2"]);
  out = join(labs.path, "out");
  addresses = readInventory(labName).hosts.map(({ address }) => address);
  before = await survey();
});

afterAll(() => labs.close());

/** `stackyard ceph bootstrap` on both hosts, or on those named, as a user runs it whose input has ended. */
function bootstrap(
  words: readonly string[],
  on: readonly string[] = addresses,
  name = "small",
): Promise<ProcessResult> {
  const [host] = readInventory(labName).hosts;
  return runProcess(
    process.execPath,
    [
      ...["providers/main.ts", "ceph", "bootstrap", ...on, "--name", name, "--osd-size-gib", "2"],
      ...["--identity", host?.identityFile ?? "", "--known-hosts", host?.knownHostsFile ?? "", "--out", out],
      ...words,
    ],
    { cwd: process.cwd(), timeoutMs: 240_000 },
  );
}

function parse({ stdout }: Pick<ProcessResult, "stdout">): Record<string, Record<string, unknown>> {
  return JSON.parse(stdout) as Record<string, Record<string, unknown>>;
}

const administer = (tool: "ceph" | "rbd" | "rados", ...words: readonly string[]): Promise<string> =>
  expectProcess(`${tool} ${words.join(" ")}`, tool, ["--conf", join(out, "ceph.conf"), ...words]);

test("a plan, and a question that nobody answers, write nothing", async () => {
  const plan = parse(await bootstrap(["--json"]));
  expect(plan["plan"]).toMatchObject({
    name: "small",
    size: 2,
    hosts: [
      { clusterAddress: addresses[0], monitor: "a", manager: "a", osd: 0, device: null, begun: false },
      { clusterAddress: addresses[1], monitor: null, manager: null, osd: 1, device: null, begun: false },
    ],
  });
  expect((await bootstrap([])).stderr).toMatch(/labs and evaluation[^]*nothing was done/);
  expect(await survey()).toBe(before);
  expect(existsSync(out)).toBe(false);
});

test("a host with a Ceph of others is refused before anything is written", async () => {
  await hosts.onHost("h2", "echo 'fsid = 5f0f5e3a-0000-4000-8000-000000000001' > /etc/ceph/ceph.conf");
  const { exitCode, stdout } = await bootstrap(["--yes", "--json"]);
  expect(exitCode).not.toBe(0);
  expect(parse({ stdout })["error"]).toMatchObject({
    code: "not-ours",
    message: expect.stringContaining("5f0f5e3a-0000-4000-8000-000000000001") as unknown,
  });
  const removed = parse(await bootstrap(["--remove", "--yes", "--json"]));
  expect(removed["removal"]).toMatchObject({ fsid: null, hosts: [] });
  await hosts.onHost("h2", "rm /etc/ceph/ceph.conf");
  expect(await survey()).toBe(before);
});

test("programs and disk that are missing are named in one error, with the way out", async () => {
  await hosts.onHost("h1", "mv /usr/bin/ceph-mgr /usr/bin/ceph-mgr.away");
  const small = await bootstrap(["--osd-size-gib", "900000"]);
  await hosts.onHost("h1", "mv /usr/bin/ceph-mgr.away /usr/bin/ceph-mgr");
  expect(small.stderr).toMatch(/lacks ceph-mgr/);
  expect(small.stderr).toMatch(/apt-get install -y --no-install-recommends ceph-mgr/);
  expect(small.stderr).toMatch(/GiB free for \/var\/lib\/ceph; 900001 GiB are needed/);
  expect(await survey()).toBe(before);
});

test("what broke off half-way is finished by the next run, under the same fsid", async () => {
  await hosts.onHost(
    "h2",
    "cp -p /usr/bin/ceph-osd /run/kept; printf '#!/bin/sh\\necho broken >&2; exit 1\\n' > /usr/bin/ceph-osd",
  );
  const broken = await bootstrap(["--yes"]);
  await hosts.onHost("h2", "mv /run/kept /usr/bin/ceph-osd");
  expect(broken.exitCode).not.toBe(0);
  expect(broken.stderr).toContain("broken");
  const { plan } = parse(await bootstrap(["--json"]));
  const made = parse(await bootstrap(["--yes", "--json"]));
  expect(made["cluster"]).toMatchObject({
    fsid: plan?.["fsid"],
    monitors: [addresses[0]],
    user: "admin",
    keyringFile: join(out, "ceph.client.admin.keyring"),
    health: "HEALTH_OK",
    reasons: [],
    osds: { up: 2, all: 2 },
  });
  expect(readdirSync(out).map((name) => statSync(join(out, name)).mode & 0o777)).toEqual([
    0o600, 0o600, 0o600,
  ]);
});

test("images are written and read by the admin's keyring, also after daemons were killed and brought back", async () => {
  const path = join(labs.path, "image");
  const text = Buffer.alloc(4 * 2 ** 20, "kept");
  writeFileSync(path, text);
  await administer("ceph", "osd", "pool", "create", "images", "8");
  await administer("rbd", "pool", "init", "images");
  await administer("rbd", "import", "--no-progress", path, "images/disk");
  await hosts.onHost("h2", "kill -9 $(cat /run/ceph/osd.1.pid)");
  await hosts.onHost("h1", "kill -9 $(cat /run/ceph/mon.a.pid) $(cat /run/ceph/osd.0.pid)");
  const { stdout, stderr, exitCode } = await bootstrap(["--yes"]);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(stdout).toContain(`fsid: "${(await administer("ceph", "fsid")).trim()}"`);
  expect(stderr).toMatch(/no systemd on .*: nothing starts the daemons when the host boots/);
  await administer("rbd", "export", "--no-progress", "images/disk", `${path}.read`);
  expect(readFileSync(`${path}.read`).equals(text)).toBe(true);
  const key = /key = (\S+)/.exec(readFileSync(join(out, "ceph.client.admin.keyring"), "utf8"))?.[1] ?? "";
  expect(key).not.toBe("");
  expect(`${stdout}${stderr}`).not.toContain(key);
});

test("what is printed makes the cluster part of a cloud: what is too large for a pool, and a pool that is full, are named; what a guest writes meanwhile waits for room", async () => {
  const { cluster } = parse(await bootstrap(["--yes", "--json"]));
  const { fsid, monitors, user, keyringFile } = clusterSchema.parse(cluster);
  const home = join(labs.path, "cloud");
  const cloud = await openCloud({ config: readConfig({ STACKYARD_HOME: home }) });
  try {
    const [machine] = readInventory(labName).hosts;
    const host = await make(cloud, "host", "h1", { ...machine });
    const inputs = { fsid, monitors, user, keyringFile, hosts: [host.id] };
    const made = await make(cloud, "ceph-cluster", "small", inputs);
    expect(made.outputs).toMatchObject({ clientHosts: [host.id] });
    expect(await administer("ceph", "auth", "ls")).toContain("client.stackyard-");
    const pool = await make(cloud, "storage-pool", "disks", {
      cluster: made.id,
      content: "volumes",
      pool: "disks",
    });
    const type = await make(cloud, "volume-type", "pooled", { storagePool: pool.id });
    const blank = { volumeType: type.id, sizeGib: 1 };
    const full = { code: "host-disk-full", message: expect.stringContaining("disks") as unknown };

    const large = join(labs.path, "large.qcow2");
    await expectProcess("an image", "qemu-img", ["create", "-q", "-f", "qcow2", large, "8G"]);
    const image = await make(cloud, "image", "large", { disk: { location: large } });
    const tooLarge = make(cloud, "volume", "large", { volumeType: type.id, image: image.id });
    await expect(tooLarge).rejects.toMatchObject(full);
    expect(await administer("rbd", "ls", "disks")).toBe("");

    const { keypair, inGuest } = await openGuestShell(cloud, home);
    const { kernel, initrd } = await buildGuest();
    const disks = { kernel: { location: kernel }, initrd: { location: initrd } };
    const network = await make(cloud, "network", "net");
    await make(cloud, "subnet", "subnet", { network: network.id, cidr: "10.50.0.0/24" });
    const server = await make(cloud, "server", "writer", {
      flavor: (await make(cloud, "flavor", "tiny", { vcpus: 1, ramMib: 128, diskGib: 1 })).id,
      image: (await make(cloud, "image", "guest", disks)).id,
      keypair: keypair.id,
      networks: [{ network: network.id }],
      waitFor: "ssh",
    });
    const volume = await make(cloud, "volume", "data", blank);
    await make(cloud, "volume-attachment", "data", { server: server.id, volume: volume.id });
    /** Writes 16 MiB of noise, and gives its checksum. */
    const write = (atMib: number): Promise<string> =>
      inGuest(
        server,
        `set -e; dd if=/dev/urandom of=/tmp/noise bs=1M count=16 2> /dev/null
dd if=/tmp/noise of=/dev/vdb bs=1M seek=${String(atMib)} conv=notrunc,fsync 2> /dev/null; sha256sum < /tmp/noise`,
      );
    const read = (atMib: number): Promise<string> =>
      inGuest(server, `dd if=/dev/vdb bs=1M skip=${String(atMib)} count=16 2> /dev/null | sha256sum`);
    const first = await write(0);
    await administer("ceph", "osd", "pool", "set-quota", "disks", "max_bytes", "8M");
    await expect
      .poll(() => administer("ceph", "osd", "pool", "ls", "detail"), { timeout: 60_000, interval: 1_000 })
      .toMatch(/'disks'.*full_quota/);

    await expect(make(cloud, "volume", "more", blank)).rejects.toMatchObject(full);
    let isWritten = false;
    const writing = write(64).finally(() => (isWritten = true));
    await setTimeout(5_000);
    expect(isWritten).toBe(false);
    await administer("ceph", "osd", "pool", "set-quota", "disks", "max_bytes", "0");
    const second = await writing;
    expect([await read(0), await read(64)]).toEqual([first, second]);

    await make(cloud, "volume", "more", blank);
    expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
    const kinds = ["volume-attachment", "server", "volume", "volume-type", "storage-pool", "ceph-cluster"];
    for (const kind of [...kinds, "image", "subnet", "network", "host"])
      for (const { id } of await cloud.list(kind)) await cloud.remove(kind, id);
  } finally {
    await cloud.close();
  }
}, 300_000);

test("a cluster is not changed by other options, nor taken over by another name", async () => {
  const other = await bootstrap(["--size", "1"]);
  expect(other.stderr).toMatch(/cluster small was begun otherwise/);
  const named = await bootstrap([], addresses, "other");
  expect(named.stderr).toMatch(/has the cluster small with the fsid/);
});

test("a removal leaves hosts and this machine as they were, and can be repeated", async () => {
  const half = await bootstrap(["--remove", "--yes"], addresses.slice(1));
  expect(half.stderr).toContain(`not named, and left as they are: ${addresses[0] ?? ""}`);
  expect(existsSync(out)).toBe(true);
  expect(await bootstrap(["--remove", "--yes"])).toMatchObject({ exitCode: 0 });
  expect(await survey()).toBe(before);
  expect(existsSync(out)).toBe(false);
  expect((await bootstrap(["--remove"])).stdout).toContain("no host has anything of cluster small");
});
