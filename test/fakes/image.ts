import { StackyardError } from "../../providers/core/errors.ts";
import type {
  CachedImage,
  ComputeHost,
  ImageFacts,
  ImageQuestion,
  ImageSpec,
} from "../../providers/core/ports.ts";
import type { Drift } from "../../providers/core/resource.ts";
import type { FakeHost } from "./host.ts";

/** The bytes of every image that the fake serves, by location. */
const sources: Readonly<Record<string, ImageFacts>> = {
  "/images/cirros.qcow2": {
    format: "qcow2",
    sizeBytes: 16_777_216,
    virtualSizeBytes: 117_440_512,
    checksum: `sha256:${"a".repeat(64)}`,
  },
  "/images/blank.qcow2": {
    format: "qcow2",
    sizeBytes: 196_616,
    virtualSizeBytes: 2 * 1024 ** 3,
    checksum: `sha256:${"c".repeat(64)}`,
  },
  "/images/vmlinuz": {
    format: "raw",
    sizeBytes: 8_388_608,
    virtualSizeBytes: 8_388_608,
    checksum: `sha256:${"b".repeat(64)}`,
  },
};

export function findSource(location: string, field: string): ImageFacts {
  const facts = sources[location];
  if (facts !== undefined) return facts;
  throw new StackyardError("image-unreachable", {
    message: `There is no image at ${location}`,
    field,
    value: location,
  });
}

export function requireChecksum(
  expected: string | undefined,
  facts: ImageFacts,
  location: string,
  field: string,
): void {
  if (expected === undefined || expected === facts.checksum) return;
  throw new StackyardError("image-checksum", {
    message: `${location} has the checksum ${facts.checksum}`,
    field,
    value: location,
  });
}

interface WantedFile {
  readonly name: "disk" | "kernel" | "initrd";
  readonly path: string;
  readonly location: string;
  readonly sizeBytes: number;
  readonly checksum: string;
}

function listFiles(host: ComputeHost, image: ImageSpec): readonly WantedFile[] {
  return (["disk", "kernel", "initrd"] as const).flatMap((name) => {
    const file = image[name];
    if (file === undefined) return [];
    const { sizeBytes, checksum } = "facts" in file ? file.facts : file;
    const path = `${host.folder}/images/${image.id}/${name}`;
    return [{ name, path, location: file.source.location, sizeBytes, checksum }];
  });
}

/** Raises what is wrong with any of the files before one is brought. */
export function fetchImage(machine: FakeHost, host: ComputeHost, image: ImageSpec): CachedImage {
  const files = listFiles(host, image);
  const drift = compareImage(machine, { host, image, deep: false });
  const missing = files.filter(({ name }) => drift.some(({ field }) => field === `cache.${name}`));
  const neededBytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (neededBytes > machine.inventory.diskGib * 1024 ** 3)
    throw new StackyardError("host-disk-full", {
      message: `Image ${image.name} does not fit on host ${host.name}`,
    });
  for (const { name, location, checksum } of missing)
    requireChecksum(checksum, findSource(location, name), location, name);
  machine.images[image.id] = {
    files: files.map(({ path, sizeBytes, checksum }) => ({ path, sizeBytes, checksum, isSound: true })),
    virtualSizeBytes: image.disk?.facts.virtualSizeBytes ?? 0,
  };
  return toCachedImage(host, image);
}

/** Where its files are once it is there. */
export function toCachedImage(host: ComputeHost, image: ImageSpec): CachedImage {
  const files = listFiles(host, image);
  const pathOf = (wanted: WantedFile["name"]): string | undefined =>
    files.find(({ name }) => name === wanted)?.path;
  return { diskPath: pathOf("disk"), kernelPath: pathOf("kernel"), initrdPath: pathOf("initrd") };
}

export function compareImage(machine: FakeHost, { host, image, deep }: ImageQuestion): readonly Drift[] {
  const files = machine.images[image.id]?.files ?? [];
  return listFiles(host, image).flatMap((wanted): readonly Drift[] => {
    const found = files.find(({ path }) => path === wanted.path);
    const change = { field: `cache.${wanted.name}`, repair: "brings it anew", label: "live" } as const;
    if (found === undefined) return [{ ...change, expected: "present", found: "missing" }];
    if (found.sizeBytes !== wanted.sizeBytes)
      return [{ ...change, expected: String(wanted.sizeBytes), found: String(found.sizeBytes) }];
    const isRight = deep ? found.checksum === wanted.checksum : found.isSound;
    return isRight ? [] : [{ ...change, expected: "unaltered", found: "altered" }];
  });
}

export function removeImage(machine: FakeHost, host: ComputeHost, imageId: string): void {
  const files = machine.images[imageId]?.files ?? [];
  const isBase = (file: string | undefined): boolean => files.some(({ path }) => path === file);
  const users = [
    ...Object.entries(machine.folders).flatMap(([id, { disk }]) =>
      isBase(disk?.imagePath) ? [`server ${id}`] : [],
    ),
    ...Object.entries(machine.volumes).flatMap(([id, { disk }]) =>
      isBase(disk?.parent) ? [`volume ${id}`] : [],
    ),
  ];
  if (users.length > 0)
    throw new StackyardError("in-use", {
      message: `Image ${imageId} on host ${host.name} is the base of disks: ${users.join(", ")}`,
    });
  Reflect.deleteProperty(machine.images, imageId);
}
