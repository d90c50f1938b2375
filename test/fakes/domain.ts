import { z } from "zod";
import type { FencedDisk } from "../../providers/core/ceph.ts";
import { StackyardError } from "../../providers/core/errors.ts";
import type {
  ComputeHost,
  DomainInterface,
  DomainObservation,
  DomainSpec,
  ReadinessRequest,
  ReadinessRung,
} from "../../providers/core/ports.ts";
import type { Drift } from "../../providers/core/resource.ts";
import type { AttachedVolume, VolumeRef } from "../../providers/core/volume-backend.ts";
import { listEncrypted } from "../../providers/core/volume-backend.ts";
import { wrongKey } from "./volume.ts";
import type { FakeAttachment, FakeDefinition, FakeDisk, FakeDomain, FakeHost } from "./host.ts";

const bytesPerGib = 1024 ** 3;

/** The server's own domain. Raises `not-ours` for one of the same uuid that is not this cloud's. */
function findDomain(machine: FakeHost, host: ComputeHost, id: string): FakeDomain | undefined {
  const domain = machine.domains[id];
  if (machine.foreign[id] === undefined && (domain === undefined || domain.cloudId === host.cloudId))
    return domain;
  throw new StackyardError("not-ours", {
    message: `a domain with the uuid ${id} on host ${host.name} is not of this cloud`,
  });
}

export function requireDomain(machine: FakeHost, host: ComputeHost, id: string): FakeDomain {
  const domain = findDomain(machine, host, id);
  if (domain === undefined)
    throw new StackyardError("not-found", { message: `libvirt on host ${host.name} has no domain ${id}` });
  return domain;
}

/** Disk, then definition: what fails leaves what came before it. */
export function buildDomain(machine: FakeHost, host: ComputeHost, spec: DomainSpec): FakeDomain {
  const known = findDomain(machine, host, spec.id);
  requireNetworks(machine, spec);
  const folder = (machine.folders[spec.id] ??= { console: [] });
  folder.disk = ensureDisk(machine, spec, folder.disk, known?.live !== undefined);
  const defined = defineDomain(spec);
  const domain: FakeDomain = {
    cloudId: host.cloudId,
    state: "shut-off",
    boots: 0,
    ...known,
    name: spec.name,
    autostart: spec.autostart === true,
    configDrive: JSON.stringify(spec.configDrive),
    defined,
    isPersistent: true,
  };
  machine.domains[spec.id] = domain;
  if (domain.live !== undefined) {
    requireFiles(
      machine,
      defined.volumes.map(({ source }) => source),
    );
    requireSecrets(machine, { volumes: defined.volumes });
    domain.live = addMissing(domain.live, defined.volumes);
  }
  return domain;
}

/** A guest's port is useless on a host that does not carry its network. */
function requireNetworks(machine: FakeHost, spec: DomainSpec): void {
  for (const { portId, localVlan, mac } of spec.interfaces) {
    const network = Object.values(machine.networks).find((candidate) => candidate.localVlan === localVlan);
    const entry = network?.entries[portId];
    if (entry?.startsWith(mac) !== true)
      throw new Error(`port ${portId} with MAC ${mac} is not wired with VLAN ${String(localVlan)}`);
  }
}

/** Whether its root disk is a file of its own folder. */
function hasDisk({ rootVolume, image, diskGib }: DomainSpec): boolean {
  return rootVolume === undefined && (image.diskPath !== undefined || diskGib > 0);
}

/** 0 where any size is right. */
function sizeOf({ diskBytes = 0, diskGib }: DomainSpec): number {
  return Math.max(diskBytes, diskGib * bytesPerGib);
}

