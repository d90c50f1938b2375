import { z } from "zod";
import { StackyardError } from "../../../core/errors.ts";
import type { VolumeObservation } from "../../../core/volume-backend.ts";

/** Between the parts of an answer; no JSON of `rbd` holds it. */
export const part = "<<>>";

/** `rbd info --format json` (Ceph 16). */
const infoSchema = z.object({
  size: z.int().nonnegative(),
  parent: z.object({ pool: z.string(), image: z.string(), snapshot: z.string() }).optional(),
});
const snapshotsSchema = z.array(z.object({ name: z.string() }));
const childrenSchema = z.array(z.object({ pool: z.string(), image: z.string() }));
const statusSchema = z.object({
  watchers: z.array(z.object({ address: z.string(), client: z.int() })),
});
/** `ceph df --format json`; without a manager its list of pools is empty. */
const usageSchema = z.object({
  pools: z.array(
    z.object({
      name: z.string(),
      stats: z.object({ max_avail: z.int().nonnegative() }),
    }),
  ),
});
const metaSchema = z.record(z.string(), z.string());

/** Reads the answers to `rbd info`, `rbd snap ls` and `rbd status`. */
export function readImage(output: string): VolumeObservation {
  const [info = "", snapshots = "", status = ""] = output.split(`${part}\n`);
  const { size, parent } = read(infoSchema, info);
  return {
    sizeBytes: size,
    format: "raw",
    parent: parent === undefined ? undefined : `${parent.pool}/${parent.image}@${parent.snapshot}`,
    snapshots: read(snapshotsSchema, snapshots).map(({ name }) => ({ name })),
    holders: readWatchers(status),
  };
}

export function readSnapshots(text: string): readonly string[] {
  return read(snapshotsSchema, text).map(({ name }) => name);
}

/** `POOL/IMAGE` of each. */
export function readChildren(text: string): readonly string[] {
  return read(childrenSchema, text).map(({ pool, image }) => `${pool}/${image}`);
}

/** `client.NUMBER at ADDRESS` of each. */
export function readWatchers(text: string): readonly string[] {
  return read(statusSchema, text).watchers.map(
    ({ address, client }) => `client.${String(client)} at ${address}`,
  );
}

/** Bytes that can still be written to a pool; `undefined` where the cluster does not tell. */
export function readSpace(text: string, pool: string): number | undefined {
  if (text.trim() === "") return undefined;
  return read(usageSchema, text).pools.find(({ name }) => name === pool)?.stats.max_avail;
}

/** Metadata of an image. */
export function readMeta(text: string): Readonly<Record<string, string>> {
  return text.trim() === "" ? {} : read(metaSchema, text);
}

function read<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new StackyardError("command-failed", {
      message: "A host described an RBD image in words that cannot be read",
      cause,
    });
  }
}
