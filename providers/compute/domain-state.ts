import { bytesPerGib } from "../core/bytes.ts";
import { StackyardError } from "../core/errors.ts";
import type { ComputeHost, DomainObservation, DomainSpec } from "../core/ports.ts";
import type { Drift } from "../core/resource.ts";
import { listEncrypted } from "../core/volume-backend.ts";
import { sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { describeDomains, parseDescriptions, parseDomain } from "../hosts/virsh.ts";
import type { DescribedDomain, Domain, DomainDisk, DomainState } from "../hosts/virsh.ts";
import { hasFileDisk, renderDomain } from "./domain-xml.ts";
import { detectFormat, readBackingFile } from "./image-format.ts";
import { serversFolder } from "./layout.ts";
import { domainNamespace, nameDomain, nameVolumeSecret } from "./marks.ts";

/** Domains of a host by what could be wanted of them. */
export interface DomainStates {
  /** Uuids of the host's libvirt secrets; none where they were not asked for. */
  readonly secretIds: ReadonlySet<string>;
  readonly domains: readonly DescribedDomain[];
  /** Root disks by the id of their server; a server that has none is absent. */
  readonly disks: ReadonlyMap<string, DiskState>;
}

/** A root disk as its file says. */
export interface DiskState {
  readonly format: "qcow2" | "other";
  /** As the guest sees it. */
  readonly sizeBytes: number;
  /** File that it lies on. */
  readonly basePath: string | undefined;
}

/** How much of a disk is read: the header of a qcow2 and, behind it, the name of its base (qemu: `docs/interop/qcow2.txt`; 1023 bytes at most). */
const headBytes = 4096;
/** Between the parts of the answer; no XML can hold them. */
const separators = { secrets: "<<secrets>>\n", disks: "<<disks>>\n", heads: "<<heads>>\n" } as const;

/**
 * Looks at servers: one script of a few processes, however many they are. Root disks that are files are those of `withDisk`; the host's secrets are
 * asked for where one of the servers has an encrypted volume.
 */
export function observeDomains(
  folder: string,
  ids: readonly string[],
  withDisk: readonly string[],
  hasEncrypted: boolean,
): Shell {
  return sh`${describeDomains(ids, ids.map(nameDomain))}
printf ${separators.secrets}
${hasEncrypted ? sh`libvirt secret-list` : sh`:`}
printf ${separators.disks}
if cd -- ${serversFolder(folder)} 2> /dev/null; then
  set --
  for id in ${withDisk}; do [ ! -f "$id/disk" ] || set -- "$@" "$id/disk"; done
  if [ $# -gt 0 ]; then
    stat -L -c '%s %n' -- "$@"
    printf ${separators.heads}
    head -q -c ${headBytes} -- "$@" | base64 -w 0
  fi
fi`;
}

/** Reads the answer of {@link observeDomains}. Raises `command-failed` when a host answers anything else. */
export function parseDomainStates(output: string): DomainStates {
  const [told = "", disks] = output.split(separators.disks);
  const [descriptions = "", secrets = ""] = told.split(separators.secrets);
  if (disks === undefined) {
    throw new StackyardError("command-failed", {
      message: "A host described its servers in words that cannot be read",
    });
  }
  const [sizes = "", heads = ""] = disks.split(separators.heads);
  return {
    domains: parseDescriptions(descriptions),
    secretIds: new Set(secrets.split("\n").map((line) => line.trim().split(/\s/)[0] ?? "")),
    disks: readDisks(sizes, Buffer.from(heads, "base64")),
  };
}

/** Lines `BYTES SERVER/disk`, and the begins of these files one after the other. */
function readDisks(sizes: string, heads: Buffer): ReadonlyMap<string, DiskState> {
  let at = 0;
  return new Map(
    sizes
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [bytes = "", path = ""] = line.split(" ");
        const sizeBytes = Number(bytes);
        const head = heads.subarray(at, (at += Math.min(sizeBytes, headBytes)));
        return [path.replace(/\/disk$/, ""), readDisk(head, sizeBytes)];
      }),
  );
}

function readDisk(head: Buffer, fileBytes: number): DiskState {
  const detected = detectFormat(head, Buffer.alloc(0));
  return detected.kind === "qcow2"
    ? {
        format: "qcow2",
        sizeBytes: detected.header.virtualSizeBytes,
        basePath: detected.header.hasBackingFile ? readBackingFile(head) : undefined,
      }
    : { format: "other", sizeBytes: fileBytes, basePath: undefined };
}

/**
 * What of a server is not as `spawn` would make it. `undefined` when libvirt has no such domain. Raises `not-ours` when another has its name or its
 * uuid.
 */