/** One that is there only grows, while its guest is off. */
function ensureDisk(
  machine: FakeHost,
  spec: DomainSpec,
  known: FakeDisk | undefined,
  isOn: boolean,
): FakeDisk | undefined {
  if (!hasDisk(spec)) return known;
  const size = sizeOf(spec);
  if (known !== undefined) return isOn ? known : { ...known, sizeBytes: Math.max(known.sizeBytes, size) };
  const imagePath = spec.image.diskPath;
  if (imagePath === undefined) return { sizeBytes: size };
  const base = Object.values(machine.images).find(({ files }) =>
    files.some(({ path }) => path === imagePath),
  );
  if (base === undefined) throw missingFile(imagePath);
  if (size > 0 && base.virtualSizeBytes > size)
    throw new StackyardError("invalid-input", {
      message: "the image is larger than the flavor's disk",
      field: "flavor.diskGib",
    });
  return { imagePath, sizeBytes: Math.max(size, base.virtualSizeBytes) };
}

function missingFile(path: string): StackyardError {
  return new StackyardError("command-failed", { message: `${path}: No such file or directory` });
}

function defineDomain(spec: DomainSpec): FakeDefinition {
  const { image, interfaces } = spec;
  return {
    vcpus: spec.vcpus,
    ramMib: spec.ramMib,
    disks: describeRoot(spec),
    encryptedRoot: spec.rootVolume?.encryption === undefined ? undefined : spec.rootVolume.id,
    volumes: (spec.volumes ?? []).map(toAttachment),
    interfaces: interfaces.map((nic) => ({ ...nic })),
    bootFiles: [image.kernelPath, image.initrdPath].filter((path) => path !== undefined),
    hostname: spec.hostname,
  };
}

function describeRoot(spec: DomainSpec): string {
  const { rootVolume, hardware } = spec;
  if (rootVolume !== undefined)
    return `${nameSource(rootVolume)} on ${hardware.diskBus}${rootVolume.encryption === undefined ? "" : " encrypted"}`;
  return hasDisk(spec) ? `root on ${hardware.diskBus}` : "none";
}

function nameSource({ place, id, name }: VolumeRef): string {
  return place.backend === "file" ? `file ${id}` : `${place.pool}/${name ?? `volume-${id}`}`;
}

/** Servers of these hosts whose process has a volume open. */
export function listServersWith(hosts: readonly FakeHost[], volume: VolumeRef): readonly string[] {
  const source = nameSource(volume);
  return hosts.flatMap(({ domains }) =>
    Object.entries(domains).flatMap(([id, { live, isFenced }]) =>
      live !== undefined &&
      isFenced !== true &&
      (live.disks.startsWith(`${source} on `) || live.volumes.some((held) => held.source === source))
        ? [id]
        : [],
    ),
  );
}

/** Lets no process write any more that has one of these disks open; gives the hosts' addresses. Of a disk that is shared only on hosts with another one. */
export function fenceDomains(
  hosts: Readonly<Record<string, FakeHost>>,
  disks: readonly FencedDisk[],
): readonly string[] {
  const own = disks.filter(({ isShared }) => !isShared).map(({ volume }) => volume);
  return Object.entries(hosts).flatMap(([address, host]) => {
    const ids = new Set(own.flatMap((volume) => listServersWith([host], volume)));
    return [...ids].flatMap((id) => {
      const domain = host.domains[id];
      if (domain === undefined) return [];
      domain.isFenced = true;
      return [`${address}:0/${String(domain.processId ?? 0)}`];
    });
  });
}

/** A process opens the files of its volumes; those in a pool are taken for there. */
function requireFiles(machine: FakeHost, sources: readonly string[]): void {
  for (const [, id = ""] of sources.map((source) => source.split("file ")))
    if (id !== "" && machine.volumes[id]?.disk === undefined) throw missingFile(`volume ${id}`);
}

