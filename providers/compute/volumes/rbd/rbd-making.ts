import type { ComputeHost } from "../../../core/ports.ts";
import type { RbdPlace, VolumeSpec } from "../../../core/volume-backend.ts";
import { nameSnapshot } from "../volume-backend.ts";
import { blockNode, luksNode, nameImage, partSuffix } from "./rbd-client.ts";
import { imageSize, luksOf, overheadOf } from "./rbd-luks.ts";
import { markFor, type RbdSource, type RbdWork } from "./rbd-program.ts";

/** What makes an image that is blank or a clone, and grows one that is there. What a broken making has left is removed and begun anew. */
export function ensureImage(host: ComputeHost, place: RbdPlace, spec: VolumeSpec): RbdWork {
  return { do: "ensure", want: imageSize(spec), source: sourceOf(host, place, spec), ...luksOf(spec) };
}

function sourceOf(host: ComputeHost, { pool }: RbdPlace, spec: VolumeSpec): RbdSource {
  const { source } = spec;
  switch (source.kind) {
    case "blank":
      return { kind: "blank" };
    case "parent":
      // Ciphertext cannot lie on an image that is none.
      return spec.encryption === undefined
        ? { kind: "clone", parent: source.parent }
        : { kind: "snapshot", parent: source.parent, overhead: overheadOf(spec) };
    case "snapshot": {
      const { id } = source.volume;
      const name = nameImage(source.volume);
      const parent = { pool, image: name, snapshot: nameSnapshot(source.snapshotId) };
      return { kind: "clone", parent, name, id, mark: markFor(host, id) };
    }
    case "volume": {
      const { id } = source.volume;
      return { kind: "volume", name: nameImage(source.volume), id, mark: markFor(host, id) };
    }
    case "image":
      return { kind: "file", path: source.path, size: source.virtualSizeBytes + overheadOf(spec) };
  }
}

/** What copies a source into a new image; `undefined` for a source that takes no copy. Of an encrypted volume the header is copied too. */
export function copySource(host: ComputeHost, place: RbdPlace, spec: VolumeSpec): RbdWork | undefined {
  const { source } = spec;
  const want = imageSize(spec);
  switch (source.kind) {
    case "image":
      return {
        do: "copy",
        want: Math.max(want, source.virtualSizeBytes + overheadOf(spec)),
        convert: convertInto(host, place, spec, source.format, source.path),
        ...luksOf(spec),
      };
    case "parent": {
      if (spec.encryption === undefined) return undefined;
      const { pool, image, snapshot } = source.parent;
      // QEMU opens even a snapshot to write to its image, which Cinder's user may not where images have a pool of their own.
      const from = pool === place.pool ? place : { ...place, pool, content: "images" as const };
      const convert = convertInto(host, place, spec, "raw", blockNode(host, from, image, snapshot));
      return { do: "copy", want, convert, parent: source.parent, ...luksOf(spec) };
    }
    case "volume": {
      const image = nameImage(source.volume);
      const snapshot = `copy-${spec.id}`;
      return {
        do: "copy",
        want,
        convert: convertInto(
          host,
          place,
          { ...spec, encryption: undefined },
          "raw",
          blockNode(host, place, image, snapshot),
        ),
        moment: { name: image, id: source.volume.id, mark: markFor(host, source.volume.id), snapshot },
      };
    }
    case "blank":
    case "snapshot":
      return undefined;
  }
}

/**
 * Writes the source's data into the new image, in any order, and not its holes, which a new image has anyway; in an encrypted one they are written,
 * since there only what was written reads as zero.
 */
export function convertInto(
  host: ComputeHost,
  place: RbdPlace,
  volume: Pick<VolumeSpec, "id" | "name" | "encryption">,
  format: "qcow2" | "raw",
  from: string,
): readonly string[] {
  const part = nameImage(volume) + partSuffix(host);
  const into =
    volume.encryption === undefined
      ? ["--target-is-zero", "-f", format, "-O", "raw", from, blockNode(host, place, part)]
      : ["-f", format, "-O", "luks", from, luksNode(host, place, part)];
  return ["qemu-img", "convert", "-p", "-W", "-n", ...into];
}
