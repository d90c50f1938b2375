import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import { script, sh } from "./command.ts";
import type { Shell } from "./command.ts";
import { parseCapabilities } from "./virsh.ts";

/** Tools that we run on hosts. */
export const hostTools = [
  "curl",
  "dnsmasq",
  "ethtool",
  "flock",
  "genisoimage",
  "ip",
  "ovs-vsctl",
  "qemu-img",
  "virsh",
] as const;

export type HostTool = (typeof hostTools)[number];

/** Debian package of each tool. */
export const toolPackages: Readonly<Record<HostTool, string>> = {
  curl: "curl",
  dnsmasq: "dnsmasq-base",
  ethtool: "ethtool",
  flock: "util-linux",
  genisoimage: "genisoimage",
  ip: "iproute2",
  "ovs-vsctl": "openvswitch-switch",
  "qemu-img": "qemu-utils",
  virsh: "libvirt-clients",
};

/** An address of a host. */
export interface HostInterfaceAddress {
  readonly interface: string;
  readonly address: string;
  readonly prefix: number;
}

/** What a host is. */
export interface HostFacts {
  /** As `uname -m` says: `x86_64`, `aarch64`. */
  readonly arch: string;
  readonly cpus: number;
  readonly ramMib: number;
  /** Size of the file system where the images go. */
  readonly diskGib: number;
  /** Absent where libvirtd does not answer. */
  readonly libvirtVersion: string | undefined;
  readonly qemuVersion: string | undefined;
  /** Absent where ovs-vswitchd's database does not answer. */
  readonly ovsVersion: string | undefined;
  readonly missingTools: readonly HostTool[];
  /** Whether a daemon of libvirt's for QEMU is there, be it that it answers or not. */
  readonly hasLibvirtd: boolean;
  /** Whether QEMU is there for guests of the host's own architecture. */
  readonly hasEmulator: boolean;
  /** Whether packages are installed by apt. */
  readonly hasApt: boolean;
  /** Whether services are systemd's. */
  readonly hasSystemd: boolean;
  /** IPv4 and IPv6 addresses, loopback aside. */
  readonly addresses: readonly HostInterfaceAddress[];
  /** `system` needs the kernel's module, `netdev` forwards in user space. */
  readonly datapaths: readonly ("system" | "netdev")[];
  readonly virtType: "kvm" | "qemu";
  /** Why {@link HostFacts.virtType} is what it is. */
  readonly virtTypeReason: string;
}

/** What a host lacks to run servers. */
export interface HostLacks {
  /** What is wrong, in words. */
  readonly problems: readonly string[];
  /** Debian packages that it lacks, sorted. */
  readonly packages: readonly string[];
  /** Services that do not answer. */
  readonly services: readonly HostService[];
}

/** A service that hosts run; its systemd units, of which a host has one. */
export type HostService = keyof typeof serviceUnits;
export const serviceUnits = {
  libvirt: ["libvirtd.service", "virtqemud.service"],
  openvswitch: ["openvswitch-switch.service", "openvswitch.service"],
} as const;

/** All that is missing on a host at once, and how to get it on Debian. */
export function listLacks(facts: HostFacts): HostLacks {
  const packages = facts.missingTools.map((tool) => toolPackages[tool]);
  const problems = facts.missingTools.map((tool) => `${tool} is missing`);
  const services: HostService[] = [];
  if (facts.libvirtVersion === undefined) {
    problems.push("libvirtd does not answer at qemu:///system");
    services.push("libvirt");
    if (!facts.hasLibvirtd) packages.push("libvirt-daemon-system");
  }
  if (!facts.hasEmulator) {
    problems.push(`QEMU for ${facts.arch} is missing`);
    packages.push(emulatorPackages[facts.arch] ?? "qemu-system");
  }
  if (facts.ovsVersion === undefined) {
    services.push("openvswitch");
    if (!facts.missingTools.includes("ovs-vsctl"))
      problems.push("Open vSwitch does not answer: is openvswitch-switch running?");
  }
  if (facts.ovsVersion !== undefined && facts.datapaths.length === 0) {
    problems.push("Open vSwitch has neither the kernel's datapath nor one in user space");
  }
  return { problems, packages: [...new Set(packages)].toSorted(), services };
}

/**
 * Whether what the host lacks can be had by installing packages with apt and starting services of systemd. Not for a service that does not answer, where no
 * package is missing and nobody starts services.
 */
