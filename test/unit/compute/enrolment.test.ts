import { describe, expect, test } from "vitest";
import { digestBoot, type HostBoot } from "../../../providers/compute/host-boot.ts";
import { openHosts } from "../../../providers/compute/enrolment.ts";
import { describeWiring, isBare, readWiring } from "../../../providers/compute/wiring.ts";
import { brandId } from "../../../providers/core/ids.ts";
import type { EnrolRequest } from "../../../providers/core/ports.ts";
import { openCannedPool, printBridges } from "../../support/canned-host.ts";

const facts = `hostname kvm1
arch x86_64
kernel 6.1.0
bootId 4cda6a31-fc41-42ab-9697-eac43d615428
cpus 8
ramKib 16777216
diskKib 104857600
freeKib 83886080
kvm absent
cpuFlags 8
ovsVersion 3.1.0
datapaths [netdev]
libvirtVersion 9.0.0
qemuVersion 7.2.22
@@ addresses
[{"ifname":"eth0","addr_info":[{"local":"10.0.0.1","prefixlen":24,"scope":"global"}]}]
@@ capabilities
<capabilities><host><cpu><arch>x86_64</arch></cpu></host></capabilities>`;

/** What a host says of its wiring where an unmarked one would say something else, by part. */
interface Words {
  readonly record?: string;
  readonly folder?: string;
  readonly bridges?: string;
  readonly routes?: string;
  /** Address at which we are connected to it. */
  readonly management?: string;
}

function print({ record = "", folder = "", bridges = printBridges(), routes = "", management = "-" }: Words) {
  const marks = JSON.stringify({
    headings: ["external_ids"],
    data: [[["map", []]]],
  });
  const link = '[{"ifname":"eth0","address":"52:54:00:00:00:01","mtu":1500}]';
  const wiring = [record, folder, marks, bridges, "", link, routes, management].map((part) => `${part}\n`);
  return `${facts}\n<<wiring>>\n${wiring.join("<>\n")}`;
}

const request: EnrolRequest = {
  id: brandId("11111111-1111-4111-8111-111111111111"),
  cloudId: brandId("22222222-2222-4222-8222-222222222222"),
  address: { name: "kvm1", transport: "ssh", address: "kvm1" },
  datapath: "netdev",
  virtType: undefined,
  tunnelAddress: "10.1.0.1/24",
  tunnelInterface: "eth0",
  folder: "/var/lib/libvirt",
};

function readWhole(output: string) {
  const scan = readWiring(request, output);
  if (isBare(scan)) throw new Error("the host lacks packages");
  return scan;
}

describe("is refused before anything is written:", () => {
  test.each<readonly [string, Words, object]>([
    [
      "a folder in which someone else keeps what release would remove",
      { folder: "folder\nimages" },
      { code: "not-ours", field: "folder", value: "/var/lib/libvirt" },
    ],
    [
      "a bridge of our name that someone else made",
      { bridges: printBridges({ p1: {} }) },
      { code: "not-ours" },
    ],
    [
      "an interface that is in a bridge of someone else",
      { bridges: printBridges({ eth0: {} }, "br-lan") },
      { code: "not-ours", field: "tunnelInterface", value: "eth0" },
    ],
    [
      "the interface that we are connected through",
      { management: "10.0.0.1" },
      { code: "host-unsuitable", field: "tunnelInterface", value: "eth0" },
    ],
  ])("%s", async (_what, words, error) => {
    const pool = openCannedPool({
      "look at how the host is wired": `${print(words)}\n<<>> 0\n`,
    });

    await expect(
      openHosts(pool).enrol(request, () => undefined, new AbortController().signal),
    ).rejects.toMatchObject(error);
  });
});

describe("what release is to give back", () => {
  const routes = '[{"dst":"default","gateway":"10.0.0.254"},{"dst":"10.0.0.0/24"}]';

  test("is the tunnel's interface with its addresses and its routes by a gateway", () => {
    expect(readWhole(print({ routes })).plan.record.tunnel).toEqual({
      interface: "eth0",
      addresses: ["10.0.0.1/24"],
      routes: [{ to: "default", via: "10.0.0.254" }],
    });
  });

  test("stays what it was at first, whatever a boot has given the interface since", () => {
    const tunnel = {
      interface: "eth0",
      addresses: ["10.9.9.9/24"],
      routes: [],
    };
    const record = JSON.stringify({
      cloudId: request.cloudId,
      hostId: request.id,
      madeFolder: true,
      tunnel,
    });

    expect(readWhole(print({ record, routes })).plan.record.tunnel).toEqual(tunnel);
  });

  test.each([
    ["a folder that was not there", "", true],
    ["no folder that was there", "folder", false],
  ])("is %s", (_what, folder, madeFolder) => {
    expect(readWhole(print({ folder })).plan.record).toMatchObject({
      madeFolder,
    });
  });
});

