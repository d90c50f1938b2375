import { posix } from "node:path";
import { z } from "zod";
import type { ForeignFile } from "../core/adoption.ts";
import { script, sh, type Shell } from "../hosts/command.ts";

/** Ends a part of an answer; no XML, JSON, digest or number holds it. */
export const part = "<<>>";

/** Longest that one disk is looked at, seconds: one on a network may never answer. */
export const imageSeconds = 20;

/** A disk by its path on the host, and as what its domain takes it. */
export interface DiskPath {
  readonly path: string;
  readonly format: string;
}

/** How many parts {@link lookAtFiles} answers for each disk. */
export const partsOfFile = 4;

/**
 * What each disk's file is, in the host's words: which file it is, whether it may be moved, what `qemu-img` says of it and of all that it lies on, and what
 * a copy takes. Each is opened as what its domain takes it for, never as what its bytes look like.
 */
export function lookAtFiles(folder: string, disks: readonly DiskPath[]): Shell {
  return sh`folder=${folder}
set -- ${disks.flatMap(({ path, format }) => [path, format])}
while [ $# -gt 0 ]; do
  echo ${part}
  if [ -f "$1" ]; then
    stat -L -c %d:%i -- "$1"
    echo ${part}
    how=copy
    if [ ! -L "$1" ] && [ "$(stat -c %h -- "$1")" = 1 ] && [ "$(stat -c %m -- "$1")" = "$(stat -c %m -- "$folder")" ]; then how=move; fi
    case $(readlink -f -- "$1") in "$(readlink -f -- "$folder")"/*) how=ours ;; esac
    echo "$how"
    echo ${part}
    timeout ${imageSeconds} qemu-img info -U --backing-chain --output=json -f "$2" "$1" || true
    echo ${part}
    timeout ${imageSeconds} qemu-img measure -U --output=json -f "$2" -O qcow2 "$1" || true
  else
    echo ${part}
    echo ${part}
    echo ${part}
  fi
  shift 2
done`;
}

/** Which files other domains' disks are, and what they lie on: two parts a disk that is there. Read by {@link readNeeds}. */
export function lookAtNeeds(disks: readonly (DiskPath & { readonly uuid: string })[]): Shell {
  return sh`set -- ${disks.flatMap(({ uuid, path, format }) => [uuid, path, format])}
while [ $# -gt 0 ]; do
  if [ -f "$2" ] || [ -b "$2" ]; then
    echo ${part}
    echo "$1"
    stat -L -c %d:%i -- "$2"
    echo ${part}
    timeout ${imageSeconds} qemu-img info -U --backing-chain --output=json -f "$3" "$2" || true
  fi
  shift 3
done`;
}

/** What a disk of another domain needs. */
export interface Need {
  readonly uuid: string;
  /** The file that it is. */
  readonly identity: string;
  /** Paths of what it lies on, as its headers have them. */
  readonly bases: readonly string[];
}

export function readNeeds(parts: readonly string[]): readonly Need[] {
  return parts.flatMap((head, index) => {
    if (index % 2 === 1) return [];
    const [uuid = "", identity = ""] = head.split("\n");
    const [, ...chain] = readChain(parts[index + 1] ?? "") ?? [];
    const bases = chain.map(({ filename }) => filename).filter((path) => posix.isAbsolute(path));
    return [{ uuid, identity, bases }];
  });
}

/** Which files these are, a line each; an empty one for what is not there. One file may have many paths. */
export function identifyFiles(paths: readonly string[]): Shell {
  return script(sh`for path in ${paths}; do
  stat -L -c %d:%i -- "$path" 2> /dev/null || echo
done`);
}

export function readIdentities(output: string): readonly string[] {
  return output.split("\n");
}

const imageInfo = z.object({
  filename: z.string(),
  format: z.string(),
  "virtual-size": z.int().nonnegative(),
  "actual-size": z.int().nonnegative(),
  encrypted: z.boolean().optional(),
  "format-specific": z.object({ data: z.object({ "data-file": z.string().optional() }) }).optional(),
});
type ImageInfo = z.infer<typeof imageInfo>;
const chainInfo = z.array(imageInfo);
const measureInfo = z.object({ required: z.int().nonnegative() });

function readJson<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** An image and what it lies on, topmost first. */
function readChain(text: string): readonly ImageInfo[] | undefined {
  return readJson(chainInfo, text);
}

/** Only what nobody else may want, and what is whole in itself, is moved. `undefined` for what is no image, or lacks what it lies on. */
export function readFile(
  { format, isShared }: { readonly format: string; readonly isShared: boolean },
  how: string,
  image: string,
  measured: string,
): ForeignFile | undefined {
  const [info, ...bases] = readChain(image) ?? [];
  if (info === undefined) return undefined;
  const canMove = how === "move" && format === "qcow2" && bases.length === 0 && !isShared;
  const required = readJson(measureInfo, measured)?.required ?? info["virtual-size"];
  const obstacle = how === "ours" ? "lies in the cloud's own folder" : findObstacle([info, ...bases]);
  return {
    sizeBytes: info["virtual-size"],
    fileBytes: info["actual-size"],
    basePaths: bases.map(({ filename }) => filename),
    isEncrypted: info.encrypted === true,
    ...(obstacle === undefined ? {} : { obstacle }),
    transfer: canMove ? "move" : "copy",
    copyBytes: canMove ? 0 : required,
  };
}

/**
 * What of the chain names files of the host that its domain's QEMU may not be able to read, though a copy by root can. A base is told by its path, and
 * is for the reader to judge; no other way to another file is taken.
 */
function findObstacle(chain: readonly ImageInfo[]): string | undefined {
  for (const info of chain) {
    const { filename, format } = info;
    const dataFile = info["format-specific"]?.data["data-file"];
    if (dataFile !== undefined) return `has its data in another file, ${dataFile}`;
    if (format !== "qcow2" && format !== "raw" && info.encrypted !== true)
      return `is ${format}, where qcow2 and raw are taken`;
    if (!posix.isAbsolute(filename)) return `lies on what is no file: ${filename}`;
  }
  return undefined;
}
