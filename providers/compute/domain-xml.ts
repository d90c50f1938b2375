import { StackyardError } from "../core/errors.ts";
import { defaultMachine, type ComputeHost, type DomainSpec } from "../core/ports.ts";
import { describeAttachedVolume, describeFileDisk, describeRootVolume } from "./disk-xml.ts";
import type { DiskTarget } from "./disk-xml.ts";
import { configDriveFile, consoleFile, diskFile } from "./layout.ts";
import { domainNamespace, integrationBridge, nameDomain, nameTap } from "./marks.ts";
import { renderXml } from "./render.ts";
import type { TemplateContext } from "./render.ts";

/** Kinds of machine that differ in the buses they have. */
type MachineFamily = "pc" | "q35" | "virt";

/**
 * The domain of a server (nova: `nova/virt/libvirt/driver.py`, `_get_guest_config`). Pure.
 *
 * Under TCG the CPU is `maximum`, since the default lacks what today's distributions are built for.
 *
 * Raises `invalid-input` for a disk bus that the machine lacks, for a volume that cannot be shared, and for characters that XML cannot hold.
 */
export function renderDomain(host: ComputeHost, spec: DomainSpec): string {
  const machine = spec.hardware.machine ?? defaultMachine;
  const family = familyOf(machine);
  const targets = chooseTargets(family, spec.hardware.diskBus);
  return renderXml("domain", {
    virtType: host.virtType,
    name: nameDomain(spec.id),
    id: spec.id,
    title: spec.name,
    namespace: domainNamespace,
    cloudId: spec.cloudId,
    projectId: spec.projectId,
    hostname: spec.hostname,
    ramKib: spec.ramMib * 1024,
    vcpus: spec.vcpus,
    machine,
    hasSmbios: family !== "virt",
    hasApic: family !== "virt",
    kernelPath: spec.image.kernelPath,
    initrdPath: spec.image.initrdPath,
    kernelArguments: describeKernelArguments(host, spec),
    cpuMode: chooseCpuMode(host, family),
    rootDisk: describeRootDisk(host, spec, { target: targets.diskTarget, bus: targets.diskBus }),
    volumes: (spec.volumes ?? []).map((attached) => describeAttachedVolume(host, attached)),
    configDrivePath: configDriveFile(host.folder, spec.id),
    consolePath: consoleFile(host.folder, spec.id),
    cdromBus: targets.cdromBus,
    cdromTarget: targets.cdromTarget,
    hasScsi: targets.diskBus === "scsi" || targets.cdromBus === "scsi",
    rootPorts: family === "pc" ? undefined : listRootPorts(spec),
    bridge: integrationBridge,
    interfaces: spec.interfaces.map((entry) => ({
      mac: entry.mac,
      localVlan: entry.localVlan,
      mtuBytes: entry.mtuBytes,
      portId: entry.portId,
      tap: nameTap(entry.portId),
      model: spec.hardware.nicModel,
      // A userspace datapath forwards packets whose checksum the guest left to the device, and TCP never connects.
      isOffloadless: host.datapath === "netdev" && spec.hardware.nicModel === "virtio",
    })),
    guestAgent: spec.hardware.guestAgent,
    rng: spec.hardware.rng,
  });
}

/** Volumes that a guest with PCI Express can be given while it is on. */
const spareRootPorts = 8;
/** Most of a server's devices that take a port each, beside volumes and interfaces: root disk, SCSI, random numbers, balloon, agent. */
const otherRootPorts = 5;

/**
 * Numbers of the ports that PCI Express devices are plugged into. libvirt makes one more than it needs, so that a guest took one volume while it is on
 * (libvirt: `docs/pci-hotplug.rst`; nova: `num_pcie_ports`). A machine of the family pc has slots instead.
 */
function listRootPorts({ volumes = [], interfaces }: DomainSpec): readonly number[] {
  const count = volumes.length + interfaces.length + otherRootPorts + spareRootPorts;
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** Whether the server has a root disk: not when it boots a kernel and its flavor has none. */
export function hasDisk(spec: DomainSpec): boolean {
  return spec.rootVolume !== undefined || hasFileDisk(spec);
}

/** Whether its root disk is a file of its own folder, which `spawn` makes. */
export function hasFileDisk({ rootVolume, image, diskGib }: DomainSpec): boolean {
  return rootVolume === undefined && (image.diskPath !== undefined || diskGib > 0);
}

function describeRootDisk(
  host: ComputeHost,
  spec: DomainSpec,
  target: DiskTarget,
): TemplateContext | undefined {
  if (spec.rootVolume !== undefined) return describeRootVolume(host, spec.rootVolume, target, spec.rootQos);
  return hasFileDisk(spec) ? describeFileDisk(diskFile(host.folder, spec.id), target) : undefined;
}

/**
 * Under KVM a Linux guest trusts its timer; under emulation it tests it, and panics ("IO-APIC + timer doesn't work") when the host was busy
 * for those 40 ms (Linux: `arch/x86/kernel/apic/io_apic.c`, `timer_irq_works`). Emulated, it is told to trust it too.
 */
function describeKernelArguments(host: ComputeHost, spec: DomainSpec): string {
  const given = spec.image.kernelArguments;
  return host.virtType === "kvm" ? given : `${given} no_timer_check`.trim();
}

/** ARM has no models to choose from: its guests get the host's CPU (nova: `nova/virt/libvirt/driver.py`, `_get_guest_cpu_config`). */
function chooseCpuMode(host: ComputeHost, family: MachineFamily): string {
  if (host.virtType !== "kvm") return "maximum";
  return family === "virt" ? "host-passthrough" : "host-model";
}

function familyOf(machine: string): MachineFamily {
  if (machine === "q35" || machine.startsWith("pc-q35-")) return "q35";
  if (machine === "virt" || machine.startsWith("virt-")) return "virt";
  return "pc";
}

interface Targets {
  readonly diskBus: string;
  readonly diskTarget: string;
  readonly cdromBus: string;
  readonly cdromTarget: string;
}

/** Bus of the config drive (nova: `nova/virt/libvirt/blockinfo.py`, `get_disk_bus_for_device_type`), and names that no two devices share. */
function chooseTargets(family: MachineFamily, diskBus: DomainSpec["hardware"]["diskBus"]): Targets {
  if ((family !== "pc" && diskBus === "ide") || (family === "virt" && diskBus === "sata")) {
    throw new StackyardError("invalid-input", {
      message: `A machine of the family ${family} has no ${diskBus} disks`,
      field: "hardware.diskBus",
      value: diskBus,
      remedy: "Set hw_disk_bus to virtio, or choose another hw_machine_type.",
    });
  }
  const cdromBus = ({ pc: "ide", q35: "sata", virt: "scsi" } as const)[family];
  const diskTarget = { virtio: "vda", scsi: "sda", sata: "sda", ide: "hda" }[diskBus];
  const cdromTarget = cdromBus === "ide" ? "hdb" : "sdb";
  return { diskBus, diskTarget, cdromBus, cdromTarget };
}
