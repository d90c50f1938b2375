import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { buildGuest } from "../../lab/guest/build.ts";
import { readInventory } from "../../lab/inventory.ts";
import { bringUp, runOnHost } from "../../lab/lab.ts";
import { parseTopology } from "../../lab/topology.ts";
import { readConfig } from "../../providers/config/config.ts";
import type { Cloud } from "../../providers/core/cloud.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { openCloud } from "../../providers/wiring.ts";
import { make } from "../support/cloud.ts";
import { runStackyard } from "../support/command-line.ts";
import { openLabFolder, type LabFolder } from "../support/lab-folder.ts";

const labName = "adoption";
const id = "5b3f6f0e-2a65-4d0c-9d1b-6a1f0c9e7d11";
const marker = "what somebody wrote before";
const path = "/var/lib/libvirt/images/legacy.qcow2";
const serverDisk = `/var/lib/libvirt/images/stackyard/servers/${id}/disk`;

let labs: LabFolder;
let home: string;
let before: string;
let networkId: string;

function open(): Promise<Cloud> {
  return openCloud({ config: readConfig({ STACKYARD_HOME: home }) });
}

async function stackyard(...words: readonly string[]): Promise<JsonObject> {
  const { exitCode, stdout, stderr } = await runStackyard(await open(), [...words, "--json"]);
  if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${String(exitCode)}\n${stderr}\n${stdout}`);
  return JSON.parse(stdout) as JsonObject;
}

function adopt(...more: readonly string[]): Promise<JsonObject> {
  return adoptDomain("legacy", ...more);
}

function adoptDomain(domain: string, ...more: readonly string[]): Promise<JsonObject> {
  const shape = ["--flavor", "tiny", "--image", "guest", "--networks", `network=${networkId}`];
  return stackyard("server", "adopt", "h1", domain, "--name", "web", ...shape, ...more);
}

/** Defines a domain with nothing but this disk. */
function define(name: string, disk: string, format: string): string {
  const devices = `<devices><disk type="file" device="disk"><driver name="qemu" type="${format}"/><source file="${disk}"/><target dev="vda" bus="virtio"/></disk></devices>`;
  const xml = `<domain type="qemu"><name>${name}</name><memory unit="MiB">64</memory><os><type>hvm</type></os>${devices}</domain>`;
  return `echo '${xml}' > /tmp/other.xml; virsh define /tmp/other.xml; rm /tmp/other.xml`;
}

async function onHost(command: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runOnHost(labName, "h1", ["sh", "-c", command]);
  if (exitCode !== 0) throw new Error(`${command}: ${String(exitCode)}\n${stderr}`);
  return stdout.trim();
}

/** What the marker's place on a disk holds. */
function readMarker(disk: string): Promise<string> {
  return onHost(
    `qemu-img dd -U -f qcow2 -O raw bs=512 count=2049 if=${disk} of=/tmp/read && tail -c 512 /tmp/read | tr -d '\\0'; rm -f /tmp/read`,
  );
}

/** Domains, and all files of disks and images but locks. */
function survey(): Promise<string> {
  return onHost(
    "virsh -q list --all --name; find /var/lib/libvirt/images -type f -not -path '*/locks/*' -not -name lock -not -path '*/images/*/images/*' | sort",
  );
}

beforeAll(async () => {
  labs = openLabFolder("adoption");
  home = labs.path;
  const [, guest] = await Promise.all([bringUp(parseTopology({ name: labName, hosts: 1 })), buildGuest()]);
  const cloud = await open();
  for (const { name, ...host } of readInventory(labName).hosts) await make(cloud, "host", name, { ...host });
  const kernel = { kernel: { location: guest.kernel }, initrd: { location: guest.initrd } };
  await make(cloud, "image", "guest", kernel);
  const network = await make(cloud, "network", "net");
  networkId = network.id;
  await make(cloud, "subnet", "subnet", { network: network.id, cidr: "10.60.0.0/24" });
  await make(cloud, "flavor", "tiny", { vcpus: 1, ramMib: 160, diskGib: 1 });
  await cloud.close();
  before = await survey();
  const xml = `<domain type="qemu"><name>legacy</name><uuid>${id}</uuid><memory unit="MiB">64</memory><os><type>hvm</type></os><devices><disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="${path}"/><target dev="vda" bus="virtio"/></disk><interface type="bridge"><mac address="52:54:00:00:77:02"/><source bridge="br-int"/><virtualport type="openvswitch"/></interface></devices></domain>`;
  await onHost(`printf '${marker}' | dd of=/tmp/marker bs=512 conv=sync 2> /dev/null
    { head -c 1M /dev/zero; cat /tmp/marker; head -c 63M /dev/zero; } > /tmp/raw
    qemu-img convert -f raw -O qcow2 /tmp/raw ${path}; rm /tmp/raw /tmp/marker
    echo '${xml}' > /tmp/legacy.xml; virsh define /tmp/legacy.xml; rm /tmp/legacy.xml`);
});

afterAll(async () => {
  await labs.close();
});

test("a look says what is there, and changes nothing", async () => {
  const there = await survey();
  expect(await adopt()).toMatchObject({
    adopted: false,
    domain: { id, state: "shut-off" },
    disk: { from: path, to: serverDisk, transfer: "move" },
    inputs: { networks: [{ mac: "52:54:00:00:77:02" }] },
    incomplete: null,
  });
  expect(await survey()).toBe(there);
});

describe("beside other domains", () => {
  const folder = "/var/lib/libvirt/images/of others";
  const overlay = `qemu-img create -q -f qcow2 -F qcow2`;

  beforeEach(async () => {
    await onHost(`mkdir "${folder}"`);
  });

  afterEach(async () => {
    await onHost(`virsh undefine other; rm -r "${folder}"`);
  });

  test.each([
    ["by a path that goes up", `${overlay} -b ../legacy.qcow2 "${folder}/other"`],
    [
      "by a symbolic link",
      `ln -s ${path} "${folder}/größe"; ${overlay} -b "${folder}/größe" "${folder}/other"`,
    ],
    ["as it is, by a second name", `ln ${path} "${folder}/other"`],
  ])("one whose disk another needs %s is refused", async (_how, make) => {
    await onHost(`${make}; ${define("other", `${folder}/other`, "qcow2")}`);
    await expect(adopt()).rejects.toThrow("is also used by other");
  });

  test("one is looked at though another's disk never answers", async () => {
    await onHost(`mkfifo "${folder}/other"; ${define("other", `${folder}/other`, "raw")}`);
    expect(await adopt()).toMatchObject({ disk: { transfer: "move" }, incomplete: null });
  });

  test("one is looked at whatever another has in its metadata", async () => {
    const metadata = `<metadata><x:odd xmlns:x="urn:x"><!-- <> --></x:odd></metadata>`;
    await onHost(define("other", `${folder}/other`, "raw").replace("<memory", `${metadata}<memory`));
    expect(await adopt()).toMatchObject({ disk: { transfer: "move" }, incomplete: null });
    expect(await stackyard("gc")).toEqual([]);
  });

  test.each([
    [
      "has its data in another file",
      "qcow2",
      `cp /etc/hostname "${folder}/data"; qemu-img create -q -f qcow2 -o "data_file=${folder}/data,data_file_raw=on" "${folder}/other" 1M`,
    ],
    [
      "has its data in another file",
      "qcow2",
      `qemu-img create -q -f qcow2 -o "data_file=${folder}/data" "${folder}/below" 1M; ${overlay} -b "${folder}/below" "${folder}/other"`,
    ],
    ["is vmdk, where qcow2 and raw are taken", "vmdk", `qemu-img create -q -f vmdk "${folder}/other" 1M`],
  ])("one whose disk %s is refused", async (why, format, make) => {
    await onHost(`${make}; ${define("other", `${folder}/other`, format)}`);
    await expect(adoptDomain("other")).rejects.toThrow(why);
  });

  test("one whose disk lies in the cloud's own folder is refused, by whatever path", async () => {
    await onHost(
      `ln -s /var/lib/libvirt/images/stackyard "${folder}/cloud"; qemu-img create -q -f qcow2 "${folder}/cloud/other" 1M; ${define("other", `${folder}/cloud/other`, "qcow2")}`,
    );
    await expect(adoptDomain("other")).rejects.toThrow("lies in the cloud's own folder");
    await onHost("rm /var/lib/libvirt/images/stackyard/other");
  });

  test("all that a disk lies on is told", async () => {
    await onHost(
      `cp /etc/hostname "${folder}/secret"; qemu-img create -q -f qcow2 -F raw -b "${folder}/secret" "${folder}/below"; ${overlay} -b below "${folder}/other"; ${define("other", `${folder}/other`, "qcow2")}`,
    );
    expect(await adoptDomain("other")).toMatchObject({
      changes: expect.arrayContaining([
        {
          field: "disk format",
          found: `qcow2 on ${folder}/below on ${folder}/secret`,
          declared: "qcow2",
        },
      ]) as unknown,
    });
  });
});

test("one that runs is refused, and runs on", async () => {
  await onHost("virsh start legacy");
  await expect(adopt("--adopt")).rejects.toThrow(`virsh shutdown ${id}`);
  expect(await onHost("virsh domstate legacy; virsh destroy legacy > /dev/null")).toBe("running");
});

test("an adopted domain runs as a server, on its disk, without drift", { timeout: 300_000 }, async () => {
  expect(await adopt("--adopt", "--wait-for", "ssh")).toMatchObject({ id, outputs: { status: "ACTIVE" } });
  expect(await readMarker(serverDisk)).toBe(marker);
  expect(await onHost(`stat -c %a ${serverDisk}`)).toBe("600");
  expect(await onHost("virsh -q list --all --name")).not.toContain("legacy");
  expect(await stackyard("drift")).toMatchObject({ findings: [], interrupted: [], errors: [] });
  expect(await stackyard("server", "set", "web", "--dry-run")).toMatchObject({ change: { action: "none" } });
});

test("it is removed with its disk, and leaves nothing", async () => {
  await stackyard("server", "delete", "web");
  expect(await survey()).toBe(before);
  expect(await stackyard("gc")).toEqual([]);
});