export function findDomain(
  host: ComputeHost,
  spec: DomainSpec,
  states: DomainStates,
): DomainObservation | undefined {
  const inPlace = states.domains.filter(
    ({ domain }) => domain.uuid === spec.id || domain.name === nameDomain(spec.id),
  );
  const foreign = inPlace.find(({ domain }) => !isOurs(domain, host, spec));
  if (foreign !== undefined) throw foreignDomain(host, spec.id, foreign.domain);
  const [found] = inPlace;
  if (found === undefined) return undefined;
  const disk = states.disks.get(spec.id);
  return {
    state: toState(found.state),
    processId: found.processId,
    diskBytes: spec.rootVolume === undefined ? disk?.sizeBytes : undefined,
    drift: [
      ...compareDomain(found, parseDomain(renderDomain(host, spec)), spec),
      ...compareSecrets(states, spec),
      ...(hasFileDisk(spec) ? compareDisk(disk, spec, found.state !== "shut off") : []),
    ],
  };
}

function isOurs(domain: Domain, host: ComputeHost, { id }: DomainSpec): boolean {
  return (
    domain.uuid === id &&
    domain.name === nameDomain(id) &&
    domain.metadata.some(
      ({ namespace, attributes }) =>
        namespace === domainNamespace && attributes["cloud"] === host.cloudId && attributes["id"] === id,
    )
  );
}

function foreignDomain(host: ComputeHost, id: string, { name, uuid }: Domain): StackyardError {
  return new StackyardError("not-ours", {
    message: `the domain ${name} (${uuid}) on host ${host.name} is in the place of server ${id}, and not of this cloud`,
    remedy: `Look at it on the host: virsh dumpxml ${uuid}`,
  });
}

/** libvirt's state of a domain in our words. */
export function toState(state: DomainState): DomainObservation["state"] {
  switch (state) {
    case "running":
    case "idle":
    case "in shutdown":
      return "running";
    case "paused":
      return "paused";
    case "shut off":
      return "shut-off";
    case "crashed":
      return "crashed";
    case "pmsuspended":
      return "suspended";
    case "no state":
      return "other";
  }
}

/** A field of a domain that is compared; `undefined` where the domain does not tell. */
type Aspect = readonly [field: string, describe: (domain: Domain) => string | undefined];

/** What a domain shows of its specification, by field. */
function listAspects(spec: DomainSpec): readonly Aspect[] {
  return [
    ["vcpus", ({ vcpus, currentVcpus }) => describePart(currentVcpus, vcpus)],
    ["ramMib", ({ ramMib, currentRamMib }) => describePart(currentRamMib, ramMib)],
    [
      "disks",
      ({ disks }) =>
        disks
          .filter((disk) => !isVolume(spec, disk))
          .map(({ target, source, secretId }) => `${target} ${source ?? "empty"}${describeKey(secretId)}`)
          .join(", "),
    ],
    ["volumes", ({ disks }) => listVolumes(spec, disks).join(", ") || "none"],
    [
      "interfaces",
      (domain) =>
        domain.interfaces.map(({ mac, vlan }) => `${mac} vlan ${String(vlan ?? "none")}`).join(", ") ||
        "none",
    ],
    // What the guest was told when it booted: a soft reboot brings it up to date. A domain of an older release does not tell.
    [
      "hostname",
      ({ metadata }) =>
        metadata.find(({ namespace }) => namespace === domainNamespace)?.attributes["hostname"],
    ],
  ];
}

/** Of our disks the volumes beside the root disk have serials, and so has a volume that is the root disk. */
function isVolume({ rootVolume }: DomainSpec, { serial }: DomainDisk): boolean {
  return serial !== undefined && serial !== rootVolume?.id;
}

/** A guest does not tell in which order it was given them. */
function listVolumes(spec: DomainSpec, disks: readonly DomainDisk[]): readonly string[] {
  return disks
    .filter((disk) => isVolume(spec, disk))
    .map(
      ({ target, source, isReadOnly, secretId }) =>
        `${target} ${source ?? "empty"}${isReadOnly ? " read-only" : ""}${describeKey(secretId)}`,
    )
    .toSorted();
}

function describeKey(secretId: string | undefined): string {
  return secretId === undefined ? "" : ` encrypted with the key ${secretId}`;
}

function describePart(current: number, all: number): string {
  return current === all ? String(all) : `${String(current)} of ${String(all)}`;
}

