import { z } from "zod";
import { StackyardError } from "../core/errors.ts";
import { sh } from "./command.ts";
import type { Shell } from "./command.ts";

/** What `qemu-img` finds in a disk image. */
export interface ImageInfo {
  /** As detected: `qcow2`, `raw`, `vmdk`, … */
  readonly format: string;
  readonly virtualBytes: number;
  /** Space taken on the host's disk. */
  readonly actualBytes: number;
  /** Image that this one is an overlay of. */
  readonly backingFile: string | undefined;
  /** File outside that holds the data (qcow2, `data_file`). */
  readonly dataFile: string | undefined;
}

/** Format of a disk that we make. */
export type DiskFormat = "qcow2" | "raw";

/** Looks at an image, one in use by a running guest too. Read by {@link parseImageInfo}. `format` skips the detection. */
export function showImage(path: string, format?: DiskFormat): Shell {
  const options = format === undefined ? [] : ["-f", format];
  return sh`qemu-img info --force-share --output=json ${options} -- ${absolute(path)}`;
}

/** A qcow2 of `sizeGib` that reads through to `base`, and keeps its own writes. */
export function createOverlay(path: string, base: string, baseFormat: DiskFormat, sizeGib: number): Shell {
  return sh`qemu-img create -q -f qcow2 -F ${baseFormat} -b ${absolute(base)} -- ${absolute(path)} ${`${sizeGib}G`}`;
}

/** An empty disk of `sizeGib`. */
export function createBlank(path: string, format: DiskFormat, sizeGib: number): Shell {
  return sh`qemu-img create -q -f ${format} -- ${absolute(path)} ${`${sizeGib}G`}`;
}

/** A copy in another format, whole in itself. Prints its progress, see {@link parseProgress}. */
export function convertImage(from: string, fromFormat: DiskFormat, to: string, toFormat: DiskFormat): Shell {
  return sh`qemu-img convert -p -f ${fromFormat} -O ${toFormat} -- ${absolute(from)} ${absolute(to)}`;
}

const infoSchema = z.object({
  format: z.string(),
  "virtual-size": z.int().nonnegative(),
  "actual-size": z.int().nonnegative(),
  "backing-filename": z.string().optional(),
  "format-specific": z.object({ data: z.looseObject({ "data-file": z.string().optional() }) }).optional(),
});

/** Reads the output of {@link showImage}. Raises `command-failed` for anything else. */
export function parseImageInfo(output: string): ImageInfo {
  try {
    const info = infoSchema.parse(JSON.parse(output));
    return {
      format: info.format,
      virtualBytes: info["virtual-size"],
      actualBytes: info["actual-size"],
      backingFile: info["backing-filename"],
      dataFile: info["format-specific"]?.data["data-file"],
    };
  } catch (cause) {
    throw new StackyardError("command-failed", {
      message: "qemu-img described an image in an unknown way",
      cause,
    });
  }
}

/** Share done, from 0 to 1, of the last figure that `qemu-img -p` printed: `    (42.50/100%)`. */
export function parseProgress(log: string): number | undefined {
  const last = [...log.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)?.[1];
  return last === undefined ? undefined : Number(last) / 100;
}

/** qemu-img takes `nbd:…`, `json:…` and the like for something else than a file; a path from the root is always one. */
function absolute(path: string): string {
  if (!path.startsWith("/")) throw new TypeError(`The path of an image starts at the root, unlike ${path}`);
  return path;
}