/** A process opens what is encrypted with the key that libvirt has of it; of a volume in a pool any is taken for right. */
function requireSecrets(
  machine: FakeHost,
  { encryptedRoot, volumes }: Pick<FakeDefinition, "encryptedRoot" | "volumes">,
): void {
  const ids = volumes.filter(({ isEncrypted }) => isEncrypted).map(({ id }) => id);
  for (const id of encryptedRoot === undefined ? ids : [encryptedRoot, ...ids]) {
    const secret = machine.volumeSecrets[id];
    if (secret === undefined)
      throw new StackyardError("command-failed", { message: `Secret not found: that of volume ${id}` });
    const file = machine.volumes[id]?.disk;
    if (file !== undefined && file.key !== secret.key) throw wrongKey(`open volume ${id}`);
  }
}

function toAttachment({ volume, device, isReadOnly, isShared }: AttachedVolume): FakeAttachment {
  if (volume.place.backend === "file" && isShared && !isReadOnly)
    throw new StackyardError("invalid-input", {
      message: `volume ${volume.id} is a file, which one server at a time can write to`,
      field: "isShared",
    });
  const isEncrypted = volume.encryption !== undefined;
  return { id: volume.id, source: nameSource(volume), device, isReadOnly, isEncrypted };
}

/** What a guest that is on can be given. */
function addMissing(live: FakeDefinition, wanted: readonly FakeAttachment[]): FakeDefinition {
  const missing = wanted.filter((volume) =>
    live.volumes.every(({ id, device }) => id !== volume.id && device !== volume.device),
  );
  return { ...live, volumes: [...live.volumes, ...missing] };
}

/** What it has already, it keeps. Raises `conflict` for a device that another disk has, and then does nothing. */
export function attachVolume(
  machine: FakeHost,
  host: ComputeHost,
  id: string,
  attached: AttachedVolume,
): void {
  const domain = requireDomain(machine, host, id);
  const volume = toAttachment(attached);
  const { live, defined, isPersistent } = domain;
  for (const { volumes } of [live, isPersistent ? defined : undefined].filter((part) => part !== undefined)) {
    const isThere = volumes.some(({ id }) => id === volume.id);
    if (!isThere && volumes.some(({ device }) => device === volume.device))
      throw new StackyardError("conflict", {
        message: `another disk of ${domain.name} on host ${host.name} is ${volume.device}`,
        field: "device",
        value: volume.device,
      });
  }
  if (live !== undefined) {
    requireFiles(machine, [volume.source]);
    requireSecrets(machine, { volumes: [volume] });
    domain.live = addMissing(live, [volume]);
  }
  if (isPersistent) domain.defined = addMissing(defined, [volume]);
}

/** A guest that is paused, or that holds its volumes, does not let go: then all stays as it was. */
export function detachVolume(machine: FakeHost, host: ComputeHost, id: string, volumeId: string): void {
  const domain = findDomain(machine, host, id);
  if (domain === undefined) return;
  const without = (was: FakeDefinition): FakeDefinition => ({
    ...was,
    volumes: was.volumes.filter((volume) => volume.id !== volumeId),
  });
  const { live } = domain;
  if (live?.volumes.some((volume) => volume.id === volumeId) === true) {
    if (domain.state === "paused" || domain.holdsVolumes === true)
      throw new StackyardError("in-use", {
        message: `the guest of ${id} on host ${host.name} does not let go of volume ${volumeId}`,
      });
    domain.live = without(live);
  }
  domain.defined = without(domain.defined);
}

function holdsVolume({ disks, volumes }: FakeDefinition, volumeId: string): boolean {
  return disks.includes(volumeId) || volumes.some(({ id }) => id === volumeId);
}

