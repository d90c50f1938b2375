import { describe, expect, test } from "vitest";
import { domainSeparator } from "../../../providers/hosts/virsh.ts";
import { findDomain, parseDomainStates, type DomainStates } from "../../../providers/compute/domain-state.ts";
import { nameSource } from "../../../providers/compute/disk-xml.ts";
import { renderDomain } from "../../../providers/compute/domain-xml.ts";
import { nameDomain } from "../../../providers/compute/marks.ts";
import type { DomainSpec } from "../../../providers/core/ports.ts";
import {
  fileVolume,
  rbdVolume,
  sampleHost,
  sampleServer,
  volumeServer,
} from "../../support/domain-samples.ts";
import { makeQcow2 } from "../../support/qcow2.ts";

const gib = 1024 ** 3;
const { id } = sampleServer;

/** What a host prints of one domain. */
interface Printed {
  readonly state?: string;
  readonly kept?: "persistent" | "transient";
  readonly autostart?: "on" | "off" | "unknown";
  readonly running?: string;
  readonly defined?: string;
  readonly disk?: Buffer | undefined;
}

const xml = renderDomain(sampleHost, sampleServer);

function print({
  state = "running (booted)",
  kept = "persistent",
  autostart = "off",
  running = xml,
  defined,
  disk = overlay(),
}: Printed) {
  const domain = `${domainSeparator} ${kept} autostart:${autostart} process:7,${state}\n\n${running}\n\n${domainSeparator}${defined ?? running}\n\n`;
  return `${domain}<<disks>>\n${String(disk.length)} ${id}/disk\n<<heads>>\n${disk.subarray(0, 4096).toString("base64")}`;
}

/** The disk that the sample server has: an overlay on its image. */
function overlay(sizeBytes = 20 * gib, base = String(sampleServer.image.diskPath)): Buffer {
  const disk = makeQcow2({ virtualSizeBytes: sizeBytes, backingFileOffset: 512 });
  disk.writeUInt32BE(base.length, 16);
  disk.write(base, 512);
  return disk;
}

function find(printed: Printed, spec: DomainSpec = sampleServer) {
  return findDomain(sampleHost, spec, parseDomainStates(print(printed)));
}

function drift(printed: Printed, spec?: DomainSpec) {
  return find(printed, spec)?.drift.map(({ field, label }) => `${field} ${label ?? "stays"}`);
}

test("a server that is as it was made has no drift", () => {
  expect(find({})).toEqual({ state: "running", processId: 7, diskBytes: 20 * gib, drift: [] });
});

test("a server that libvirt does not list is absent", () => {
  expect(findDomain(sampleHost, sampleServer, parseDomainStates("\n<<disks>>\n"))).toBeUndefined();
});

describe("what was changed by hand is found", () => {
  test.each<readonly [string, Printed, readonly string[]]>([
    [
      "fewer processors plugged in",
      { running: xml.replace("<vcpu>", "<vcpu current='1'>"), defined: xml },
      ["vcpus restart"],
    ],
    [
      "a balloon",
      {
        running: xml.replace(/<currentMemory unit="KiB">\d+/, '<currentMemory unit="KiB">1048576'),
        defined: xml,
      },
      ["ramMib restart"],
    ],
    [
      "a NIC detached",
      { running: xml.replace(/<interface[^]*<\/interface>/, ""), defined: xml },
      ["interfaces restart"],
    ],
    ["a definition changed", { defined: xml.replace("<vcpu>2", "<vcpu>4") }, ["definition.vcpus live"]],
    ["a definition gone", { kept: "transient" }, ["definition live"]],
    [
      "memory changed while it is off",
      {
        state: "shut off (destroyed)",
        running: xml.replace(/<memory unit="KiB">\d+/, '<memory unit="KiB">1048576'),
      },
      ["ramMib live"],
    ],
    ["a disk grown", { disk: overlay(21 * gib) }, ["diskBytes live"]],
    ["a disk shrunk", { disk: overlay(19 * gib) }, ["diskBytes restart"]],
    [
      "a disk shrunk while it is off",
      { state: "shut off (destroyed)", disk: overlay(19 * gib) },
      ["diskBytes live"],
    ],
    ["a disk on another base", { disk: overlay(20 * gib, "/elsewhere") }, ["disk stays"]],
    ["a disk without a base", { disk: makeQcow2({ virtualSizeBytes: 20 * gib }) }, ["disk stays"]],
    ["a disk in another format", { disk: Buffer.alloc(8192) }, ["disk stays", "diskBytes restart"]],
    [
      "a disk cut off within its header",
      { disk: overlay().subarray(0, 60) },
      ["disk stays", "diskBytes restart"],
    ],
  ])("%s", (_what, printed, expected) => {
    expect(drift(printed)).toEqual(expected);
  });

  test("a disk removed", () => {
    const states: DomainStates = { ...parseDomainStates(print({})), disks: new Map() };
    expect(findDomain(sampleHost, sampleServer, states)?.drift).toMatchObject([
      { field: "disk", found: "missing", label: "data-loss" },
    ]);
  });
});

