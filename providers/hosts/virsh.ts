import { StackyardError } from "../core/errors.ts";
import { sh } from "./command.ts";
import type { Shell } from "./command.ts";
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

/** A disk of a domain. */
export interface DomainDisk {
  /** Path, or protocol and name of one in a network (`rbd POOL/IMAGE`); absent for an empty drive. */
  readonly source: string | undefined;
  /** Name in the guest's order: `vda`. */
  readonly target: string;
  /** What a guest knows it by; absent where it was given none. */
  readonly serial: string | undefined;
  readonly isReadOnly: boolean;
  /** Uuid of the secret with its key; absent for one that is not encrypted. */
  readonly secretId: string | undefined;
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
  readonly attributes: Readonly<Record<string, string>>;
}

/** A domain, of the elements that we use. */
export interface Domain {
  readonly uuid: string;
  readonly name: string;
  readonly title: string | undefined;
  readonly vcpus: number;
  /** Of {@link Domain.vcpus} those that are plugged in. */
  readonly currentVcpus: number;
  readonly ramMib: number;
  /** What the balloon leaves of {@link Domain.ramMib}. */
  readonly currentRamMib: number;
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

/** A domain in full: as it runs, and as it would be started again. */
export interface DescribedDomain extends ListedDomain {
  /** What is kept of the domain for its next start. */
  readonly definition: Domain;
  /** Whether it has no such definition, and is gone once it stops. */
  readonly isTransient: boolean;
  /** Whether the host starts it when it boots; absent where libvirt keeps its definitions elsewhere. */
  readonly isAutostarted: boolean | undefined;
  readonly processId: number | undefined;
}

/** What guests of one architecture a host's hypervisor offers. */
export interface GuestOffer {
  readonly arch: string;
  /** `kvm`, `qemu`. An offer of kvm does not mean that it works: see probe.ts. */
  readonly virtTypes: readonly string[];
}

const uri = "qemu:///system";

/**
 * Stands between domains in the output of {@link listDomains} and {@link describeDomains}. No text or attribute of XML holds a `<`, no comment `--`, no
 * CDATA section `]]>`, no instruction `?>`: whatever is in a domain, its metadata too, cannot look like it.
 */
export const domainSeparator = "<--]]>?>";

/** All domains of the host with state and XML, by two calls of virsh. Read by {@link parseDomainList}. */
export function listDomains(): Shell {
  return sh`separator=${domainSeparator}
listed=$(virsh -q -c ${uri} list --all --uuid)
commands="echo ''"
for uuid in $listed; do
  commands="$commands; echo $separator; domstate $uuid --reason; dumpxml $uuid"
done
virsh -q -c ${uri} "$commands"`;
}

/** Reads the output of {@link listDomains}. Raises `command-failed` when a domain went while it was being read. */
export function parseDomainList(output: string): readonly ListedDomain[] {
  return splitDomainList(output).map(parseListedDomain);
}

/** The output of {@link listDomains}, a piece a domain: what {@link parseListedDomain} reads. */
export function splitDomainList(output: string): readonly string[] {
  const [, ...blocks] = output.split(domainSeparator);
  return blocks;
}

/** Domains that one call of virsh describes: its commands are one argument, which has a largest size. */
const domainsPerCall = 200;

/** Domains with one of these uuids or names, in full. Read by {@link parseDescriptions}. */
export function describeDomains(uuids: readonly string[], names: readonly string[]): Shell {
  const wanted = ` ${[...uuids, ...names].join(" ")} `;
  return sh`wanted=${wanted} definitions=/etc/libvirt/qemu separator=${domainSeparator}
libvirt() { virsh -q -c ${uri} "$@" < /dev/null; }
seen=$(libvirt "list --all --uuid --name")
printf '%s\n' "$seen" | {
  commands= count=0
  look() { [ -z "$commands" ] || libvirt "$commands"; }
  while read -r uuid name; do
    [ -n "$uuid" ] || continue
    case $wanted in (*" $uuid "*|*" $name "*) ;; (*) continue ;; esac
    pid= kept=persistent
    { read -r pid < "/run/libvirt/qemu/$name.pid"; } 2> /dev/null || true
    case $pid in (*[!0-9]*) pid= ;; esac
    autostart=unknown
    if [ -d "$definitions" ]; then
      [ -e "$definitions/$name.xml" ] || kept=transient
      if [ -L "$definitions/autostart/$name.xml" ]; then autostart=on; else autostart=off; fi
    fi
    commands="$commands echo $separator $kept autostart:$autostart process:$pid,; domstate $uuid --reason; dumpxml $uuid; echo $separator; dumpxml --inactive $uuid;"
    count=$((count + 1))
    if [ "$count" -eq ${domainsPerCall} ]; then look; commands= count=0; fi
  done
  look
}`;
}

/** How a description begins: virsh ends the words of its `echo` with no line break when it is quiet. */
const descriptionHead = /^ (persistent|transient) autostart:(on|off|unknown) process:(\d*),/;

/** Reads the output of {@link describeDomains}. Raises `command-failed` when a domain went while it was being read. */
export function parseDescriptions(output: string): readonly DescribedDomain[] {
  const [, ...blocks] = output.split(domainSeparator);
  return blocks.flatMap((block, index) => {
    if (index % 2 === 1) return [];
    const [head = "", kept, autostart, processId = ""] = descriptionHead.exec(block) ?? [];
    return [
      {
        ...parseListedDomain(block.slice(head.length)),
        definition: parseDomain(required(blocks[index + 1], "the definition of a domain")),
        isTransient: kept === "transient",
        isAutostarted: autostart === "unknown" ? undefined : autostart === "on",
        processId: processId === "" ? undefined : Number(processId),
      },
    ];
  });
}

/** Reads what virsh says of one domain: its state with the reason, then its XML. */
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
  const vcpus = toCount(textAt(domain, "vcpu"), "<vcpu>");
  const ramMib = toMib(required(elementsAt(domain, "memory")[0], "<memory>"));
  const plugged = attributeAt(domain, "current", "vcpu");
  const [balloon] = elementsAt(domain, "currentMemory");
  return {
    uuid: required(textAt(domain, "uuid"), "<uuid>"),
    name: required(textAt(domain, "name"), "<name>"),
    title: textAt(domain, "title"),
    vcpus,
    currentVcpus: plugged === undefined ? vcpus : toCount(plugged, "the current <vcpu>"),
    ramMib,
    currentRamMib: balloon === undefined ? ramMib : toMib(balloon),
    disks: elementsAt(domain, "devices", "disk").map(toDisk),
    interfaces: elementsAt(domain, "devices", "interface").map(toInterface),
    metadata: elementsAt(domain, "metadata").flatMap((metadata) => metadata.children.map(toMetadata)),
  };
}

