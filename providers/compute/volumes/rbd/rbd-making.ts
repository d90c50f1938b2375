import type { ComputeHost } from "../../../core/ports.ts";
import type { RbdPlace, VolumeSpec } from "../../../core/volume-backend.ts";
import { nameSnapshot, readSize } from "../volume-backend.ts";
import { blockNode, nameImage, partSuffix } from "./rbd-client.ts";
import { markFor, type RbdSource, type RbdWork } from "./rbd-program.ts";

/** What makes an image that is blank or a clone, and grows one that is there. What a broken making has left is removed and begun anew. */
export function ensureImage(host: ComputeHost, place: RbdPlace, spec: VolumeSpec): RbdWork {
  return { do: "ensure", want: readSize(spec), source: sourceOf(host, place, spec) };
}

function sourceOf(host: ComputeHost, { pool }: RbdPlace, { source }: VolumeSpec): RbdSource {
  switch (source.kind) {
    case "blank":
      return { kind: "blank" };
    case "parent":
      return { kind: "clone", parent: source.parent };
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
      return { kind: "file", path: source.path, size: source.virtualSizeBytes };
  }
}

/** What copies a source into a new image; `undefined` for a source that takes no copy. */
export function copySource(host: ComputeHost, place: RbdPlace, spec: VolumeSpec): RbdWork | undefined {
  const { source } = spec;
  const want = readSize(spec);
  switch (source.kind) {
    case "image":
      return {
        do: "copy",
        want: Math.max(want, source.virtualSizeBytes),
        convert: convertInto(host, place, spec, source.format, source.path),
      };
    case "volume": {
      const image = nameImage(source.volume);
      const snapshot = `copy-${spec.id}`;
      return {
        do: "copy",
        want,
        convert: convertInto(host, place, spec, "raw", blockNode(host, place, image, snapshot)),
        moment: { image, snapshot },
      };
    }
    case "blank":
    case "parent":
    case "snapshot":
      return undefined;
  }
}

/** Writes the source's data into the new image, in any order, and not its holes, which a new image has anyway. */
export function convertInto(
  host: ComputeHost,
  place: RbdPlace,
  volume: Pick<VolumeSpec, "id" | "name">,
  format: "qcow2" | "raw",
  from: string,
): readonly string[] {
  const into = blockNode(host, place, nameImage(volume) + partSuffix(host));
  return ["qemu-img", "convert", "-p", "-W", "-n", "--target-is-zero", "-f", format, "-O", "raw", from, into];
}