export function canInstall({ hasApt, hasSystemd }: HostFacts, { packages, services }: HostLacks): boolean {
  return packages.length > 0 ? hasApt : services.length > 0 && hasSystemd;
}

/** Raises `host-unsuitable` with all that is missing on a host at once. */
export function requireSuitable(name: string, facts: HostFacts): void {
  const { problems, packages } = listLacks(facts);
  if (problems.length === 0) return;
  throw new StackyardError("host-unsuitable", {
    message: `Host ${name} cannot run servers: ${problems.join("; ")}`,
    remedy: packages.length === 0 ? "Start the service on the host." : describeInstallation(facts, packages),
  });
}

/** The command that installs packages, or the names to look for elsewhere. */
export function describeInstallation(
  { hasApt }: Pick<HostFacts, "hasApt">,
  packages: readonly string[],
): string {
  return hasApt
    ? `On the host: apt-get install -y --no-install-recommends ${packages.join(" ")}`
    : `The host has no apt: install there, by its own means, what Debian has as ${packages.join(" ")}, and start libvirtd and Open vSwitch.`;
}

/** Debian package of QEMU by architecture. */
const emulatorPackages: Readonly<Record<string, string>> = {
  x86_64: "qemu-system-x86",
  aarch64: "qemu-system-arm",
};

/** Between the sections of the answer; no JSON or XML has it at the start of a line. */
const sectionMark = "@@ ";

/** Asks a host all that decides how it can be used. Read by {@link parseHostFacts}: `key value` lines, then sections; what a host lacks leaves its line out. */
export function describeHost(folder: string): Shell {
  return script(sh`say() { printf '%s %s\n' "$1" "$2"; }
say arch "$(uname -m)"
say cpus "$(nproc)"
say ramKib "$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
folder=${folder}
while [ ! -d "$folder" ]; do folder=$(dirname -- "$folder"); done
df -P -k -- "$folder" | { read -r header; read -r device size rest; say diskKib "$size"; }
for tool in ${hostTools}; do command -v "$tool" > /dev/null || say missing "$tool"; done
for program in apt-get libvirtd virtqemud "qemu-system-$(uname -m)"; do
  ! command -v "$program" > /dev/null || say program "$program"
done
[ ! -d /run/systemd/system ] || say program systemd
if [ ! -e /dev/kvm ]; then say kvm absent
elif ( exec 3<> /dev/kvm ) 2> /dev/null; then say kvm opens
else say kvm closed
fi
say cpuFlags "$(grep -c -w -E -e vmx -e svm /proc/cpuinfo || :)"
for module in kvm_pvm kvm_amd kvm_intel; do [ ! -d "/sys/module/$module" ] || say module "$module"; done
if [ -d /sys/module/openvswitch ] || modprobe -n -q openvswitch 2> /dev/null; then say module openvswitch; fi
ovs-vsctl --version 2> /dev/null | sed -n '1s/.* /ovsVersion /p'
ovs-vsctl --timeout=5 get Open_vSwitch . datapath_types 2> /dev/null | sed 's/^/datapaths /'
virsh -q -c qemu:///system version 2> /dev/null | sed -n -e 's/^Using library: libvirt /libvirtVersion /p' -e 's/^Running hypervisor: QEMU /qemuVersion /p'
echo '@@ addresses'
ip -json address show 2> /dev/null || echo '[]'
echo '@@ capabilities'
virsh -q -c qemu:///system capabilities 2> /dev/null || :`);
}

const linesSchema = z.object({
  arch: z.string().min(1),
  cpus: z.coerce.number().int().positive(),
  ramKib: z.coerce.number().int().positive(),
  diskKib: z.coerce.number().int().nonnegative(),
  kvm: z.enum(["absent", "closed", "opens"]),
  cpuFlags: z.coerce.number().int().nonnegative(),
  libvirtVersion: z.string().optional(),
  qemuVersion: z.string().optional(),
  ovsVersion: z.string().optional(),
  datapaths: z.string().optional(),
});

const addressesSchema = z.array(
  z.object({
    ifname: z.string(),
    addr_info: z
      .array(z.object({ local: z.string().optional(), prefixlen: z.int(), scope: z.string() }))
      .default([]),
  }),
);

const mib = 1024;
const gib = 1024 * 1024;