/** Reads the output of `virsh capabilities` (libvirt: formatcaps). Raises `command-failed` for anything else. */
export function parseCapabilities(xml: string): readonly GuestOffer[] {
  return elementsAt(parseXml(xml, "capabilities"), "guest").map((guest) => ({
    arch: required(attributeAt(guest, "name", "arch"), "a guest's <arch>"),
    virtTypes: elementsAt(guest, "arch", "domain").flatMap((domain) => domain.attributes["type"] ?? []),
  }));
}

function toDisk(disk: XmlElement): DomainDisk {
  const [source] = ["file", "name", "dev"].flatMap((kind) => attributeAt(disk, kind, "source") ?? []);
  const protocol = attributeAt(disk, "protocol", "source");
  return {
    source: protocol === undefined || source === undefined ? source : `${protocol} ${source}`,
    target: required(attributeAt(disk, "dev", "target"), "the target of a disk"),
    serial: textAt(disk, "serial"),
    isReadOnly: elementsAt(disk, "readonly").length > 0,
    secretId:
      attributeAt(disk, "uuid", "source", "encryption", "secret") ??
      attributeAt(disk, "uuid", "encryption", "secret"),
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
  const colon = element.name.indexOf(":");
  const declaration = colon < 0 ? "xmlns" : `xmlns:${element.name.slice(0, colon)}`;
  const { [declaration]: namespace = "", ...attributes } = element.attributes;
  return { namespace, attributes };
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
