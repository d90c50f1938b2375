import { describe, expect, it } from "vitest";
import { canInstall, listLacks, parseHostFacts, requireSuitable } from "../../../providers/hosts/probe.ts";
import type { HostLacks } from "../../../providers/hosts/probe.ts";

const capabilities = (virtType: string): string =>
  `<capabilities><host><cpu><arch>x86_64</arch></cpu></host><guest><arch name='x86_64'><domain type='qemu'/><domain type='${virtType}'/></arch></guest></capabilities>`;

const lines = [
  "arch x86_64",
  "cpus 8",
  "ramKib 16777216",
  "diskKib 104857600",
  "kvm opens",
  "cpuFlags 8",
  "module kvm_amd",
  "module openvswitch",
  "ovsVersion 3.1.0",
  "datapaths [netdev, system]",
  "libvirtVersion 9.0.0",
  "qemuVersion 7.2.22",
  "program apt-get",
  "program systemd",
];
const addresses = `@@ addresses
[{"ifname":"lo","addr_info":[{"local":"127.0.0.1","prefixlen":8,"scope":"host"}]},{"ifname":"eth0","addr_info":[{"local":"10.0.0.1","prefixlen":24,"scope":"global"}]},{"ifname":"gone"}]`;
const answer = (change: (text: string) => string = (text) => text, virtType = "kvm"): string =>
  [change(lines.join("\n")), addresses, "@@ capabilities", capabilities(virtType)].join("\n");

describe("parseHostFacts", () => {
  it("reads what the host is", () => {
    expect(parseHostFacts(answer())).toEqual({
      arch: "x86_64",
      cpus: 8,
      ramMib: 16384,
      diskGib: 100,
      libvirtVersion: "9.0.0",
      qemuVersion: "7.2.22",
      ovsVersion: "3.1.0",
      missingTools: [],
      hasLibvirtd: true,
      hasEmulator: true,
      hasApt: true,
      hasSystemd: true,
      addresses: [{ interface: "eth0", address: "10.0.0.1", prefix: 24 }],
      datapaths: ["system", "netdev"],
      virtType: "kvm",
      virtTypeReason: "/dev/kvm opens, the processor can, and libvirt offers it",
    });
  });

  it.each([
    ["there is no /dev/kvm", "kvm opens", "kvm absent"],
    ["/dev/kvm cannot be opened", "kvm opens", "kvm closed"],
    ["/dev/kvm opens, but the processor has neither vmx nor svm", "cpuFlags 8", "cpuFlags 0"],
    ["/dev/kvm is of kvm_pvm, which runs no full guests", "module kvm_amd", "module kvm_pvm"],
  ])("emulates where %s", (virtTypeReason, from, to) => {
    expect(parseHostFacts(answer((text) => text.replace(from, to)))).toMatchObject({
      virtType: "qemu",
      virtTypeReason,
    });
  });

  it("emulates where libvirt does not offer kvm", () => {
    expect(parseHostFacts(answer(undefined, "xen"))).toMatchObject({
      virtType: "qemu",
      virtTypeReason: "libvirt does not offer kvm",
    });
  });

  it("does not look for x86's flags on other processors", () => {
    const text = answer((all) =>
      all.replace("arch x86_64", "arch aarch64").replace("cpuFlags 8", "cpuFlags 0"),
    );
    expect(parseHostFacts(text.replace("<arch name='x86_64'>", "<arch name='aarch64'>")).virtType).toBe(
      "kvm",
    );
  });

  it("has no kernel datapath without the kernel's module, whatever Open vSwitch lists", () => {
    expect(parseHostFacts(answer((text) => text.replace("module openvswitch\n", ""))).datapaths).toEqual([
      "netdev",
    ]);
  });

  it("does not take Open vSwitch's tools for its service", () => {
    const facts = parseHostFacts(answer((text) => text.replace("datapaths [netdev, system]\n", "")));
    expect(facts).toMatchObject({ ovsVersion: undefined, datapaths: [] });
  });

  it.each(["", "arch x86_64", answer((text) => text.replace("cpus 8", "cpus many"))])(
    "refuses %j",
    (text) => {
      expect(() => parseHostFacts(text)).toThrow(
        expect.objectContaining({ code: "command-failed" }) as Error,
      );
    },
  );
});

