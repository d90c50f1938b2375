import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { labCeph, labHosts } from "../../lab/inventory.ts";
import { buildGuest } from "../../lab/guest/build.ts";
import { bringUp, changePower } from "../../lab/lab.ts";
import { expectProcess } from "../../lab/process.ts";
import { parseTopology } from "../../lab/topology.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud, ResourceView } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { sh } from "../../providers/hosts/command.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make, textOf } from "../support/cloud.ts";
import { lookAtHosts, type LabHosts } from "../support/lab-hosts.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";
import { writeVolumeKey } from "../support/volume-keys.ts";

const labName = "migration";

let labs: LabFolder;
let cloud: Cloud;
let hosts: LabHosts;
let server: ResourceView;
/** Another guest of the network. */
let peer: ResourceView;
let volume: ResourceView;
/** An encrypted one, at vdc. */
let vault: ResourceView;
/** Of both. */
let inputs: JsonObject;
let key: string;

beforeAll(async () => {
  labs = openLabFolder("migration");
  await bringUp(parseTopology({ name: labName, hosts: ["h1", "h2", { name: "c1", roles: ["ceph"] }] }));
  const { qcow2 } = await buildGuest();
  hosts = lookAtHosts(labName, ["h1", "h2"]);
  cloud = await openCloud({ config: readConfig({ STACKYARD_HOME: labs.path }) });
  const machines = labHosts(labName);
  key = machines[0]?.identityFile ?? "";
  const ids: string[] = [];
  for (const { name, ...machine } of machines) ids.push((await make(cloud, "host", name, machine)).id);
  const cluster = await make(cloud, "ceph-cluster", "ceph", { ...labCeph(labName), hosts: ids });
  const pool = (content: string, more: JsonObject = {}): Promise<ResourceView> =>
    make(cloud, "storage-pool", content, { cluster: cluster.id, content, ...more });
  const images = await pool("images");
  const vms = await pool("vms", { imagePool: images.id });
  const volumes = await pool("volumes", { imagePool: images.id });
  const image = await make(cloud, "image", "guest", { disk: { location: qcow2 } });
  const network = await make(cloud, "network", "net");
  await make(cloud, "subnet", "subnet", { network: network.id, cidr: "10.50.0.0/24" });
  const keypair = await make(cloud, "keypair", "lab", {
    publicKey: readFileSync(`${key}.pub`, "utf8").trim(),
  });
  const sizes = { vcpus: 1, ramMib: 192, diskGib: 1, storagePool: vms.id };
  const flavor = await make(cloud, "flavor", "pooled", sizes);
  inputs = {
    flavor: flavor.id,
    image: image.id,
    keypair: keypair.id,
    networks: [{ network: network.id }],
    waitFor: "cloud-init",
  };
  server = await make(cloud, "server", "web", inputs);
  peer = await make(cloud, "server", "peer", inputs);
  const volumeType = await make(cloud, "volume-type", "pooled", { storagePool: volumes.id });
  volume = await make(cloud, "volume", "data", { volumeType: volumeType.id, sizeGib: 1 });
  await make(cloud, "volume-attachment", "data", { server: server.id, volume: volume.id });
  const encrypted = await make(cloud, "volume-type", "encrypted", {
    storagePool: volumes.id,
    encryption: { keyFile: writeVolumeKey(labs.path, "volumes.key") },
  });
  vault = await make(cloud, "volume", "vault", { volumeType: encrypted.id, sizeGib: 1 });
  await make(cloud, "volume-attachment", "vault", { server: server.id, volume: vault.id });
}, 300_000);

afterAll(async () => {
  await cloud.close();
  await labs.close();
}, 60_000);

/** Runs a command in a guest, by way of its host, and gives its output. */
async function inGuest({ id }: ResourceView, command: string): Promise<string> {
  const { host, address, relayCommand } = await cloud.guestAccess(id);
  const files = ["-i", key, "-o", "LogLevel=ERROR"];
  const hop = [...files, "-o", `UserKnownHostsFile=${host.knownHostsFile ?? ""}`, `root@${host.address}`];
  const proxy = sh`ssh ${hop} ${relayCommand}`.text.replaceAll("%", "%%");
  const strange = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
  const words = [...files, ...strange, "-o", `ProxyCommand=${proxy}`, `root@${address}`, command];
  const output = await expectProcess(`a command in guest ${id}`, "ssh", words, { timeoutMs: 120_000 });
  return output.trim();
}

async function whereIs({ id }: ResourceView): Promise<string> {
  return textOf((await cloud.find("server", id)).outputs, "host");
}

/** Where a host that is cut off answers its tests alone. */
const backDoor = "2222";

/** Runs a command on a host whose sshd is gone, and gives its output. */
async function onLost(name: string, command: string): Promise<string> {
  const address = labHosts(labName).find((host) => host.name === name)?.address ?? "";
  const strange = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
  const words = ["-i", key, "-o", "LogLevel=ERROR", ...strange, "-p", backDoor, `root@${address}`, command];
  return expectProcess(`a command on host ${name}`, "ssh", words, { timeoutMs: 120_000 });
}

const bootId = "cat /proc/sys/kernel/random/boot_id";