/** A guest that is off learns a size when it starts. */
export function resizeVolume(
  machine: FakeHost,
  host: ComputeHost,
  id: string,
  volumeId: string,
  sizeBytes: number,
): void {
  const domain = requireDomain(machine, host, id);
  const { live } = domain;
  if (live === undefined) return;
  const disk = id === volumeId ? machine.folders[id]?.disk : undefined;
  const file = machine.volumes[volumeId]?.disk;
  if (file !== undefined && holdsVolume(live, volumeId)) file.sizeBytes = Math.max(file.sizeBytes, sizeBytes);
  if (disk !== undefined) disk.sizeBytes = Math.max(disk.sizeBytes, sizeBytes);
  else if (live.volumes.some((volume) => volume.id === volumeId))
    domain.live = {
      ...live,
      volumes: live.volumes.map((volume) =>
        volume.id === volumeId
          ? { ...volume, sizeBytes: Math.max(volume.sizeBytes ?? 0, sizeBytes) }
          : volume,
      ),
    };
  else if (live.disks.includes(volumeId))
    domain.live = { ...live, rootBytes: Math.max(live.rootBytes ?? 0, sizeBytes) };
  else
    throw new StackyardError("not-found", {
      message: `there is no disk of volume ${volumeId} in server ${id} on host ${host.name}`,
    });
}

/** Also lets one that is paused go on. */
export function startDomain(machine: FakeHost, id: string, domain: FakeDomain): void {
  if (domain.live === undefined) {
    const files = Object.values(machine.images).flatMap((image) => image.files.map(({ path }) => path));
    const missing = domain.defined.bootFiles.find((path) => !files.includes(path));
    if (missing !== undefined) throw missingFile(missing);
    const { disks, volumes } = domain.defined;
    requireFiles(machine, [disks.replace(/ on .*/, ""), ...volumes.map(({ source }) => source)]);
    requireSecrets(machine, domain.defined);
    machine.processes += 1;
    domain.processId = machine.processes;
    domain.isFenced = undefined;
    domain.live = domain.defined;
    domain.medium = domain.configDrive;
    for (const { portId, localVlan } of domain.live.interfaces) machine.tags[portId] = localVlan;
    bootGuest(machine, id, domain);
  }
  domain.state = "running";
}

/** The guest starts anew, in the process that it has, with the config drive of now. */
export function rebootDomain(machine: FakeHost, id: string, domain: FakeDomain, live: FakeDefinition): void {
  domain.state = "running";
  domain.medium = domain.configDrive;
  bootGuest(machine, id, domain);
  domain.live = { ...live, hostname: domain.defined.hostname };
}

/** What the drive holds for the guest. */
const driveSchema = z.object({ metaData: z.object({ hostname: z.string() }) });

function bootGuest(machine: FakeHost, id: string, domain: FakeDomain): void {
  domain.boots += 1;
  domain.hostname = driveSchema.parse(JSON.parse(domain.medium ?? "{}")).metaData.hostname;
  const folder = (machine.folders[id] ??= { console: [] });
  folder.console = ["Linux", `boot ${String(domain.boots)}`, "ready"];
}

/** One without a definition goes with its process. */
export function stopDomain(machine: FakeHost, id: string, domain: FakeDomain): void {
  for (const { portId } of domain.live?.interfaces ?? []) Reflect.deleteProperty(machine.tags, portId);
  domain.live = undefined;
  domain.medium = undefined;
  domain.state = "shut-off";
  domain.processId = undefined;
  if (!domain.isPersistent) Reflect.deleteProperty(machine.domains, id);
}

/** What was said there counts as said here. */
export function copyFiles(
  from: FakeHost,
  source: ComputeHost,
  to: FakeHost,
  target: ComputeHost,
  id: string,
): void {
  requireDomain(from, source, id);
  if (findDomain(to, target, id) !== undefined)
    throw new StackyardError("conflict", {
      message: `Host ${target.name} has a domain of server ${id} that is left over`,
      field: "host",
      value: target.name,
    });
  to.folders[id] = { console: from.folders[id]?.console ?? [] };
}

