import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  parseCapabilities,
  parseDomain,
  domainSeparator,
  parseDomainList,
  parseListedDomain,
} from "../../../providers/hosts/virsh.ts";

/** As libvirt 9.0 printed it, shortened. */
const xml = `<domain type='qemu' id='1'>
  <name>stackyard-1</name>
  <uuid>11111111-2222-4333-8444-555555555555</uuid>
  <title>&lt;b&gt; &amp; &apos;; rm -rf&#10;&#xe4;</title>
  <metadata>
    <sy:server xmlns:sy="https://example.org/1" cloud="c1" id="&quot;x&quot;"/>
    <plain xmlns="urn:other"/>
  </metadata>
  <memory unit='KiB'>65536</memory>
  <vcpu placement='static'>2</vcpu>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/a.qcow2' index='2'/><backingStore/><target dev='vda' bus='virtio'/></disk>
    <disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='rbd' name='vms/1'/><target dev='vdb'/><serial>volume 1</serial></disk>
    <disk type='file' device='cdrom'><driver name='qemu'/><target dev='sda' bus='sata'/><readonly/></disk>
    <interface type='bridge'><mac address='52:54:00:00:01:01'/><source bridge='br-int'/><vlan><tag id='101'/></vlan>
      <virtualport type='openvswitch'><parameters interfaceid='eaf02aae'/></virtualport><target dev='tap0abc'/><model type='virtio'/></interface>
    <interface type='user'><mac address='52:54:00:00:01:02'/></interface>
  </devices>
</domain>`;

describe("parseDomain", () => {
  it("reads what we use", () => {
    expect(parseDomain(xml)).toEqual({
      uuid: "11111111-2222-4333-8444-555555555555",
      name: "stackyard-1",
      title: "<b> & '; rm -rf\nä",
      vcpus: 2,
      currentVcpus: 2,
      ramMib: 64,
      currentRamMib: 64,
      disks: [
        { source: "/a.qcow2", target: "vda", serial: undefined, isReadOnly: false },
        { source: "rbd vms/1", target: "vdb", serial: "volume 1", isReadOnly: false },
        { source: undefined, target: "sda", serial: undefined, isReadOnly: true },
      ],
      interfaces: [
        { mac: "52:54:00:00:01:01", target: "tap0abc", bridge: "br-int", vlan: 101, interfaceId: "eaf02aae" },
        {
          mac: "52:54:00:00:01:02",
          target: undefined,
          bridge: undefined,
          vlan: undefined,
          interfaceId: undefined,
        },
      ],
      metadata: [
        { namespace: "https://example.org/1", attributes: { cloud: "c1", id: '"x"' } },
        { namespace: "urn:other", attributes: {} },
      ],
    });
  });

  it.each([
    ["nothing", ""],
    ["words", "error: no such thing"],
    ["another document", "<network/>"],
    ["a domain without a name", xml.replace(/<name>.*<\/name>/, "")],
    ["memory in other units", xml.replace("KiB", "pages")],
    ["a number that is none", xml.replace(">2<", ">two<")],
  ])("refuses %s", (_what, text) => {
    expect(() => parseDomain(text)).toThrow(expect.objectContaining({ code: "command-failed" }) as Error);
  });
});

describe("parseDomainList", () => {
  it("reads state, reason and XML of each domain", () => {
    const output = `${domainSeparator}running (booted)\n\n${xml}\n${domainSeparator}shut off (unknown)\n\n${xml.replace("stackyard-1", "b")}\n`;
    const listed = parseDomainList(output);
    expect(listed.map(({ domain, state, reason }) => [domain.name, state, reason])).toEqual([
      ["stackyard-1", "running", "booted"],
      ["b", "shut off", "unknown"],
    ]);
  });

  it.each(["<!-- <> -->", "<![CDATA[<> shut off (x)\n<domain/>]]>", "<?odd <> ?>"])(
    "takes nothing that stands in a domain for the next one: %s",
    (odd) => {
      const held = xml.replace(
        "</domain>",
        `<metadata><x:odd xmlns:x="urn:x">${odd}</x:odd></metadata></domain>`,
      );
      const output = [held, xml].map((text) => `${domainSeparator}running (booted)\n\n${text}\n`).join("");
      expect(parseDomainList(output).map(({ domain }) => domain.name)).toEqual([
        "stackyard-1",
        "stackyard-1",
      ]);
    },
  );

  it("reads a host without domains", () => {
    expect(parseDomainList("\n")).toEqual([]);
  });

  it("does not take a domain that could not be read for absent", () => {
    expect(() => parseDomainList(`${domainSeparator}${domainSeparator}running (booted)\n\n${xml}`)).toThrow(
      "no state or no XML",
    );
  });
});

describe("parseListedDomain", () => {
  it("refuses a state that it does not know", () => {
    expect(() => parseListedDomain(`dreaming (deeply)\n\n${xml}`)).toThrow("no state");
  });
});

describe("parseCapabilities", () => {
  const offers = parseCapabilities(
    readFileSync(new URL("../../fixtures/hosts/capabilities.xml", import.meta.url), "utf8"),
  );

  it("tells what guests can be", () => {
    expect(offers.map(({ arch, virtTypes }) => [arch, virtTypes])).toEqual([
      ["i686", ["qemu", "kvm"]],
      ["x86_64", ["qemu", "kvm"]],
    ]);
  });
});