test("a disk keeps the size that an apply has taken note of", () => {
  expect(drift({ disk: overlay(30 * gib) }, { ...sampleServer, diskBytes: 30 * gib })).toEqual([]);
});

describe("volumes", () => {
  const withVolumes = renderDomain(sampleHost, volumeServer);
  const volumeAt = (device: string): RegExp =>
    new RegExp(`<disk (?:(?!</disk>)[^])*<target dev="${device}"[^]*?</disk>`);
  const without = (device: string): string => withVolumes.replace(volumeAt(device), "");
  const off = "shut off (destroyed)";

  test("that are as they should be have no drift, and no file is the root disk", () => {
    expect(find({ running: withVolumes }, volumeServer)).toEqual({
      state: "running",
      processId: 7,
      diskBytes: undefined,
      drift: [],
    });
  });

  test("are told by device, source and whether they are read-only", () => {
    expect(find({ running: without("vdb"), defined: withVolumes }, volumeServer)?.drift).toEqual([
      {
        field: "volumes",
        expected: `vdb ${nameSource(sampleHost, fileVolume.volume)}, vdc ${nameSource(sampleHost, rbdVolume.volume)} read-only`,
        found: `vdc ${nameSource(sampleHost, rbdVolume.volume)} read-only`,
        repair: "attaches what it lacks",
        label: "live",
      },
    ]);
  });

  test.each<readonly [string, Printed, readonly string[]]>([
    ["none of them", { running: without("vdb").replace(volumeAt("vdc"), "") }, ["volumes live"]],
    [
      "the kept definition without one",
      { running: withVolumes, defined: without("vdb") },
      ["definition.volumes live"],
    ],
    ["one at another device", { running: withVolumes.replace('"vdb"', '"vdd"') }, ["volumes restart"]],
    [
      "one that can be written",
      { running: withVolumes.replace(/(?<=vdc[^]*)<readonly\/>/, "") },
      ["volumes restart"],
    ],
    [
      "one in another pool",
      { running: withVolumes.replace("volumes/volume-", "other/volume-") },
      ["volumes restart"],
    ],
    ["another root disk", { running: withVolumes.replace("vms/", "other/") }, ["disks restart"]],
    ["one less while it is off", { state: off, running: without("vdc") }, ["volumes live"]],
    [
      "another root disk while it is off",
      { state: off, running: withVolumes.replace("vms/", "other/") },
      ["disks live"],
    ],
  ])("%s", (_what, printed, expected) => {
    expect(drift(printed, volumeServer)).toEqual(expected);
  });

  test("that a server should not have are found, with a serial and without", () => {
    const foreign = (serial: string): Printed => ({
      running: xml.replace(
        "<controller",
        `<disk type="file"><source file="/x"/><target dev="vdz"/>${serial}</disk><controller`,
      ),
      defined: xml,
    });
    expect(drift(foreign("<serial>mine</serial>"))).toEqual(["volumes restart"]);
    expect(drift(foreign(""))).toEqual(["disks restart"]);
  });
});

describe("a domain that is not ours in the server's place is told apart from an absent one", () => {
  test.each<readonly [string, string]>([
    ["under its uuid", xml.replace(`<name>${nameDomain(id)}`, "<name>other")],
    ["under its name", xml.replace(`<uuid>${id}`, "<uuid>11111111-2222-4333-8444-555555555555")],
    ["with another cloud's mark", xml.replace(`cloud="${sampleHost.cloudId}"`, 'cloud="x"')],
    ["without a mark", xml.replace(/<metadata>[^]*<\/metadata>/, "")],
  ])("%s", (_where, running) => {
    expect(() => find({ running })).toThrow(expect.objectContaining({ code: "not-ours" }));
  });
});

test("several disks are told apart by their sizes", () => {
  const [small, large] = [overlay(gib).subarray(0, 600), overlay(2 * gib)];
  const heads = Buffer.concat([small, large.subarray(0, 4096)]).toString("base64");
  const output = `<<disks>>\n600 a/disk\n${String(large.length)} b/disk\n<<heads>>\n${heads}`;
  expect([...parseDomainStates(output).disks].map(([server, disk]) => [server, disk.sizeBytes])).toEqual([
    ["a", gib],
    ["b", 2 * gib],
  ]);
});

test("an answer that breaks off is refused", () => {
  expect(() => parseDomainStates(`${domainSeparator} persistent`)).toThrow(
    expect.objectContaining({ code: "command-failed" }),
  );
});

test.each([
  ["on", true, []],
  ["off", false, []],
  ["off", true, ["autostart live"]],
  ["on", false, ["autostart live"]],
  ["unknown", true, []],
] as const)("autostart that is %s where it should be %s", (autostart, wanted, expected) => {
  expect(drift({ autostart }, { ...sampleServer, autostart: wanted })).toEqual(expected);
});

test("a domain without a definition has no autostart to be wrong", () => {
  const printed = { kept: "transient", autostart: "off" } as const;
  expect(drift(printed, { ...sampleServer, autostart: true })).toEqual(["definition live"]);
});
