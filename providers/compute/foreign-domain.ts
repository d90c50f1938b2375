import type { ForeignDisk, ForeignDomain, ForeignFile, ForeignInterface } from "../core/adoption.ts";
import { StackyardError } from "../core/errors.ts";
import { brandId, isUuid } from "../core/ids.ts";
import type { ComputeHost } from "../core/ports.ts";
import { script, sh, type Shell } from "../hosts/command.ts";
import type { HostPool } from "../hosts/pool.ts";
import {
  listDomains,
  parseListedDomain,
  splitDomainList,
  type Domain,
  type DomainMetadata,
  type ListedDomain,
} from "../hosts/virsh.ts";
import { attributeAt, elementsAt, parseXml, required, textAt, type XmlElement } from "../hosts/xml.ts";
import { toState } from "./domain-state.ts";
import {
  identifyFiles,
  lookAtFiles,
  lookAtNeeds,
  part,
  partsOfFile,
  readFile,
  readIdentities,
  readNeeds,
  type Need,
} from "./foreign-file.ts";
import { diskFile } from "./layout.ts";
import { domainNamespace } from "./marks.ts";

/** Longest that a look at a host's domains and their disks may take. */
const lookTimeoutMs = 120_000;

/** Metadata of managers that would go on managing a domain, by the begin of its namespace. */
const managers: readonly (readonly [namespace: string, name: string])[] = [
  ["http://openstack.org/xmlns/libvirt/nova/", "OpenStack Nova"],
  ["http://ovirt.org/vm/", "oVirt"],
];

/** Devices that a server of ours has too, or that libvirt adds to every domain. */
const commonDevices: readonly string[] = [
  "emulator",
  "disk",
  "interface",
  "controller",
  "serial",
  "console",
  "memballoon",
  "rng",
  "input",
  "audio",
  "hub",
];

/** What of a domain cannot be given to a server, by the path of its element. */
const tiedElements: readonly (readonly [path: readonly string[], name: string])[] = [
  [["os", "nvram"], "UEFI variables (NVRAM)"],
  [["devices", "tpm"], "TPM"],
  [["devices", "hostdev"], "host device"],
  [["launchSecurity"], "launch security"],
];

/** A domain with its XML: it is read for more than the domains of the cloud are. */
interface RawDomain extends ListedDomain {
  readonly element: XmlElement;
}

/** A disk of a domain as its XML has it. */
interface DeclaredDisk extends Omit<ForeignDisk, "file" | "usedBy"> {
  /** Whether others may have it too, by the definition's own words. */
  readonly isShared: boolean;
  /** Path of a file or a block device; absent for what is neither. */
  readonly path: string | undefined;
}

/**
 * Looks at one domain of a host, in two round trips: its disks are known only after the first. A third looks at the files that other domains' disks lie
 * on, where there are such: one file may have many paths.
 */
export async function lookAtForeign(
  pool: HostPool,
  host: ComputeHost,
  nameOrId: string,
  signal: AbortSignal,
): Promise<ForeignDomain | undefined> {
  const connection = await pool.get(host.address, signal);
  const options = {
    attempting: `look at domain ${nameOrId}`,
    timeoutMs: lookTimeoutMs,
    readOnly: true,
    signal,
  };
  const listed = await connection.run(script(listDomains()), options);
  const domains = splitDomainList(listed.stdout).map(readRaw);
  const found =
    domains.find(({ domain }) => domain.uuid === nameOrId) ??
    domains.find(({ domain }) => domain.name === nameOrId);
  if (found === undefined) return undefined;
  const disks = readDisks(found);
  const others = domains.filter(({ domain }) => domain.uuid !== found.domain.uuid);
  const { stdout } = await connection.run(
    script(lookClosely(host, found.domain.uuid, disks, others)),
    options,
  );
  const names = new Map(others.map(({ domain }) => [domain.uuid, domain.name]));
  const look = readCloseLook(stdout, disks);
  const bases = [...new Set(look.needs.flatMap((need) => need.bases))];
  const identities =
    bases.length === 0
      ? []
      : readIdentities((await connection.run(script(identifyFiles(bases)), options)).stdout);
  const identityOf = new Map(bases.map((path, index) => [path, identities[index]]));
  const findUsers = (wanted: string): readonly string[] => {
    const users = look.needs.filter((need) =>
      [need.identity, ...need.bases.map((path) => identityOf.get(path))].includes(wanted),
    );
    return [...new Set(users.map(({ uuid }) => names.get(uuid) ?? uuid))];
  };
  return toForeign(host, found, disks, look, findUsers);
}

function readRaw(block: string): RawDomain {
  return {
    ...parseListedDomain(block),
    element: parseXml(block.slice(Math.max(0, block.indexOf("<domain"))), "domain"),
  };
}

