import { StackyardError } from "../core/errors.ts";
import type { ComputeHost } from "../core/ports.ts";
import type { AttachedVolume, RbdPlace, VolumeQos, VolumeRef } from "../core/volume-backend.ts";
import { volumeFile } from "./layout.ts";
import { nameCephSecret, nameCephUser, nameVolumeSecret } from "./marks.ts";
import { renderXml } from "./render.ts";
import type { TemplateContext } from "./render.ts";
import { nameImage } from "./volumes/rbd/rbd-client.ts";

/** Where a guest sees a disk. */
export interface DiskTarget {
  readonly target: string;
  readonly bus: string;
}

/** What else a disk can be. */
type DiskOptions = Partial<Pick<AttachedVolume, "isReadOnly" | "isShared" | "qos">> & {
  readonly serial?: string | undefined;
  /** Uuid of the libvirt secret with its key. Default: it is not encrypted. */
  readonly secretId?: string | undefined;
};

/** A disk that is a qcow2 file, as the template `disk` takes it. */
export function describeFileDisk(
  path: string,
  { target, bus }: DiskTarget,
  { serial, secretId, isReadOnly = false, isShared = false, qos = {} }: DiskOptions = {},
): TemplateContext {
  return {
    type: "file",
    format: "qcow2",
    cache: chooseCache(isShared),
    path,
    rbd: undefined,
    encryption: secretId === undefined ? undefined : { secretId },
    target,
    bus,
    serial,
    limits: listLimits(qos),
    isReadOnly,
    isShared,
  };
}

/** The volume that is a server's root disk, as the template `disk` takes it. */
export function describeRootVolume(
  host: ComputeHost,
  volume: VolumeRef,
  target: DiskTarget,
  qos: VolumeQos = {},
): TemplateContext {
  return describeVolumeDisk(host, volume, target, { qos });
}

/**
 * A volume beside the root disk, as the template `disk` takes it. Raises `invalid-input` for a file that guests would write to at the same time: its
 * format holds them off.
 */
export function describeAttachedVolume(host: ComputeHost, attached: AttachedVolume): TemplateContext {
  const { volume, device, isReadOnly, isShared } = attached;
  if (volume.place.backend === "file" && isShared && !isReadOnly) {
    throw new StackyardError("invalid-input", {
      message: `Volume ${volume.id} is a qcow2 file, which only one server at a time can write to`,
      field: "isShared",
      remedy: "Share it read-only, or make it in a Ceph pool.",
    });
  }
  return describeVolumeDisk(host, volume, { target: device, bus: "virtio" }, attached);
}

/** The `<disk>` of a volume beside the root disk, as `virsh attach-device` reads it. Raises as {@link describeAttachedVolume} does. */
export function renderVolumeDisk(host: ComputeHost, attached: AttachedVolume): string {
  return renderXml("disk", describeAttachedVolume(host, attached));
}

/** What libvirt names as the source of a volume's disk: a path, or `rbd POOL/IMAGE`. */
export function nameSource(host: ComputeHost, volume: VolumeRef): string {
  const { place } = volume;
  return place.backend === "file"
    ? volumeFile(host.folder, volume.id)
    : `rbd ${nameRbdSource(place, volume)}`;
}

/** A guest finds the disk by its serial, the volume's id (nova: `virt/libvirt/volume/volume.py`); on the virtio bus it sees 20 characters of it. */
function describeVolumeDisk(
  host: ComputeHost,
  volume: VolumeRef,
  target: DiskTarget,
  options: DiskOptions,
): TemplateContext {
  const { place } = volume;
  const file = describeFileDisk(volumeFile(host.folder, volume.id), target, {
    ...options,
    serial: volume.id,
    secretId: volume.encryption === undefined ? undefined : nameVolumeSecret(volume.id),
  });
  if (place.backend === "file") return file;
  const rbd = {
    user: nameCephUser(host.cloudId, "libvirt"),
    secretId: nameCephSecret(place.clusterId),
    image: nameRbdSource(place, volume),
    monitors: place.monitors.map(parseMonitor),
  };
  return { ...file, type: "network", format: "raw", path: undefined, rbd };
}

function nameRbdSource({ pool }: RbdPlace, volume: VolumeRef): string {
  return `${pool}/${nameImage(volume)}`;
}

/**
 * `writeback`: `none` needs O_DIRECT, which a tmpfs and some network file systems refuse, and a guest's flushes are honoured either way. A disk that
 * others have too must not be cached (nova: `virt/libvirt/driver.py`, `_set_cache_mode`).
 */
function chooseCache(isShared: boolean): string {
  return isShared ? "none" : "writeback";
}

/** `ADDRESS` or `ADDRESS:PORT`, an IPv6 address with a port in brackets. libvirt takes it without; what has no port is tried at both of Ceph's. */
function parseMonitor(monitor: string): { readonly name: string; readonly port: string | undefined } {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(monitor) ?? [];
  return { name: bracketed ?? plain ?? monitor, port };
}

/** Elements of `<iotune>` (libvirt: formatdomain). */
const limitNames: readonly (readonly [keyof VolumeQos, string])[] = [
  ["totalBytesSec", "total_bytes_sec"],
  ["readBytesSec", "read_bytes_sec"],
  ["writeBytesSec", "write_bytes_sec"],
  ["totalIopsSec", "total_iops_sec"],
  ["readIopsSec", "read_iops_sec"],
  ["writeIopsSec", "write_iops_sec"],
];

/** `undefined` where there is none: libvirt takes no empty `<iotune>`. */
function listLimits(qos: VolumeQos): readonly TemplateContext[] | undefined {
  const limits = limitNames.flatMap(([key, name]) => {
    const value = qos[key];
    return value === undefined ? [] : [{ name, value }];
  });
  return limits.length === 0 ? undefined : limits;
}