describe("what is kept for boots", () => {
  const record = JSON.stringify({
    cloudId: request.cloudId,
    hostId: request.id,
    madeFolder: true,
    tunnel: { interface: "eth0", addresses: ["10.0.0.1/24"], routes: [{ to: "default", via: "10.0.0.254" }] },
  });
  const planOn = (more = ""): HostBoot =>
    readWhole(print({ record }).replace("@@ addresses", `${more}@@ addresses`)).plan.boot;
  const driftWith = (folder: string): readonly (readonly [string, string])[] =>
    describeWiring(readWiring(request, print({ record, folder })))
      .drift.filter(({ field }) => field === "boot")
      .map(({ expected, found }) => [expected, found] as const);

  test("has a unit where systemd is, before libvirt and after Open vSwitch", () => {
    expect(planOn().unit).toBeUndefined();
    const { unit = "" } = planOn("program systemd\n");
    expect(unit).toContain("ExecStart=/bin/sh /var/lib/libvirt/boot/run\n");
    expect(unit).toMatch(/^After=openvswitch-switch\.service .*network-online\.target$/m);
    expect(unit).toMatch(/^Before=libvirtd\.service /m);
  });

  test("moves the tunnel's interface with addresses and routes again", () => {
    const { wire } = planOn();
    expect(wire).toContain("ip address delete '10.0.0.1/24' dev 'eth0'");
    expect(wire).toContain("ip address replace '10.0.0.1/24' dev 'br-underlay'");
    expect(wire).toContain("ip route replace 'default' via '10.0.0.254' dev 'br-underlay'");
  });

  test("asks of each server's disks whether this host has lost them", () => {
    expect(planOn().run).toContain(`stackyard-lost-${request.id}`);
  });

  test("is drift where it is missing, or another", () => {
    expect(driftWith("folder")).toEqual([["current", "missing"]]);
    expect(driftWith("folder\nboot\nboot-digest 00")).toEqual([["current", "other"]]);
    expect(driftWith(`folder\nboot\nboot-digest ${digestBoot(planOn())}`)).toEqual([]);
    const withUnit = digestBoot(planOn("program systemd\n"));
    expect(driftWith(`folder\nboot\nboot-digest ${withUnit}`)).toEqual([["current", "other"]]);
  });
});

describe("a host that lacks packages", () => {
  const installing: EnrolRequest = { ...request, packages: { mirror: undefined } };
  const bare = facts
    .replace("ovsVersion 3.1.0\ndatapaths [netdev]\n", "")
    .replace("@@ addresses", "missing ovs-vsctl\nprogram apt-get\n@@ addresses");
  const printBare = (record = ""): string => `${bare}\n<<wiring>>\n${record}\n<>\n`;
  const enrol = async (answers: Readonly<Record<string, string>>, wiring: string, wanted = installing) => {
    const lines: string[] = [];
    const pool = openCannedPool({ "look at how the host is wired": `${wiring}\n<<>> 0\n`, ...answers });
    const enrolling = openHosts(pool).enrol(wanted, (line) => lines.push(line), new AbortController().signal);
    return enrolling.then(
      () => Promise.reject(new Error("it was enrolled")),
      (error: unknown) => ({ error, lines }),
    );
  };
  const begun = { "mark the host": "", "start job packages": "running\n", "clean job packages": "" };

  test("is marked, then installs them, and is told what apt says where it cannot", async () => {
    const log = "Reading package lists...\nE: Unable to locate package openvswitch-switch\n";
    const { error, lines } = await enrol(
      { ...begun, "wait for job packages": `ended 100\n${log}` },
      printBare(),
    );
    expect(lines).toEqual(["host h1 installs openvswitch-switch"]);
    expect(error).toMatchObject({
      code: "host-unsuitable",
      message: "Host h1 could not install openvswitch-switch: Unable to locate package openvswitch-switch",
      remedy: expect.stringContaining("packageMirror") as unknown,
    });
  });

  test("is refused where it lacks them still", async () => {
    const ended = { ...begun, "wait for job packages": "ended 0\nstackyard: installed\n" };
    expect(await enrol(ended, printBare())).toMatchObject({
      error: { code: "host-unsuitable", message: "Host kvm1 cannot run servers: ovs-vsctl is missing" },
    });
  });

  test("tells a dry run that what comes after is known then", async () => {
    expect(await enrol({ ...begun, "wait for job packages": "ended 0\n" }, printBare())).toMatchObject({
      error: { code: "wrong-state", message: expect.stringContaining("openvswitch-switch") as unknown },
    });
  });

  test("is another cloud's all the same", async () => {
    const record = { cloudId: "another", hostId: "h", madeFolder: true, tunnel: null };
    expect(await enrol({}, printBare(JSON.stringify(record)))).toMatchObject({
      error: { code: "foreign-cloud" },
    });
  });

  test("installs none where they are required", async () => {
    expect(await enrol({}, printBare(), request)).toMatchObject({
      error: {
        code: "host-unsuitable",
        remedy: "On the host: apt-get install -y --no-install-recommends openvswitch-switch",
      },
    });
  });
});