test("a guest moves with its disks while it runs, and is hardly missed", async () => {
  const [source, target] = [await whereIs(server), (await whereIs(server)) === "h1" ? "h2" : "h1"];
  const boot = await inGuest(server, bootId);
  await inGuest(
    server,
    "echo before > /data/file; sync; for disk in b c; do echo disk | dd of=/dev/vd$disk bs=512 conv=sync,fsync; done",
  );
  const address = (await cloud.guestAccess(server.id)).address;
  const pings = inGuest(
    peer,
    `for i in $(seq 60); do ping -c 1 -W 1 ${address} > /dev/null && echo answer || echo loss; sleep 0.2; done`,
  );
  const lines: string[] = [];

  const answer = await cloud.act(
    "server",
    server.id,
    "live-migrate",
    {},
    { onProgress: (line) => lines.push(line) },
  );

  expect(answer).toMatchObject({ host: target });
  const seen = await cloud.read("server", server.id);
  expect(seen).toMatchObject({ outputs: { host: target, status: "ACTIVE" }, drift: [] });
  const answers = (await pings).split("\n");
  expect(answers).toHaveLength(60);
  expect(answers.filter((word) => word === "loss").length).toBeLessThanOrEqual(6);
  expect(await inGuest(server, bootId)).toBe(boot);
  expect(
    await inGuest(
      server,
      "cat /data/file; head -c 4 /dev/vdb; head -c 4 /dev/vdc; echo after >> /data/file; sync",
    ),
  ).toContain("before\ndiskdisk");
  const left = await hosts.onHost(
    source,
    `virsh -q list --all --uuid; find /var/lib/libvirt/images -path '*${server.id}*'; ls /run/libvirt | grep move || true`,
  );
  expect(left).not.toContain(server.id);
  expect(left).not.toContain("move");
  const secrets = await Promise.all(
    [source, target].map((name) => hosts.onHost(name, "virsh -q secret-list")),
  );
  expect(secrets.map((listed) => listed.includes(vault.id))).toEqual([false, true]);
  expect(await hosts.onHost(source, "ovs-vsctl --bare --columns=external_ids list interface")).not.toContain(
    server.id,
  );
  expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  expect(await cloud.drift()).toMatchObject({ findings: [], failures: [] });
}, 240_000);

test("a guest that has moved stops and starts where it is, with what it had written", async () => {
  await cloud.act("server", server.id, "reboot", { kind: "hard" });

  expect(await inGuest(server, "cat /data/file")).toBe("before\nafter");
  expect((await cloud.read("server", server.id))?.drift).toEqual([]);
}, 240_000);

test("a server of a host that is cut off starts on another, and what still runs there writes no more", async () => {
  const lost = await whereIs(server);
  const boot = await inGuest(server, bootId);
  await inGuest(server, "echo last >> /data/file; sync; sleep 1");
  const writing = "while :; do echo zombie >> /data/file; sync; sleep 0.2; done";
  await expect(cloud.act("server", server.id, "evacuate", {})).rejects.toMatchObject({ code: "wrong-state" });
  await inGuest(server, `touch /data/mark; sync; (setsid sh -c 'sleep 20; ${writing}' > /dev/null 2>&1 &)`);
  await hosts.onHost(lost, `/usr/sbin/sshd -p ${backDoor} -o PidFile=/run/back-door.pid`);
  await onLost(lost, "pkill -P $(cat /run/sshd.pid); kill $(cat /run/sshd.pid)");

  const answer = await cloud.act("server", server.id, "evacuate", {});

  expect(answer).toMatchObject({ host: lost === "h1" ? "h2" : "h1" });
  expect(await inGuest(server, bootId)).not.toBe(boot);
  // The other guest's host is the one that is lost: no tunnel goes there.
  const drift = (await cloud.read("server", server.id))?.drift ?? [];
  expect(drift.filter(({ field }) => field !== `tunnels.${lost}`)).toEqual([]);
  const console = `/var/lib/libvirt/images/stackyard/servers/${server.id}/console.log`;
  await onLost(
    lost,
    `for i in $(seq 90); do ! grep -aqE 'I/O error|EXT4-fs error' ${console} || exit 0; sleep 1; done; exit 1`,
  );
  expect(await onLost(lost, `virsh -q domstate ${server.id}`)).toMatch(/running|paused/);
  expect(await inGuest(server, "cat /data/file; ls /data/mark; head -c 4 /dev/vdb; head -c 4 /dev/vdc")).toBe(
    "before\nafter\nlast\n/data/mark\ndiskdisk",
  );

  await changePower(labName, lost, "cut");
  await changePower(labName, lost, "on");
  // What it has of the server it starts no more, and what is still its own it does.
  expect(await hosts.onHost(lost, `virsh -q domstate ${server.id}`)).toBe("shut off\n");
  expect(await hosts.onHost(lost, `virsh -q domstate ${peer.id}`)).toBe("running\n");
  const { leftovers } = await cloud.listLeftovers();
  for (const thing of [
    { kind: "server", id: server.id },
    { kind: "volume-secret", id: vault.id },
  ])
    expect(leftovers).toContainEqual(expect.objectContaining({ ...thing, host: lost }));
  for (const leftover of leftovers) await cloud.removeLeftover(leftover);

  expect(await cloud.listLeftovers()).toEqual({ leftovers: [], failures: [] });
  expect(await hosts.onHost(lost, "virsh -q list --all --uuid")).not.toContain(server.id);
  for (const name of ["web", "peer"]) await make(cloud, "server", name, inputs);
  expect(await inGuest(server, "echo alive >> /data/file; sync; tail -n 1 /data/file")).toBe("alive");
  expect(await cloud.drift()).toMatchObject({ findings: [], failures: [] });
}, 300_000);
