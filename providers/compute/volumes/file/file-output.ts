import { z } from "zod";
import { StackyardError } from "../../../core/errors.ts";
import type { VolumeObservation } from "../../../core/volume-backend.ts";

/** Between the parts of an answer; no JSON of `qemu-img` holds it on a line of its own. */
export const part = "<<>>";

/** `qemu-img info --output=json`. */
const infoSchema = z.object({
  format: z.literal("qcow2"),
  "virtual-size": z.int().nonnegative(),
  "full-backing-filename": z.string().optional(),
  "backing-filename": z.string().optional(),
  snapshots: z.array(z.object({ name: z.string() })).optional(),
});

/** Reads who holds a file, a line each, and what `qemu-img info` says of it. */
export function readDisk(output: string): VolumeObservation {
  const [holders = "", text = ""] = output.split(`${part}\n`);
  const info = readInfo(text);
  return {
    sizeBytes: info["virtual-size"],
    format: info.format,
    parent: info["full-backing-filename"] ?? info["backing-filename"],
    snapshots: (info.snapshots ?? []).map(({ name }) => ({ name })),
    holders: readHolders(holders),
  };
}

/** Names of the snapshots that `qemu-img info` tells of. */
export function readSnapshots(text: string): readonly string[] {
  return (readInfo(text).snapshots ?? []).map(({ name }) => name);
}

export function readHolders(text: string): readonly string[] {
  return [...new Set(text.split("\n").filter((line) => line !== ""))];
}

function readInfo(text: string): z.infer<typeof infoSchema> {
  try {
    return infoSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new StackyardError("command-failed", {
      message: "A host described the file of a volume in words that cannot be read",
      cause,
    });
  }
}
