import { StackyardError } from "../core/errors.ts";
import type { JsonObject, JsonValue } from "../core/json.ts";
import { parseIntegerText } from "./number-text.ts";

/** Architectures by libvirt's names (nova: objects/fields.py Architecture). */
export const architectures = [
  "alpha",
  "armv6l",
  "armv7l",
  "armv7b",
  "aarch64",
  "cris",
  "i686",
  "ia64",
  "lm32",
  "m68k",
  "microblaze",
  "microblazeel",
  "mips",
  "mipsel",
  "mips64",
  "mips64el",
  "openrisc",
  "parisc",
  "parisc64",
  "ppc",
  "ppcle",
  "ppc64",
  "ppc64le",
  "ppcemb",
  "s390",
  "s390x",
  "sh4",
  "sh4eb",
  "sparc",
  "sparc64",
  "unicore32",
  "x86_64",
  "xtensa",
  "xtensaeb",
] as const;

const hypervisorTypes = [
  "baremetal",
  "bhyve",
  "docker",
  "fake",
  "hyperv",
  "ironic",
  "kqemu",
  "kvm",
  "lxc",
  "lxd",
  "openvz",
  "parallels",
  "phyp",
  "qemu",
  "test",
  "uml",
  "vbox",
  "vz",
  "vmware",
  "xen",
  "zvm",
  "prsm",
] as const;

const machineModes = ["hvm", "xen", "uml", "exe"] as const;

const spellings: Readonly<Record<string, string>> = {
  i386: "i686",
  i486: "i686",
  i586: "i686",
  x86_32: "i686",
  x86_32p: "i686",
  amd64: "x86_64", // architectures
};
const hypervisorSpellings: Readonly<Record<string, string>> = { xapi: "xen" };
const modeSpellings: Readonly<Record<string, string>> = { pv: "xen", hv: "hvm", baremetal: "hvm" };

type PropertyKind = "text" | "integer" | "boolean" | "architecture" | "hypervisor" | "mode";

/** The image properties that Nova knows; any other is invisible to the scheduler (nova: objects/image_meta.py ImageMetaProps). */
const knownProperties: Readonly<Record<string, PropertyKind>> = {
  hw_architecture: "architecture",
  hw_emulation_architecture: "architecture",
  hw_auto_disk_config: "text",
  hw_boot_menu: "boolean",
  hw_cdrom_bus: "text",
  hw_cpu_cores: "integer",
  hw_cpu_sockets: "integer",
  hw_cpu_max_cores: "integer",
  hw_cpu_max_sockets: "integer",
  hw_cpu_max_threads: "integer",
  hw_cpu_policy: "text",
  hw_cpu_thread_policy: "text",
  hw_cpu_realtime_mask: "text",
  hw_cpu_threads: "integer",
  hw_device_id: "integer",
  hw_disk_bus: "text",
  hw_disk_type: "text",
  hw_ephemeral_encryption: "boolean",
  hw_ephemeral_encryption_format: "text",
  hw_ephemeral_encryption_secret_uuid: "text",
  hw_firmware_stateless: "boolean",
  hw_firmware_type: "text",
  hw_floppy_bus: "text",
  hw_input_bus: "text",
  hw_ipxe_boot: "boolean",
  hw_locked_memory: "boolean",
  hw_machine_type: "text",
  hw_maxphysaddr_bits: "integer",
  hw_maxphysaddr_mode: "text",
  hw_mem_encryption: "boolean",
  hw_mem_encryption_model: "text",
  hw_mem_page_size: "text",
  hw_numa_nodes: "integer",
  hw_pci_numa_affinity_policy: "text",
  hw_pmu: "boolean",
  hw_pointer_model: "text",
  hw_qemu_guest_agent: "boolean",
  hw_redirected_usb_ports: "integer",
  hw_rescue_bus: "text",
  hw_rescue_device: "text",
  hw_rng_model: "text",
  hw_scsi_model: "text",
  hw_serial_port_count: "integer",
  hw_sound_model: "text",
  hw_time_hpet: "boolean",
  hw_tpm_model: "text",
  hw_tpm_version: "text",
  hw_usb_model: "text",
  hw_video_model: "text",
  hw_video_ram: "integer",
  hw_vif_model: "text",
  hw_vif_multiqueue_enabled: "boolean",
  hw_viommu_model: "text",
  hw_virtio_packed_ring: "boolean",
  hw_vm_mode: "mode",
  hw_watchdog_action: "text",
  img_bdm_v2: "boolean",
  img_bittorrent: "boolean",
  img_cache_in_nova: "boolean",
  img_compression_level: "integer",
  img_config_drive: "text",
  img_hide_hypervisor_id: "boolean",
  img_hv_requested_version: "text",
  img_hv_type: "hypervisor",
  img_linked_clone: "boolean",
  img_owner_id: "text",
  img_root_device_name: "text",
  img_signature: "text",
  img_signature_certificate_uuid: "text",
  img_signature_hash_method: "text",
  img_signature_key_type: "text",
  img_use_agent: "boolean",
  img_version: "integer",
  os_admin_user: "text",
  os_command_line: "text",
  os_distro: "text",
  os_require_quiesce: "boolean",
  os_secure_boot: "text",
  os_skip_agent_inject_files_at_boot: "boolean",
  os_skip_agent_inject_ssh: "boolean",
  os_type: "text",
};