describe("requireSuitable", () => {
  it("is content with a host that has all", () => {
    expect(() => requireSuitable("kvm1", parseHostFacts(answer()))).not.toThrow();
  });

  it("names all that is missing, and one command that installs it", () => {
    const bare = answer((text) =>
      text
        .replace(/\nlibvirtVersion.*\nqemuVersion.*/, "")
        .concat("\nmissing virsh\nmissing ip\nmissing dnsmasq"),
    );
    expect(() => requireSuitable("kvm1", parseHostFacts(bare))).toThrow(
      expect.objectContaining({
        code: "host-unsuitable",
        message:
          "Host kvm1 cannot run servers: dnsmasq is missing; ip is missing; virsh is missing; libvirtd does not answer at qemu:///system; QEMU for x86_64 is missing",
        remedy:
          "On the host: apt-get install -y --no-install-recommends dnsmasq-base iproute2 libvirt-clients libvirt-daemon-system qemu-system-x86",
      }) as Error,
    );
  });

  it("says that a service is to be started where nothing is to be installed", () => {
    const stopped = answer((text) => text.replace("datapaths [netdev, system]\n", ""));
    expect(() => requireSuitable("kvm1", parseHostFacts(stopped))).toThrow(
      expect.objectContaining({ remedy: "Start the service on the host." }) as Error,
    );
  });

  it("leaves the means to a host that has no apt", () => {
    const bare = answer((text) => text.replace("program apt-get\n", "").concat("\nmissing ip"));
    expect(() => requireSuitable("kvm1", parseHostFacts(bare))).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining("The host has no apt") as unknown }) as Error,
    );
  });
});

describe("what a host lacks", () => {
  const lacksOf = (change: (text: string) => string): HostLacks => listLacks(parseHostFacts(answer(change)));
  const withoutDaemons = (text: string): string =>
    text.replace(/\nlibvirtVersion.*\nqemuVersion.*/, "").replace("datapaths [netdev, system]\n", "");

  it("is nothing on one that has all", () => {
    expect(lacksOf((text) => text)).toEqual({ problems: [], packages: [], services: [] });
  });

  it("is services alone where their programs are there", () => {
    const programs = "\nprogram libvirtd\nprogram qemu-system-x86_64";
    expect(lacksOf((text) => withoutDaemons(text) + programs)).toMatchObject({
      packages: [],
      services: ["libvirt", "openvswitch"],
    });
  });

  it("is QEMU where libvirt answers without it, by the architecture", () => {
    const lacks = lacksOf((text) => text.replace(/\nqemuVersion.*/, "").replace("x86_64", "aarch64"));
    expect(lacks).toMatchObject({ packages: ["qemu-system-arm"], services: [] });
  });

  it.each([
    ["packages, with apt", "missing ip", [], true],
    ["packages, without apt", "missing ip", ["apt-get"], false],
    ["packages, with apt and without systemd", "missing ip", ["systemd"], true],
    ["a service, without systemd", "", ["systemd"], false],
    ["a service, with systemd", "", ["apt-get"], true],
  ])("can be had, or not: %s", (_what, more, without, expected) => {
    const facts = parseHostFacts(
      answer((text) =>
        without.reduce(
          (rest, program) => rest.replace(`\nprogram ${program}`, ""),
          `${text.replace("datapaths [netdev, system]\n", "")}\n${more}`,
        ),
      ),
    );
    expect(canInstall(facts, listLacks(facts))).toBe(expected);
  });
});