/** In the process of the guest nothing changes, but that it is another one. */
export function migrateDomain(from: FakeHost, source: ComputeHost, to: FakeHost, id: string): void {
  const domain = requireDomain(from, source, id);
  const { live } = domain;
  if (live === undefined) throw new StackyardError("command-failed", { message: "domain is not running" });
  if (to.folders[id] === undefined) throw missingFile(`config drive of ${id}`);
  const files = Object.values(to.images).flatMap((image) => image.files.map(({ path }) => path));
  const missing = live.bootFiles.find((path) => !files.includes(path));
  if (missing !== undefined) throw missingFile(missing);
  if (live.disks.startsWith("root on")) throw missingFile(`root disk of ${id}`);
  requireFiles(to, [live.disks.replace(/ on .*/, ""), ...live.volumes.map(({ source: name }) => name)]);
  requireSecrets(to, live);
  to.processes += 1;
  to.domains[id] = { ...domain, isPersistent: true, processId: to.processes };
  for (const { portId, localVlan } of live.interfaces) to.tags[portId] = localVlan;
  for (const { portId } of live.interfaces) Reflect.deleteProperty(from.tags, portId);
  Reflect.deleteProperty(from.domains, id);
}

export function removeDomain(machine: FakeHost, host: ComputeHost, id: string): void {
  const domain = findDomain(machine, host, id);
  if (domain !== undefined) stopDomain(machine, id, domain);
  Reflect.deleteProperty(machine.domains, id);
  Reflect.deleteProperty(machine.folders, id);
}

export function observeDomain(
  machine: FakeHost,
  host: ComputeHost,
  spec: DomainSpec,
): DomainObservation | undefined {
  const domain = findDomain(machine, host, spec.id);
  if (domain === undefined) return undefined;
  const disk = machine.folders[spec.id]?.disk;
  const isOn = domain.live !== undefined;
  return {
    state: domain.state,
    processId: domain.processId,
    diskBytes: spec.rootVolume === undefined ? disk?.sizeBytes : undefined,
    drift: [
      ...compareDomain(domain, spec),
      ...compareSecrets(machine, spec),
      ...(hasDisk(spec) ? compareDisk(disk, spec, isOn) : []),
    ],
  };
}

function compareSecrets(machine: FakeHost, spec: DomainSpec): readonly Drift[] {
  const missing = listEncrypted(spec).filter(({ id }) => machine.volumeSecrets[id] === undefined);
  if (missing.length === 0) return [];
  const found = `missing: ${missing.map(({ id }) => id).join(", ")}`;
  return [
    { field: "secrets", expected: "present", found, repair: "gives libvirt the keys again", label: "live" },
  ];
}

const redefined = { repair: "defines it anew", label: "live" } as const;

function compareAutostart(isOn: boolean, isWanted: boolean): readonly Drift[] {
  if (isOn === isWanted) return [];
  const [expected, found] = isWanted ? (["on", "off"] as const) : (["off", "on"] as const);
  return [{ field: "autostart", expected, found, repair: `turns it ${expected}`, label: "live" }];
}

/** What runs, and what is kept for the next start, against what is asked for. */
function compareDomain(
  { live, defined, isPersistent, autostart }: FakeDomain,
  spec: DomainSpec,
): readonly Drift[] {
  const repairOf = (field: string): Pick<Drift, "repair" | "label"> => {
    if (live === undefined) return redefined;
    const wanted = describeVolumes(defineDomain(spec));
    if (field === "volumes" && describeVolumes(live).every((volume) => wanted.includes(volume)))
      return { repair: "attaches what it lacks", label: "live" };
    return field === "hostname"
      ? { repair: "reboots the guest with its own config drive", label: "reboot" }
      : { repair: "power-cycles it with its own definition", label: "restart" };
  };
  const running = compareDefinition(live ?? defined, spec);
  const known = running.map(([field]) => field);
  const kept = compareDefinition(defined, spec).filter(([field]) => !known.includes(field));
  return [
    ...running.map(([field, expected, found]) => ({
      field,
      expected,
      found,
      ...repairOf(field),
    })),
    ...kept.map(([field, expected, found]) => ({
      field: `definition.${field}`,
      expected,
      found,
      ...redefined,
    })),
    ...(isPersistent ? compareAutostart(autostart, spec.autostart === true) : []),
    ...(isPersistent
      ? []
      : [{ field: "definition", expected: "persistent", found: "undefined", ...redefined }]),
  ];
}

