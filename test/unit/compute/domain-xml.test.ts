import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nameSource, renderVolumeDisk } from "../../../providers/compute/disk-xml.ts";
import { renderDomain } from "../../../providers/compute/domain-xml.ts";
import { parseDomain } from "../../../providers/hosts/virsh.ts";
import {
  anyDomain,
  bareServer,
  emulatedHost,
  encryptedServer,
  fileVolume,
  rbdVolume,
  richServer,
  sampleHost,
  sampleServer,
  volumeServer,
} from "../../support/domain-samples.ts";

const run = promisify(execFile);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-domains-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

test.each([
  ["a disk on KVM and the kernel's datapath", "disk-kvm", sampleHost, sampleServer],
  ["a kernel under emulation", "kernel-emulated", emulatedHost, bareServer],
  ["a q35 with two NICs of another model", "rich-emulated", emulatedHost, richServer],
  ["a root disk in RBD with two volumes", "volumes-kvm", sampleHost, volumeServer],
  ["encrypted volumes", "encrypted-kvm", sampleHost, encryptedServer],
])("the domain of %s is as before", async (_, file, host, server) => {
  await expect(renderDomain(host, server)).toMatchFileSnapshot(`../../fixtures/compute/${file}.xml`);
});

test.each([
  ["a disk on KVM", sampleHost, sampleServer],
  ["a kernel under emulation", emulatedHost, bareServer],
  ["hostile names", emulatedHost, richServer],
  ["volumes", sampleHost, volumeServer],
  ["encrypted volumes", sampleHost, encryptedServer],
])("virt-xml-validate accepts %s", async (name, host, server) => {
  const file = join(folder, `${name}.xml`);
  writeFileSync(file, renderDomain(host, server));
  await expect(run("virt-xml-validate", [file, "domain"])).resolves.toHaveProperty(
    "stderr",
    `${file} validates\n`,
  );
});

test("libvirt's schema accepts every server on every host", async () => {
  // One process for all: it is the schema that takes the time. virt-xml-validate runs the same command.
  const files = fc.sample(anyDomain, { numRuns: 150, seed: 1 }).map(([host, server], index) => {
    const file = join(folder, `${String(index)}.xml`);
    writeFileSync(file, renderDomain(host, server));
    return file;
  });
  const schema = "/usr/share/libvirt/schemas/domain.rng";
  const { stderr } = await run("xmllint", ["--noout", "--relaxng", schema, ...files], {
    maxBuffer: 64 * 1024 * 1024,
  });
  expect(stderr.split("\n").filter((line) => line !== "" && !line.endsWith(" validates"))).toEqual([]);
}, 60_000);

test("every value comes back from the XML as it was given", () => {
  fc.assert(
    fc.property(anyDomain, ([host, server]) => {
      expect(parseDomain(renderDomain(host, server))).toMatchObject({
        uuid: server.id,
        title: server.name,
        vcpus: server.vcpus,
        ramMib: server.ramMib,
        interfaces: server.interfaces.map(({ mac, localVlan, portId }) => ({
          mac,
          vlan: localVlan,
          interfaceId: portId,
        })),
      });
    }),
    { numRuns: 100 },
  );
});

test("the disk of a volume is the same alone as within its domain", () => {
  const domain = renderDomain(sampleHost, volumeServer);
  for (const attached of [fileVolume, rbdVolume]) {
    const lines = renderVolumeDisk(sampleHost, attached).trimEnd().split("\n");
    expect(domain).toContain(lines.map((line) => `    ${line}`).join("\n"));
  }
});

test("what libvirt names as the source of a disk is what we compare it with", () => {
  const { disks } = parseDomain(renderDomain(sampleHost, volumeServer));
  expect(disks.map(({ target, source, serial, isReadOnly }) => [target, source, serial, isReadOnly])).toEqual(
    [
      ["vda", `rbd vms/${sampleServer.id}_disk`, sampleServer.id, false],
      ["hdb", expect.stringContaining("config-drive.iso"), undefined, true],
      ["vdb", nameSource(sampleHost, fileVolume.volume), fileVolume.volume.id, false],
      ["vdc", nameSource(sampleHost, rbdVolume.volume), rbdVolume.volume.id, true],
    ],
  );
});

test("a root disk that is a volume has the bus that the server's disks have", () => {
  const hardware = { ...sampleServer.hardware, diskBus: "sata" as const };
  const [root] = parseDomain(renderDomain(sampleHost, { ...volumeServer, hardware })).disks;
  expect(root?.target).toBe("sda");
});

test.each([
  [undefined, 0],
  ["q35", 16],
  ["virt", 16],
] as const)("a machine %s has %s ports for what is plugged in while it is on, and is", (machine, count) => {
  const hardware = { ...sampleServer.hardware, machine };
  const xml = renderDomain(sampleHost, { ...volumeServer, hardware });
  expect(xml.match(/pcie-root-port/g) ?? []).toHaveLength(count);
});

test("a file is no volume that guests could write to at the same time", () => {
  const shared = { ...fileVolume, isShared: true };
  expect(() => renderVolumeDisk(sampleHost, shared)).toThrow(
    expect.objectContaining({ code: "invalid-input", field: "isShared" }),
  );
  expect(renderVolumeDisk(sampleHost, { ...shared, isReadOnly: true })).toContain("<shareable/>");
});

test.each(["two\nlines", "a\u0000b", "\u001b[31m", "\ud800", "\u0085", "\ufffe"])(
  "the name %j is refused",
  (name) => {
    expect(() => renderDomain(sampleHost, { ...sampleServer, name })).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "title" }),
    );
  },
);

test.each([
  ["q35", sampleHost, "host-model"],
  ["virt", sampleHost, "host-passthrough"],
  ["virt", emulatedHost, "maximum"],
] as const)("a machine %s on a host has the CPU that works there", (machine, host, mode) => {
  const hardware = { ...sampleServer.hardware, machine };
  expect(renderDomain(host, { ...sampleServer, hardware })).toContain(`<cpu mode="${mode}"/>`);
});

test.each([
  ["q35", "ide"],
  ["pc-q35-7.2", "ide"],
  ["virt", "ide"],
  ["virt", "sata"],
] as const)("machine %s has no %s disks", (machine, diskBus) => {
  const hardware = { ...sampleServer.hardware, machine, diskBus };
  expect(() => renderDomain(sampleHost, { ...sampleServer, hardware })).toThrow(
    expect.objectContaining({ code: "invalid-input", field: "hardware.diskBus" }),
  );
});