/** Reads the answer of a host. */
export function parseHostFacts(output: string): HostFacts {
  const [head = "", ...rest] = `\n${output}`.split(`\n${sectionMark}`);
  const sections = new Map(rest.map((section) => cut(section, "\n")));
  const pairs = head
    .trim()
    .split("\n")
    .map((line) => cut(line, " "));
  const all = (key: string): readonly string[] =>
    pairs.filter(([name]) => name === key).map(([, value]) => value);
  const has = (program: string): boolean => all("program").includes(program);
  try {
    const lines = linesSchema.parse(Object.fromEntries(pairs));
    const addresses = addressesSchema.parse(JSON.parse(sections.get("addresses") ?? ""));
    const capabilities = lines.libvirtVersion === undefined ? "" : (sections.get("capabilities") ?? "");
    const modules = all("module");
    const datapaths = lines.datapaths ?? "";
    return {
      arch: lines.arch,
      cpus: lines.cpus,
      ramMib: Math.floor(lines.ramKib / mib),
      diskGib: Math.floor(lines.diskKib / gib),
      libvirtVersion: lines.libvirtVersion,
      qemuVersion: lines.qemuVersion,
      // The tool answers without the daemon; the datapaths come from the daemon.
      ovsVersion: lines.datapaths === undefined ? undefined : lines.ovsVersion,
      missingTools: hostTools.filter((tool) => all("missing").includes(tool)),
      hasLibvirtd: lines.libvirtVersion !== undefined || has("libvirtd") || has("virtqemud"),
      // Some distributions have it where only libvirt looks.
      hasEmulator: lines.qemuVersion !== undefined || has(`qemu-system-${lines.arch}`),
      hasApt: has("apt-get"),
      hasSystemd: has("systemd"),
      addresses: addresses.flatMap(toAddresses),
      datapaths: [
        ...(datapaths.includes("system") && modules.includes("openvswitch") ? ["system" as const] : []),
        ...(datapaths.includes("netdev") ? ["netdev" as const] : []),
      ],
      ...judgeVirtType({ ...lines, modules, isOffered: offersKvm(capabilities, lines.arch) }),
    };
  } catch (cause) {
    if (cause instanceof StackyardError) throw cause;
    throw new StackyardError("command-failed", {
      message: "A host described itself in an unknown way",
      cause,
    });
  }
}

function cut(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

function toAddresses(device: z.output<typeof addressesSchema>[number]): readonly HostInterfaceAddress[] {
  return device.addr_info.flatMap(({ local, prefixlen, scope }) =>
    local === undefined || scope === "host"
      ? []
      : [{ interface: device.ifname, address: local, prefix: prefixlen }],
  );
}

/** Whether libvirt offers KVM for guests of the host's own architecture; not where it does not answer. */
function offersKvm(capabilities: string, arch: string): boolean {
  if (capabilities.trim() === "") return false;
  return parseCapabilities(capabilities).some(
    (guest) => guest.arch === arch && guest.virtTypes.includes("kvm"),
  );
}

/**
 * Whether guests can run under KVM. A `/dev/kvm` that opens may still be unusable: kvm_pvm opens it on processors without virtualisation, and
 * guests hang in their firmware (measured). A host may be told otherwise (`virtType`).
 */
function judgeVirtType(seen: {
  readonly arch: string;
  readonly kvm: "absent" | "closed" | "opens";
  readonly cpuFlags: number;
  readonly modules: readonly string[];
  readonly isOffered: boolean;
}): Pick<HostFacts, "virtType" | "virtTypeReason"> {
  const qemu = (virtTypeReason: string): ReturnType<typeof judgeVirtType> => ({
    virtType: "qemu",
    virtTypeReason,
  });
  if (seen.kvm === "absent") return qemu("there is no /dev/kvm");
  if (seen.kvm === "closed") return qemu("/dev/kvm cannot be opened");
  const isX86 = seen.arch === "x86_64";
  const hasDriver = seen.modules.includes("kvm_amd") || seen.modules.includes("kvm_intel");
  if (isX86 && seen.cpuFlags === 0) return qemu("/dev/kvm opens, but the processor has neither vmx nor svm");
  if (isX86 && seen.modules.includes("kvm_pvm") && !hasDriver) {
    return qemu("/dev/kvm is of kvm_pvm, which runs no full guests");
  }
  if (!seen.isOffered) return qemu("libvirt does not offer kvm");
  return { virtType: "kvm", virtTypeReason: "/dev/kvm opens, the processor can, and libvirt offers it" };
}