function compareDefinition(
  found: FakeDefinition,
  spec: DomainSpec,
): readonly (readonly [field: string, expected: string, found: string])[] {
  const expected = defineDomain(spec);
  const aspects = [
    ["vcpus", ({ vcpus }: FakeDefinition) => String(vcpus)],
    ["ramMib", ({ ramMib }: FakeDefinition) => String(ramMib)],
    ["disks", ({ disks }: FakeDefinition) => disks],
    ["volumes", (definition: FakeDefinition) => describeVolumes(definition).join(", ")],
    ["interfaces", ({ interfaces }: FakeDefinition) => interfaces.map(describeInterface).join(", ")],
    ["hostname", ({ hostname }: FakeDefinition) => hostname],
  ] as const;
  return aspects
    .map(([field, describe]) => [field, describe(expected), describe(found)] as const)
    .filter(([, wanted, actual]) => wanted !== actual);
}

function describeVolumes({ volumes }: FakeDefinition): readonly string[] {
  return volumes
    .map(
      ({ device, source, isReadOnly, isEncrypted }) =>
        `${device} ${source}${isReadOnly ? " read-only" : ""}${isEncrypted ? " encrypted" : ""}`,
    )
    .toSorted();
}

/** Without the MTU: a guest takes a new one at its next start. */
function describeInterface({ mac, localVlan }: DomainInterface): string {
  return `${mac} vlan ${String(localVlan)}`;
}

function compareDisk(disk: FakeDisk | undefined, spec: DomainSpec, isOn: boolean): readonly Drift[] {
  if (disk === undefined) {
    const lost = { expected: "present", found: "missing", repair: "makes it anew" };
    return [{ field: "disk", ...lost, label: "data-loss" }];
  }
  const expected = String(spec.isDiskAdopted === true ? undefined : spec.image.diskPath);
  const found = String(disk.imagePath);
  const size = sizeOf(spec);
  const growth = { repair: "grows it", label: isOn ? "restart" : "live" } as const;
  const note = { repair: "keeps it, and takes note of its size", label: "live" } as const;
  return [
    ...(found === expected
      ? []
      : [{ field: "disk", expected, found, repair: "keeps it, since it holds data" }]),
    ...(size === 0 || disk.sizeBytes === size
      ? []
      : [
          {
            field: "diskBytes",
            expected: String(size),
            found: String(disk.sizeBytes),
            ...(disk.sizeBytes < size ? growth : note),
          },
        ]),
  ];
}

/** Raises `not-ready` with the first rung that a guest can never reach; on a fake host all others are reached at once. */
export function requireReady(
  machine: FakeHost,
  host: ComputeHost,
  id: string,
  { until, address }: ReadinessRequest,
): void {
  if (machine.domains[id]?.state !== "running") throw notReady(machine, host, id, "running");
  if (until !== "running" && address !== undefined && !answersAt(machine, address))
    throw notReady(machine, host, id, "address");
}

function answersAt(
  machine: FakeHost,
  { networkId, address }: NonNullable<ReadinessRequest["address"]>,
): boolean {
  const network = machine.networks[networkId];
  return Object.entries(network?.entries ?? {}).some(
    ([portId, entry]) => entry.split(" ").includes(address) && machine.tags[portId] === network?.localVlan,
  );
}

function notReady(machine: FakeHost, host: ComputeHost, id: string, rung: ReadinessRung): StackyardError {
  return new StackyardError("not-ready", {
    message: `Server ${id} on host ${host.name}: ${rung} was not reached`,
    field: "ready",
    value: rung,
    notes: [(machine.folders[id]?.console ?? []).join("\n")],
  });
}
