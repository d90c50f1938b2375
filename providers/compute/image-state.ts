import type { ImageSource, ImageSpec } from "../core/ports.ts";
import type { Drift } from "../core/resource.ts";
import { sh } from "../hosts/command.ts";
import type { Shell } from "../hosts/command.ts";
import { imagesFolder } from "./layout.ts";

/** One file of an image as it must be on the host. */
export interface ImageFile {
  readonly name: "disk" | "kernel" | "initrd";
  readonly source: ImageSource;
  readonly checksum: string;
  readonly sizeBytes: number;
  /** Format that `qemu-img` must find it to have; absent for what is no disk. */
  readonly format: "qcow2" | "raw" | undefined;
}

export function listFiles({ disk, kernel, initrd }: ImageSpec): readonly ImageFile[] {
  return [
    ...(disk === undefined ? [] : [{ name: "disk" as const, source: disk.source, ...disk.facts }]),
    ...(kernel === undefined ? [] : [{ name: "kernel" as const, format: undefined, ...kernel }]),
    ...(initrd === undefined ? [] : [{ name: "initrd" as const, format: undefined, ...initrd }]),
  ];
}

/**
 * Time of last change, in seconds, that a file gets when its checksum was found right: any other time says that it was written to since
 * (Nix marks the files of its store in the same way).
 */
export const soundTime = 1;

/** What reading a hostile image may cost a host: 1 GiB of memory and 30 s of a processor (nova: `virt/images.py`, QEMU_IMG_LIMITS). */
export const imageLimits = ["--as=1073741824", "--cpu=30"];

/** A file of a cache as found. */
export interface FileState {
  readonly sizeBytes: number;
  /** Of the last change, in seconds since 1970. */
  readonly time: number;
  /** `sha256:<hex>`; absent unless it was read whole. */
  readonly checksum: string | undefined;
}

/** Between the parts of the answer. */
const separator = "<>";

/** Looks at files of images by their paths in the cache; `deep` of them are read whole. */
export function observeFiles(folder: string, paths: readonly string[], deep: readonly string[]): Shell {
  return sh`if cd -- ${imagesFolder(folder)} 2> /dev/null; then
  for path in ${paths}; do [ ! -f "$path" ] || stat -L -c '%s %Y %n' -- "$path"; done
  echo '<>'
  for path in ${deep}; do [ ! -f "$path" ] || sha256sum -- "$path"; done
fi`;
}

/** Reads the answer of {@link observeFiles}, by path. */
export function parseFiles(output: string): ReadonlyMap<string, FileState> {
  const [stats = "", sums = ""] = output.split(`${separator}\n`);
  const checksums = new Map(linesOf(sums).map(([hex = "", path = ""]) => [path, `sha256:${hex}`] as const));
  return new Map(
    linesOf(stats).map(([size, time, path = ""]) => [
      path,
      { sizeBytes: Number(size), time: Number(time), checksum: checksums.get(path) },
    ]),
  );
}

function linesOf(text: string): readonly (readonly string[])[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(/ +/));
}

/** Paths of an image's files within the cache. */
export function listPaths(image: ImageSpec): readonly string[] {
  return listFiles(image).map(({ name }) => `${image.id}/${name}`);
}

/** What of an image's files is not as it was brought. */
export function compareImage(image: ImageSpec, states: ReadonlyMap<string, FileState>): readonly Drift[] {
  return listFiles(image).flatMap((file): readonly Drift[] => {
    const state = states.get(`${image.id}/${file.name}`);
    const difference = findDifference(file, state);
    if (difference === undefined) return [];
    const repair =
      state === undefined ? "brings it anew" : "brings it anew; running guests read it from their next start";
    return [{ field: `cache.${file.name}`, ...difference, repair, label: "live" }];
  });
}

function findDifference(
  { checksum, sizeBytes }: ImageFile,
  state: FileState | undefined,
): { readonly expected: string; readonly found: string } | undefined {
  if (state === undefined) return { expected: "present", found: "missing" };
  if (state.sizeBytes !== sizeBytes)
    return { expected: `${String(sizeBytes)} bytes`, found: `${String(state.sizeBytes)} bytes` };
  if (state.checksum !== undefined)
    return state.checksum === checksum ? undefined : { expected: checksum, found: state.checksum };
  if (state.time === soundTime) return undefined;
  return { expected: "unaltered", found: `altered at ${new Date(state.time * 1000).toISOString()}` };
}
