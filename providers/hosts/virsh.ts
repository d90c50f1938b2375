import { StackyardError } from "../core/errors.ts";
import { script, sh } from "./command.ts";
import type { Shell } from "./command.ts";
import type { CommandResult } from "./connection.ts";
import { attributeAt, elementsAt, parseXml, required, textAt } from "./xml.ts";
import type { XmlElement } from "./xml.ts";

/** States of a domain in virsh's words (libvirt: tools/virsh-domain-monitor.c, virshDomainState). */
const domainStates = [
  "no state",
  "running",
  "idle",
  "paused",
  "in shutdown",
  "shut off",
  "crashed",
  "pmsuspended",
] as const;

export type DomainState = (typeof domainStates)[number];

const diskDevices = ["disk", "cdrom", "floppy", "lun"] as const;

/** A disk of a domain. */
export interface DomainDisk {
  readonly device: (typeof diskDevices)[number];
  /** `qcow2`, `raw`, …; absent for an empty drive. */
  readonly format: string | undefined;
  /** Path, or the name within a network protocol; absent for an empty drive. */
  readonly source: string | undefined;
  /** Name in the guest's order: `vda`. */
  readonly target: string;
}

/** A network interface of a domain. */
export interface DomainInterface {
  readonly mac: string;
  /** Name of the tap; libvirt gives one at start where none was asked for. */
  readonly target: string | undefined;
  readonly bridge: string | undefined;
  readonly vlan: number | undefined;
  /** `iface-id` of the Open vSwitch port. */
  readonly interfaceId: string | undefined;
}