/** Disks proper. A format that is not said is raw (libvirt: formatdomain, disk driver). */
function readDisks({ element }: RawDomain): readonly DeclaredDisk[] {
  return elementsAt(element, "devices", "disk")
    .filter((disk) => isDiskProper(disk))
    .map((disk) => {
      const bus = attributeAt(disk, "bus", "target");
      const kind = ({ file: "file", block: "dev" } as const)[disk.attributes["type"] ?? ""];
      const given = kind === undefined ? undefined : attributeAt(disk, kind, "source");
      const path = given?.startsWith("/") === true ? given : undefined;
      const isFile = kind === "file" && path !== undefined;
      return {
        target: required(attributeAt(disk, "dev", "target"), "the target of a disk"),
        ...(bus === undefined ? {} : { bus }),
        source: isFile ? path : describeSource(disk),
        isFile,
        format: attributeAt(disk, "type", "driver") ?? "raw",
        path,
        isShared: ["shareable", "readonly"].some((name) => elementsAt(disk, name).length > 0),
      };
    });
}

function isDiskProper({ attributes }: XmlElement): boolean {
  return !["cdrom", "floppy"].includes(attributes["device"] ?? "disk");
}

function describeSource(disk: XmlElement): string {
  const [source] = elementsAt(disk, "source");
  const name = ["file", "dev", "name", "volume"].flatMap((key) => source?.attributes[key] ?? [])[0];
  return [disk.attributes["type"] ?? "unknown", source?.attributes["protocol"], name]
    .filter((part) => part !== undefined)
    .join(" ");
}

/**
 * All else that is asked of the domain: what libvirt keeps of it, a digest of its definition, what its disk's file is, and on which files the disks
 * of all other domains lie.
 */
function lookClosely(
  host: ComputeHost,
  uuid: string,
  disks: readonly DeclaredDisk[],
  others: readonly RawDomain[],
): Shell {
  const theirs = others.flatMap((other) =>
    readDisks(other).flatMap(({ path, format }) =>
      path === undefined ? [] : [{ uuid: other.domain.uuid, path, format }],
    ),
  );
  const files = listFiles(disks).map(({ source, format }) => ({ path: source, format }));
  return script(
    sh`uuid=${uuid}
libvirt() { virsh -q -c qemu:///system "$@" < /dev/null; }
libvirt dominfo "$uuid"
echo ${part}
libvirt snapshot-list "$uuid" --name | grep -c . || true
echo ${part}
libvirt checkpoint-list "$uuid" --name 2> /dev/null | grep -c . || true
echo ${part}
${digestDefinition}
echo "$digest"
echo ${part}
df -P -B 1 -- ${host.folder} | tail -n 1`,
    lookAtFiles(host.folder, files),
    lookAtNeeds(theirs),
  );
}

function listFiles(disks: readonly DeclaredDisk[]): readonly DeclaredDisk[] {
  return disks.filter(({ isFile }) => isFile);
}

/** Sets `$definition` to the definition of the domain `$uuid`, without its secrets, and `$digest` to its digest. */
export const digestDefinition: Shell = sh`definition=$(libvirt dumpxml --inactive "$uuid")
digest=$(printf '%s' "$definition" | sha256sum | cut -d ' ' -f 1)`;

/** What the close look tells. */
interface CloseLook {
  readonly isAutostarted: boolean;
  readonly isPersistent: boolean;
  readonly hasSavedMemory: boolean;
  readonly snapshots: number;
  readonly checkpoints: number;
  readonly fingerprint: string;
  readonly freeBytes: number;
  /** One for each disk that is a file, in order. */
  readonly files: readonly { readonly identity: string; readonly file: ForeignFile | undefined }[];
  readonly needs: readonly Need[];
}

const partsOfDomain = 5;

/** Raises `command-failed` when the host answers anything else than it was asked. */
function readCloseLook(output: string, disks: readonly DeclaredDisk[]): CloseLook {
  const parts = output.split(`${part}\n`).map((text) => text.trim());
  const [info = "", snapshots, checkpoints, fingerprint = "", space = ""] = parts;
  const files = listFiles(disks);
  const theirs = parts.slice(partsOfDomain + files.length * partsOfFile);
  const freeBytes = Number(space.split(/\s+/)[3]);
  if (!/^[0-9a-f]{64}$/.test(fingerprint) || !Number.isSafeInteger(freeBytes)) {
    throw new StackyardError("command-failed", {
      message: "A host described a domain in words that cannot be read",
      notes: [output.slice(0, 200)],
    });
  }
  const says = (key: string): string => new RegExp(`^${key}:\\s+(\\S+)`, "m").exec(info)?.[1] ?? "";
  return {
    isAutostarted: says("Autostart") === "enable",
    isPersistent: says("Persistent") === "yes",
    hasSavedMemory: says("Managed save") === "yes",
    snapshots: toCount(snapshots),
    checkpoints: toCount(checkpoints),
    fingerprint,
    freeBytes,
    files: files.map((disk, index) => {
      const at = partsOfDomain + index * partsOfFile;
      const [identity = "", how = "", image = "", measured = ""] = parts.slice(at, at + partsOfFile);
      return { identity, file: readFile(disk, how, image, measured) };
    }),
    needs: readNeeds(theirs),
  };
}