/** What runs, and what is kept for the next start, against what is asked for. */
function compareDomain(found: DescribedDomain, expected: Domain, spec: DomainSpec): readonly Drift[] {
  const isOn = found.state !== "shut off";
  const compare = (domain: Domain): readonly (readonly [string, string, string])[] =>
    listAspects(spec)
      .map(([field, describe]) => {
        const wanted = describe(expected) ?? "";
        return [field, wanted, describe(domain) ?? wanted] as const;
      })
      .filter(([, wanted, actual]) => wanted !== actual);
  const running = compare(found.domain);
  const known = new Set(running.map(([field]) => field));
  const kept = compare(found.definition).filter(([field]) => !known.has(field));
  const redefined = { repair: "defines it anew", label: "live" } as const;
  const cycled = { repair: "power-cycles it with its own definition", label: "restart" } as const;
  const rebooted = { repair: "reboots the guest with its own config drive", label: "reboot" } as const;
  const attached = { repair: "attaches what it lacks", label: "live" } as const;
  const wantedVolumes = listVolumes(spec, expected.disks);
  const onlyLacks = listVolumes(spec, found.domain.disks).every((volume) => wantedVolumes.includes(volume));
  const repairOf = (field: string): Pick<Drift, "repair" | "label"> => {
    if (!isOn) return redefined;
    if (field === "volumes" && onlyLacks) return attached;
    return field === "hostname" ? rebooted : cycled;
  };
  return [
    ...running.map(([field, wanted, actual]) => ({
      field,
      expected: wanted,
      found: actual,
      ...repairOf(field),
    })),
    ...kept.map(([field, wanted, actual]) => ({
      field: `definition.${field}`,
      expected: wanted,
      found: actual,
      ...redefined,
    })),
    ...compareAutostart(found, spec),
    ...(found.isTransient
      ? [{ field: "definition", expected: "persistent", found: "undefined", ...redefined }]
      : []),
  ];
}

/** One without a definition is not started by anybody. */
function compareAutostart(
  { isAutostarted, isTransient }: DescribedDomain,
  { autostart = false }: DomainSpec,
): readonly Drift[] {
  if (isTransient || isAutostarted === undefined || isAutostarted === autostart) return [];
  const [expected, found] = autostart ? (["on", "off"] as const) : (["off", "on"] as const);
  return [{ field: "autostart", expected, found, repair: `turns it ${expected}`, label: "live" }];
}

/** What runs has its keys; it could not be started again without them. */
function compareSecrets({ secretIds }: DomainStates, spec: DomainSpec): readonly Drift[] {
  const missing = listEncrypted(spec).filter(({ id }) => !secretIds.has(nameVolumeSecret(id)));
  if (missing.length === 0) return [];
  const found = `missing: ${missing.map(({ id }) => id).join(", ")}`;
  return [
    { field: "secrets", expected: "present", found, repair: "gives libvirt the keys again", label: "live" },
  ];
}

/** The root disk as it is there. It holds the guest's data: it grows, and is never shrunk or made anew in place. */
function compareDisk(disk: DiskState | undefined, spec: DomainSpec, isOn: boolean): readonly Drift[] {
  const { diskPath } = spec.image;
  const basePath = spec.isDiskAdopted === true ? undefined : diskPath;
  if (disk === undefined) {
    const repair = `makes it anew, ${diskPath === undefined ? "blank" : "of the image"}: what it held is gone`;
    return [{ field: "disk", expected: "present", found: "missing", repair, label: "data-loss" }];
  }
  const drift: Drift[] = [];
  const expected = describeDisk("qcow2", basePath);
  const found = describeDisk(disk.format, disk.basePath);
  if (found !== expected) {
    const repair = "keeps it, since it holds data; remove the server to have it made anew";
    drift.push({ field: "disk", expected, found, repair });
  }
  const sizeBytes = readDiskSize(spec);
  if (sizeBytes > 0 && disk.sizeBytes !== sizeBytes) {
    drift.push({
      field: "diskBytes",
      expected: String(sizeBytes),
      found: String(disk.sizeBytes),
      ...repairSize(disk.sizeBytes < sizeBytes, isOn),
    });
  }
  return drift;
}

/** Size in bytes that the root disk has at least; 0 where any size is right. */
export function readDiskSize({ diskBytes = 0, diskGib }: DomainSpec): number {
  return Math.max(diskBytes, diskGib * bytesPerGib);
}

function repairSize(isSmaller: boolean, isOn: boolean): Pick<Drift, "repair" | "label"> {
  if (!isSmaller)
    return { repair: "keeps it, since disks never shrink, and takes note of its size", label: "live" };
  return isOn
    ? { repair: "power-cycles it to grow the disk", label: "restart" }
    : { repair: "grows the disk", label: "live" };
}

function describeDisk(format: DiskState["format"], basePath: string | undefined): string {
  return `${format} ${basePath === undefined ? "without a base" : `on ${basePath}`}`;
}