/** An element of the metadata, by its namespace. */
export interface DomainMetadata {
  readonly namespace: string;
  /** Local name. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A domain, of the elements that we use. */
export interface Domain {
  readonly uuid: string;
  readonly name: string;
  readonly title: string | undefined;
  /** `kvm`, `qemu`, … */
  readonly virtType: string;
  readonly machine: string | undefined;
  readonly vcpus: number;
  readonly ramMib: number;
  readonly disks: readonly DomainDisk[];
  readonly interfaces: readonly DomainInterface[];
  readonly metadata: readonly DomainMetadata[];
}

/** A domain of a host, with its state. */
export interface ListedDomain {
  readonly domain: Domain;
  readonly state: DomainState;
  /** Why it is in that state: `booted`, `destroyed`, …; `unknown` after a restart of libvirtd. */
  readonly reason: string;
}

/** What a host's hypervisor offers. */
export interface Capabilities {
  /** Architecture of the host. */
  readonly arch: string;
  /** What it can run. */
  readonly guests: readonly {
    readonly arch: string;
    /** `kvm`, `qemu`. An offer of kvm does not mean that it works: see probe.ts. */
    readonly virtTypes: readonly string[];
    readonly machines: readonly string[];
  }[];
}

const uri = "qemu:///system";

/** Stands between domains in the output of {@link listDomains}: in XML no name, whatever it is, can look like it. */
const separator = "<>";

/** All domains of the host with state and XML, by two calls of virsh. Read by {@link parseDomainList}. */
export function listDomains(): Shell {
  return sh`listed=$(virsh -q -c ${uri} list --all --uuid)
commands="echo ''"
for uuid in $listed; do
  commands="$commands; echo <>; domstate $uuid --reason; dumpxml $uuid"
done
virsh -q -c ${uri} "$commands"`;
}

/** One domain as {@link listDomains} gives it. */
export function showDomain(domain: string): Shell {
  return sh`virsh -q -c ${uri} domstate --reason --domain ${domain}
virsh -q -c ${uri} dumpxml --domain ${domain}`;
}

/** Defines, or redefines, from XML on standard input. */
export function defineDomain(): Shell {
  // Through a pipe: what a transport gives may be a socket, and those cannot be opened by a name (ENXIO).
  return sh`cat | virsh -q -c ${uri} define /dev/stdin`;
}

/** Starts a domain; one that runs is left as it is. */
export function startDomain(domain: string): Shell {
  return unlessInState(sh`virsh -q -c ${uri} start --domain ${domain}`, domain, "running");
}

/** Asks the guest to power off, and does not wait. One that is off is left as it is. */
export function shutdownDomain(domain: string): Shell {
  return unlessInState(sh`virsh -q -c ${uri} shutdown --domain ${domain}`, domain, "shut off");
}

/** Cuts the power. A domain that is off is left as it is. */
export function destroyDomain(domain: string): Shell {
  return unlessInState(sh`virsh -q -c ${uri} destroy --domain ${domain}`, domain, "shut off");
}

/** Asks the guest to reboot. */
export function rebootDomain(domain: string): Shell {
  return sh`virsh -q -c ${uri} reboot --domain ${domain}`;
}

/**
 * Cuts the power and takes the definition away, with all that libvirt keeps beside it: a domain with NVRAM, a saved state, snapshots or
 * checkpoints cannot be undefined without saying so. State of a TPM goes by default (virsh(1), undefine).
 */
export function removeDomain(domain: string): Shell {
  const flags = ["--nvram", "--managed-save", "--snapshots-metadata", "--checkpoints-metadata"];
  return script(destroyDomain(domain), sh`virsh -q -c ${uri} undefine --domain ${domain} ${flags}`);
}

/** Last lines of a console log; nothing where it is not there yet. */
export function tailConsole(path: string, lines: number): Shell {
  return sh`[ ! -e ${path} ] || tail -n ${lines} -- ${path}`;
}

function unlessInState(command: Shell, domain: string, state: DomainState): Shell {
  return sh`${command} || [ "$(virsh -q -c ${uri} domstate --domain ${domain})" = ${state} ]`;
}

/**
 * Whether a command of virsh failed only because the domain is not there. A look-up over a link to libvirtd that breaks says the same words
 * (libvirt: tools/virsh-util.c, virshLookupDomainInternal drops the cause): before taking it for gone, see that {@link listDomains} lacks it.
 */
export function isDomainNotFound(result: Pick<CommandResult, "exitCode" | "stderr">): boolean {
  const errors = result.stderr.split("\n").filter((line) => line.startsWith("error: "));
  const notFound = /^error: (?:failed to get domain '|Domain not found)/;
  return result.exitCode !== 0 && errors.length > 0 && errors.every((line) => notFound.test(line));
}

/** Reads the output of {@link listDomains}. Raises `command-failed` when a domain went while it was being read. */
export function parseDomainList(output: string): readonly ListedDomain[] {
  const [, ...blocks] = output.split(separator);
  return blocks.map(parseListedDomain);
}

/** Reads the output of {@link showDomain}. */
export function parseListedDomain(output: string): ListedDomain {
  const [, state, reason] = /^\s*(.+?) \((.+)\)\s*\n/.exec(output) ?? [];
  const known = domainStates.find((candidate) => candidate === state);
  const xml = output.indexOf("<domain");
  if (known === undefined || reason === undefined || xml < 0) {
    throw new StackyardError("command-failed", {
      message: "virsh gave no state or no XML for a domain that it listed",
      notes: [output.slice(0, 200)],
      remedy: "A domain may have gone in the meantime: run again.",
    });
  }
  return { domain: parseDomain(output.slice(xml)), state: known, reason };
}

/** Reads the XML of a domain (libvirt: formatdomain). Raises `command-failed` for anything else. */
export function parseDomain(xml: string): Domain {
  const domain = parseXml(xml, "domain");
  return {
    uuid: required(textAt(domain, "uuid"), "<uuid>"),
    name: required(textAt(domain, "name"), "<name>"),
    title: textAt(domain, "title"),
    virtType: required(domain.attributes["type"], "the type of the domain"),
    machine: attributeAt(domain, "machine", "os", "type"),
    vcpus: toCount(textAt(domain, "vcpu"), "<vcpu>"),
    ramMib: toMib(required(elementsAt(domain, "memory")[0], "<memory>")),
    disks: elementsAt(domain, "devices", "disk").map(toDisk),
    interfaces: elementsAt(domain, "devices", "interface").map(toInterface),
    metadata: elementsAt(domain, "metadata").flatMap((metadata) => metadata.children.map(toMetadata)),
  };
}

/** Reads the output of `virsh capabilities` (libvirt: formatcaps). Raises `command-failed` for anything else. */
export function parseCapabilities(xml: string): Capabilities {
  const capabilities = parseXml(xml, "capabilities");
  return {
    arch: required(textAt(capabilities, "host", "cpu", "arch"), "the host's <arch>"),
    guests: elementsAt(capabilities, "guest").map((guest) => ({
      arch: required(attributeAt(guest, "name", "arch"), "a guest's <arch>"),
      virtTypes: elementsAt(guest, "arch", "domain").flatMap((domain) => domain.attributes["type"] ?? []),
      machines: [
        ...new Set(
          [...elementsAt(guest, "arch", "machine"), ...elementsAt(guest, "arch", "domain", "machine")].map(
            (machine) => machine.text,
          ),
        ),
      ],
    })),
  };
}

/** Reads the output of `virsh nodeinfo`. Raises `command-failed` for anything else. */
export function parseNodeInfo(output: string): { readonly cpus: number; readonly ramMib: number } {
  const cpus = /^CPU\(s\):\s+(\d+)$/m.exec(output)?.[1];
  const kib = /^Memory size:\s+(\d+) KiB$/m.exec(output)?.[1];
  return { cpus: toCount(cpus, "CPU(s)"), ramMib: Math.floor(toCount(kib, "Memory size") / 1024) };
}

function toDisk(disk: XmlElement): DomainDisk {
  const device = disk.attributes["device"] ?? "disk";
  return {
    device: required(
      diskDevices.find((known) => known === device),
      `a known kind of disk: ${device}`,
    ),
    format: attributeAt(disk, "type", "driver"),
    source: ["file", "name", "dev"].flatMap((kind) => attributeAt(disk, kind, "source") ?? [])[0],
    target: required(attributeAt(disk, "dev", "target"), "the target of a disk"),
  };
}

function toInterface(element: XmlElement): DomainInterface {
  const vlan = attributeAt(element, "id", "vlan", "tag");
  return {
    mac: required(attributeAt(element, "address", "mac"), "the mac of an interface"),
    target: attributeAt(element, "dev", "target"),
    bridge: attributeAt(element, "bridge", "source"),
    vlan: vlan === undefined ? undefined : toCount(vlan, "the vlan of an interface"),
    interfaceId: attributeAt(element, "interfaceid", "virtualport", "parameters"),
  };
}

/** libvirt keeps the prefix and its declaration on each child of `<metadata>`. */
function toMetadata(element: XmlElement): DomainMetadata {
  const [prefix, local] = element.name.includes(":") ? element.name.split(":", 2) : ["", element.name];
  const declaration = prefix === "" ? "xmlns" : `xmlns:${String(prefix)}`;
  const { [declaration]: namespace = "", ...attributes } = element.attributes;
  return { namespace, name: local ?? "", attributes };
}

/** Units that libvirt and our templates write (libvirt: formatdomain, memory). */
const mibOf: Readonly<Record<string, number>> = { KiB: 1 / 1024, MiB: 1, GiB: 1024 };

function toMib(memory: XmlElement): number {
  const unit = memory.attributes["unit"] ?? "KiB";
  return Math.floor(
    toCount(memory.text, "<memory>") * required(mibOf[unit], `a known unit of memory: ${unit}`),
  );
}

function toCount(text: string | undefined, what: string): number {
  const count = Number(text);
  return required(text !== undefined && Number.isSafeInteger(count) && count >= 0 ? count : undefined, what);
}
