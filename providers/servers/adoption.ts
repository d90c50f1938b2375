import { z } from "zod";
import type { Adoption, AdoptionChange, ForeignDisk, ForeignDomain } from "../core/adoption.ts";
import { describeSize, diskReserveBytes } from "../core/bytes.ts";
import { StackyardError } from "../core/errors.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { defaultMachine, type ComputeHost, type DomainSpec } from "../core/ports.ts";
import type { ResourceRecord } from "../core/record.ts";
import type { StepContext } from "../core/resource.ts";
import type { ServerInputs, ServerOutputs } from "./server-fields.ts";
import { requireHost } from "./server-view.ts";

type Context = StepContext<ServerInputs, ServerOutputs>;

const forcedOutputs = z.object({ adoptedFrom: z.object({ hostId: z.string() }) });

/** The only host that a server can be on: that of the domain that it was. */
export function readForcedHost(outputs: JsonObject): string | undefined {
  return forcedOutputs.safeParse(outputs).data?.adoptedFrom.hostId;
}

/** Whether the server's adoption has not ended well yet. Until then its disk is somebody else's, and goes back to him. */
export function isBeingAdopted(
  { applied }: Pick<ResourceRecord<ServerInputs>, "applied">,
  outputs: Partial<ServerOutputs>,
): outputs is Partial<ServerOutputs> & { readonly adoptedFrom: Adoption } {
  return applied === undefined && outputs.adoptedFrom !== undefined;
}

/** Gives back what an adoption that has not ended well has taken; nothing of another server. */
export async function giveBackAdopted(context: Context): Promise<void> {
  const { inputs, outputs, record, world, cloudId, ports, signal, progress } = context;
  if (!isBeingAdopted(record, outputs) || outputs.hostId === undefined) return;
  progress(`giving domain ${outputs.adoptedFrom.domain} back`);
  const graceMs = inputs.timeouts.shutdown * 1000;
  const host = requireHost(outputs, world, cloudId);
  await ports.domains.giveBack(host, record.id, outputs.adoptedFrom, graceMs, signal);
}

/**
 * What is kept of a domain that can be adopted. Raises what keeps it from being: `wrong-state` unless it is shut off for good, `not-ours` when it is
 * managed already, `in-use`, `host-disk-full`, `host-unsuitable`, each with what to do.
 */
export function planAdoption(found: ForeignDomain, host: ComputeHost): Adoption {
  refuseOwned(found, host);
  refuseState(found, host);
  const cannot = describeRefusal(found, host);
  const [tie] = found.ties;
  if (tie !== undefined) {
    throw new StackyardError("host-unsuitable", {
      message: `${cannot}: it has what a server cannot have: ${found.ties.join(", ")}`,
      field: "domain",
      value: found.name,
      remedy: `Take that away on the host, if it can be done without: virsh snapshot-delete, virsh edit ${found.id}`,
    });
  }
  const { disk, file } = requireDisk(found, host);
  if (file.copyBytes > 0 && file.copyBytes + diskReserveBytes > found.freeBytes) {
    throw new StackyardError("host-disk-full", {
      message: `${cannot}: a copy of its disk takes up to ${describeSize(file.copyBytes)}, and ${describeSize(found.freeBytes)} are free in ${host.folder}`,
    });
  }
  return {
    hostId: host.id,
    domain: found.name,
    fingerprint: found.fingerprint,
    diskPath: disk.source,
    diskFormat: disk.format,
    transfer: file.transfer,
    diskBytes: file.sizeBytes,
  };
}

function describeRefusal({ name }: ForeignDomain, host: ComputeHost): string {
  return `domain ${JSON.stringify(name)} on host ${host.name} cannot be adopted`;
}

function refuseOwned(found: ForeignDomain, host: ComputeHost): void {
  const { owner, id } = found;
  if (owner === undefined) return;
  const cannot = describeRefusal(found, host);
  if ("manager" in owner) {
    throw new StackyardError("not-ours", {
      message: `${cannot}: it is managed by ${owner.manager}`,
      remedy: `Take it out of ${owner.manager} first, and its metadata off: virsh edit ${id}`,
    });
  }
  if (owner.cloudId === host.cloudId) {
    throw new StackyardError("conflict", {
      message: `${cannot}: it carries this cloud's mark, and no server has its uuid`,
      remedy: "It is left over: stackyard gc shows it. To keep it, take the mark off: virsh edit",
    });
  }
  throw new StackyardError("not-ours", {
    message: `${cannot}: it belongs to cloud ${owner.cloudId}`,
    remedy: "Work on it in that cloud. If that cloud's store is lost, take its mark off: virsh edit",
  });
}

function refuseState(found: ForeignDomain, host: ComputeHost): void {
  const { id, name, state } = found;
  const refuse = (problem: string, remedy: string): never => {
    throw new StackyardError("wrong-state", {
      message: `${describeRefusal(found, host)}: ${problem}`,
      field: "domain",
      value: name,
      remedy,
    });
  };
  if (state !== "shut-off")
    refuse(`it is ${state}`, `Shut it down on the host, and run again: virsh shutdown ${id}`);
  if (!found.isPersistent) refuse("libvirt keeps no definition of it", "Define it on the host: virsh define");
  if (found.hasSavedMemory)
    refuse(
      "its memory was saved, and it is to go on from there",
      `Start it on the host and shut it down: virsh start ${id}; virsh shutdown ${id}`,
    );
}

