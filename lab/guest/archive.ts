/** One entry of an initramfs. All belong to root and bear no time, so that equal content makes equal archives. */
export type ArchiveEntry =
  | { readonly kind: "folder"; readonly path: string; readonly mode: number }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const typeBits = { folder: 0o040000, file: 0o100000, link: 0o120000 } as const;

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}

/** A header of the "newc" format: magic and 13 fields of 8 hexadecimal digits (kernel: Documentation/driver-api/early-userspace/buffer-format.rst). */
function header(path: string, inode: number, mode: number, size: number): Buffer {
  const fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, path.length + 1, 0];
  const text = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${path}\0`;
  return Buffer.concat([Buffer.from(text), padding(text.length)]);
}

/** The entries as a cpio archive that the kernel unpacks. Folders come before what is in them. Paths are ASCII, without a leading slash. */
export function writeArchive(entries: readonly ArchiveEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => {
    const content =
      entry.kind === "file"
        ? entry.content
        : entry.kind === "link"
          ? Buffer.from(entry.target)
          : Buffer.alloc(0);
    const mode = typeBits[entry.kind] | (entry.kind === "link" ? 0o777 : entry.mode);
    return [header(entry.path, index + 1, mode, content.length), content, padding(content.length)];
  });
  return Buffer.concat([...parts, header("TRAILER!!!", 0, 0, 0)]);
}