function toCount(text: string | undefined): number {
  const count = Number(text);
  return Number.isSafeInteger(count) ? count : 0;
}

function toForeign(
  host: ComputeHost,
  found: RawDomain,
  disks: readonly DeclaredDisk[],
  look: CloseLook,
  findUsers: (identity: string) => readonly string[],
): ForeignDomain {
  const { domain, element, state } = found;
  if (!isUuid(domain.uuid))
    throw new StackyardError("command-failed", { message: "A host named a domain by no uuid" });
  const files = [...look.files];
  const kernelPath = textAt(element, "os", "kernel");
  const owner = readOwner(domain);
  return {
    id: brandId(domain.uuid),
    name: domain.name,
    state: toState(state),
    vcpus: domain.vcpus,
    ramMib: domain.ramMib,
    machine: attributeAt(element, "machine", "os", "type") ?? "",
    ...(kernelPath === undefined ? {} : { kernelPath }),
    disks: disks.map(({ target, bus, source, isFile, format }): ForeignDisk => {
      const known = isFile ? files.shift() : undefined;
      return {
        target,
        ...(bus === undefined ? {} : { bus }),
        source,
        isFile,
        format,
        ...(known?.file === undefined ? {} : { file: known.file }),
        usedBy: known === undefined || known.identity === "" ? [] : findUsers(known.identity),
      };
    }),
    interfaces: elementsAt(element, "devices", "interface").map(readInterface),
    devices: listDevices(element),
    isAutostarted: look.isAutostarted,
    isPersistent: look.isPersistent,
    hasSavedMemory: look.hasSavedMemory,
    ties: listTies(element, look),
    ...(owner === undefined ? {} : { owner }),
    fingerprint: look.fingerprint,
    freeBytes: look.freeBytes,
    serverDiskPath: diskFile(host.folder, domain.uuid),
  };
}

function readInterface(element: XmlElement): ForeignInterface {
  const model = attributeAt(element, "type", "model");
  const source = ["bridge", "network", "dev"].flatMap((key) => attributeAt(element, key, "source") ?? [])[0];
  return {
    mac: required(attributeAt(element, "address", "mac"), "the mac of an interface").toLowerCase(),
    source: [element.attributes["type"] ?? "unknown", source].filter((text) => text !== undefined).join(" "),
    ...(model === undefined ? {} : { model }),
  };
}

function listDevices(element: XmlElement): readonly string[] {
  const drives = elementsAt(element, "devices", "disk")
    .filter((disk) => !isDiskProper(disk))
    .map((disk) => `${disk.attributes["device"] ?? ""} ${attributeAt(disk, "dev", "target") ?? ""}`.trim());
  const tied = tiedElements.map(([path]) => path.at(-1));
  const others = elementsAt(element, "devices")
    .flatMap(({ children }) => children)
    .filter(({ name }) => !commonDevices.includes(name) && !tied.includes(name))
    .map((device) => {
      const kind =
        device.attributes["type"] ?? device.attributes["model"] ?? attributeAt(device, "type", "model");
      return [device.name, kind].filter((text) => text !== undefined).join(" ");
    });
  return [...drives, ...others];
}

function listTies(element: XmlElement, { snapshots, checkpoints }: CloseLook): readonly string[] {
  const isUefi =
    elementsAt(element, "os").some(({ attributes }) => attributes["firmware"] === "efi") ||
    attributeAt(element, "type", "os", "loader") === "pflash";
  const passed = elementsAt(element, "devices", "interface").filter(
    ({ attributes }) => attributes["type"] === "hostdev",
  );
  const tied = tiedElements.flatMap(([path, name]) => {
    const { length } = elementsAt(element, ...path);
    return length === 0 ? [] : [name];
  });
  return [
    ...(snapshots === 0 ? [] : [`snapshots (${String(snapshots)})`]),
    ...(checkpoints === 0 ? [] : [`checkpoints (${String(checkpoints)})`]),
    ...(isUefi ? ["UEFI firmware"] : []),
    ...tied,
    ...(passed.length === 0 ? [] : ["network device of the host"]),
  ];
}

function readOwner({ metadata }: Domain): ForeignDomain["owner"] {
  const mark = metadata.find(({ namespace }) => namespace === domainNamespace);
  if (mark !== undefined) return { cloudId: mark.attributes["cloud"] ?? "" };
  const manager = managers.find(([begin]) => metadata.some((entry) => beginsWith(entry, begin)))?.[1];
  return manager === undefined ? undefined : { manager };
}

function beginsWith({ namespace }: DomainMetadata, begin: string): boolean {
  return namespace.startsWith(begin);
}