/** Names of the years before 2015 that still work. */
const legacyNames: Readonly<Record<string, string>> = {
  architecture: "hw_architecture",
  auto_disk_config: "hw_auto_disk_config",
  bdm_v2: "img_bdm_v2",
  bittorrent: "img_bittorrent",
  cache_in_nova: "img_cache_in_nova",
  hypervisor_type: "img_hv_type",
  hypervisor_version_requires: "img_hv_requested_version",
  ipxe_boot: "hw_ipxe_boot",
  owner_id: "img_owner_id",
  root_device_name: "img_root_device_name",
  vm_mode: "hw_vm_mode",
  vmware_disktype: "hw_disk_type",
  vmware_image_version: "img_version",
  vmware_linked_clone: "img_linked_clone",
  vmware_ostype: "os_distro",
  xenapi_device_id: "hw_device_id",
  xenapi_image_compression_level: "img_compression_level",
  xenapi_skip_agent_inject_files_at_boot: "os_skip_agent_inject_files_at_boot",
  xenapi_skip_agent_inject_ssh: "os_skip_agent_inject_ssh",
  xenapi_use_agent: "img_use_agent",
};

export type ImagePropertyValue = string | number | boolean;

/**
 * The properties that Nova knows, by today's names, with their types. A current name wins over a legacy one.
 * Raises `invalid-input` for an architecture, hypervisor type, machine mode or whole number that is none.
 */
export function readImageProperties(properties: JsonObject): ReadonlyMap<string, ImagePropertyValue> {
  const read = new Map<string, ImagePropertyValue>();
  for (const [legacy, name] of Object.entries(legacyNames)) readInto(read, name, legacy, properties[legacy]);
  for (const name of Object.keys(properties)) readInto(read, name, name, properties[name]);
  return read;
}

function readInto(
  read: Map<string, ImagePropertyValue>,
  name: string,
  given: string,
  value: JsonValue | undefined,
): void {
  const kind = Object.hasOwn(knownProperties, name) ? knownProperties[name] : undefined;
  if (kind === undefined || value === undefined || value === null) return;
  read.set(name, readProperty(kind, given, typeof value === "string" ? value : JSON.stringify(value)));
}

function readProperty(kind: PropertyKind, name: string, text: string): ImagePropertyValue {
  switch (kind) {
    case "text":
      return text;
    case "boolean":
      return ["1", "t", "true", "on", "y", "yes"].includes(text.trim().toLowerCase());
    case "integer":
      return parseIntegerText(text) ?? refuse(name, text, "a whole number");
    case "architecture":
      return (
        canonical(text, spellings, architectures) ?? refuse(name, text, "an architecture that libvirt knows")
      );
    case "hypervisor":
      return (
        canonical(text, hypervisorSpellings, hypervisorTypes) ??
        refuse(name, text, hypervisorTypes.join(", "))
      );
    case "mode":
      return canonical(text, modeSpellings, machineModes) ?? refuse(name, text, machineModes.join(", "));
  }
}

function canonical(
  text: string,
  other: Readonly<Record<string, string>>,
  known: readonly string[],
): string | undefined {
  const lower = text.toLowerCase();
  const name = Object.hasOwn(other, lower) ? other[lower] : lower;
  return name !== undefined && known.includes(name) ? name : undefined;
}

function refuse(name: string, value: string, wanted: string): never {
  throw new StackyardError("invalid-input", {
    message: `the image's property ${name} cannot be read; wanted: ${wanted}`,
    field: `image.properties.${name}`,
    value,
  });
}