/** Its one disk, which nobody else has. */
function requireDisk(
  found: ForeignDomain,
  host: ComputeHost,
): { readonly disk: ForeignDisk; readonly file: NonNullable<ForeignDisk["file"]> } {
  const refuse = (problem: string, remedy: string): never => {
    throw new StackyardError("host-unsuitable", {
      message: `${describeRefusal(found, host)}: ${problem}`,
      field: "domain",
      value: found.name,
      remedy,
    });
  };
  const [disk, second] = found.disks;
  if (disk === undefined)
    return refuse("it has no disk", "Create a server instead: there is nothing to keep.");
  if (second !== undefined)
    return refuse(
      `it has ${String(found.disks.length)} disks, and a server has one`,
      `Take the others off: virsh detach-disk ${found.id} ${second.target} --config`,
    );
  if (!disk.isFile)
    return refuse(
      `its disk ${disk.target} is no file on the host: ${disk.source}`,
      "Copy it into a file, and let the domain have that.",
    );
  const [user] = disk.usedBy;
  if (user !== undefined) {
    throw new StackyardError("in-use", {
      message: `${describeRefusal(found, host)}: its disk ${disk.source} is also used by ${disk.usedBy.join(", ")}`,
      remedy: "Give each domain a disk of its own first: qemu-img convert",
    });
  }
  if (disk.file === undefined)
    return refuse(
      `its disk ${disk.source} is not there, is no ${disk.format}, or lies on what is not there`,
      "Look at it on the host: qemu-img info",
    );
  if (disk.file.isEncrypted)
    return refuse(`its disk ${disk.source} is encrypted`, "Decrypt it first: qemu-img convert");
  if (disk.file.obstacle !== undefined)
    return refuse(
      `its disk ${disk.source} ${disk.file.obstacle}`,
      "See that all of it is the domain's own, and give it a disk that is one file, outside that folder: qemu-img convert",
    );
  return { disk, file: disk.file };
}

/** Inputs in which interfaces have the MAC addresses of the domain's, in their order, where they leave them open. */
export function fillMacs(inputs: JsonObject, { interfaces }: ForeignDomain): JsonObject {
  const { networks } = inputs;
  if (!Array.isArray(networks)) return inputs;
  const filled = (networks as readonly JsonObject[]).map((entry, index) => {
    const mac = interfaces[index]?.mac;
    const isOpen = isJsonObject(entry) && entry["port"] === undefined && entry["mac"] === undefined;
    return isOpen && mac !== undefined ? { ...entry, mac } : entry;
  });
  return { ...inputs, networks: filled };
}

/** Raises `invalid-input` when the flavor's disk is smaller than the domain's, which never shrinks, or the server would have none. */
export function refuseSmallDisk({ diskBytes, domain }: Adoption, spec: DomainSpec): void {
  const declared = spec.diskBytes ?? 0;
  if (diskBytes <= declared) return;
  throw new StackyardError("invalid-input", {
    message: `domain ${JSON.stringify(domain)} has a disk of ${describeSize(diskBytes)}; flavor and image give one of ${describeSize(declared)}`,
    field: "flavor",
    remedy: "Choose a flavor with a larger disk: disks never shrink.",
  });
}

/** What libvirt makes of short names of machine types. */
const machineFamilies: Readonly<Record<string, string>> = {
  pc: "pc-i440fx-",
  q35: "pc-q35-",
  virt: "virt-",
};

/** What of a domain is otherwise once it is a server. `networks` are the names of its interfaces' networks. */
export function listAdoptionChanges(
  found: ForeignDomain,
  adoption: Adoption,
  spec: DomainSpec,
  { networks, bootsKernel }: { readonly networks: readonly string[]; readonly bootsKernel: boolean },
): readonly AdoptionChange[] {
  const [disk] = found.disks;
  const machine = spec.hardware.machine ?? defaultMachine;
  const isSameMachine = found.machine.startsWith(machineFamilies[machine] ?? machine);
  const rows: readonly (readonly [field: string, found: string, declared: string])[] = [
    ["name", found.name, spec.name],
    ["vcpus", String(found.vcpus), String(spec.vcpus)],
    ["ramMib", String(found.ramMib), String(spec.ramMib)],
    ["machine", found.machine, isSameMachine ? found.machine : machine],
    ["boots", found.kernelPath ?? "its disk", bootsKernel ? "the image's kernel" : "its disk"],
    ["disk", adoption.diskPath, found.serverDiskPath],
    ["disk format", describeFormat(disk), "qcow2"],
    ["disk size", describeSize(adoption.diskBytes), describeSize(spec.diskBytes ?? adoption.diskBytes)],
    ["disk bus", disk?.bus ?? "none", spec.hardware.diskBus],
    ...listInterfaceChanges(found, spec, networks),
    ...found.devices.map((device) => ["device", device, "none"] as const),
    ["config drive", "none", "attached: cloud-init takes it for a first boot"],
    ["autostart", found.isAutostarted ? "on" : "off", spec.autostart === true ? "on" : "off"],
  ];
  return rows
    .filter(([, from, to]) => from !== to)
    .map(([field, from, to]) => ({ field, found: from, declared: to }));
}

function describeFormat(disk: ForeignDisk | undefined): string {
  const bases = disk?.file?.basePaths ?? [];
  return [disk?.format ?? "", ...bases].join(" on ");
}

function listInterfaceChanges(
  { interfaces }: ForeignDomain,
  spec: DomainSpec,
  networks: readonly string[],
): readonly (readonly [string, string, string])[] {
  const count = Math.max(interfaces.length, spec.interfaces.length);
  return Array.from({ length: count }, (_, index) => {
    const from = interfaces[index];
    const to = spec.interfaces[index];
    return [
      `interface ${String(index)}`,
      from === undefined ? "none" : `${from.mac} ${from.model ?? ""} on ${from.source}`,
      to === undefined ? "none" : `${to.mac} ${spec.hardware.nicModel} on network ${networks[index] ?? ""}`,
    ];
  });
}
