/** What the bytes of a file say that it is. */
export type DetectedFormat =
  | { readonly kind: "qcow2"; readonly header: Qcow2Header }
  /** A disk as it is: it has a boot record, a partition table or a known file system. */
  | { readonly kind: "raw"; readonly evidence: string }
  /** Something else that we know; `name` is for the reader. */
  | { readonly kind: "other"; readonly name: string }
  | { readonly kind: "unknown" };

/** The part of a qcow2 header that matters here (qemu: `docs/interop/qcow2.txt`). Sizes and offsets are in bytes. */
export interface Qcow2Header {
  readonly virtualSizeBytes: number;
  readonly clusterBytes: number;
  readonly hasBackingFile: boolean;
  readonly hasDataFile: boolean;
  readonly isEncrypted: boolean;
  readonly l1Offset: number;
  readonly l1Entries: number;
  readonly refcountTableOffset: number;
  readonly refcountTableBytes: number;
  /** Bytes of an entry of a second-level table: 16 with subclusters. */
  readonly l2EntryBytes: 8 | 16;
}

/** How much of a file's begin {@link detectFormat} looks at, and of its end. */
export const headBytes = 128 * 1024;
export const tailBytes = 512;

/** Largest first-level table that QEMU takes, in bytes (qemu: `block/qcow2.h`, QCOW_MAX_L1_SIZE). */
const maxL1Bytes = 32 * 1024 * 1024;

const qcowMagic = Buffer.from("QFI\xfb", "latin1");
const minQcow2HeaderBytes = 72;

/** Signatures of what is no disk image that we boot, as [name, offset, bytes]. */
const signatures: readonly (readonly [string, number, string])[] = [
  ["a VMDK disk", 0, "KDMV"],
  ["a VMDK disk", 0, "COWD"],
  ["a VMDK descriptor", 0, "# Disk DescriptorFile"],
  ["a VHDX disk", 0, "vhdxfile"],
  ["a VHD disk", 0, "conectix"],
  ["a VDI disk", 64, "\x7f\x10\xda\xbe"],
  ["a QED disk", 0, "QED\0"],
  ["a Parallels disk", 0, "WithoutFreeSpace"],
  ["a Parallels disk", 0, "WithouFreSpacExt"],
  ["a LUKS volume", 0, "LUKS\xba\xbe"],
  ["an ISO 9660 image", 32_769, "CD001"],
  ["a gzip file", 0, "\x1f\x8b"],
  ["an xz file", 0, "\xfd7zXZ\0"],
  ["a bzip2 file", 0, "BZh"],
  ["a zstd file", 0, "\x28\xb5\x2f\xfd"],
  ["a zip file", 0, "PK\x03\x04"],
  ["a tar file", 257, "ustar"],
  ["an ELF program", 0, "\x7fELF"],
];

/** What a disk as it is holds somewhere, as [name, offset, bytes]. */
const rawSignatures: readonly (readonly [string, number, string])[] = [
  ["boot record", 510, "\x55\xaa"],
  ["GPT", 512, "EFI PART"],
  ["GPT", 4096, "EFI PART"],
  ["ext file system", 1080, "\x53\xef"],
  ["XFS", 0, "XFSB"],
  ["Btrfs", 65_600, "_BHRfS_M"],
  ["LVM", 512, "LABELONE"],
];

/** Says what a file is by its first {@link headBytes} and last {@link tailBytes} bytes. Never throws: any bytes have an answer. */
export function detectFormat(head: Buffer, tail: Buffer): DetectedFormat {
  if (head.subarray(0, 4).equals(qcowMagic)) return detectQcow(head);
  const other = signatures.find((signature) => matches(head, signature));
  if (other !== undefined) return { kind: "other", name: other[0] };
  if (tail.subarray(-512, -504).toString("latin1") === "conectix")
    return { kind: "other", name: "a VHD disk" };
  if (/^\s*<(!doctype|html|\?xml)/i.test(head.toString("latin1", 0, 512))) {
    return { kind: "other", name: "a web page or XML" };
  }
  const raw = rawSignatures.find((signature) => matches(head, signature));
  return raw === undefined ? { kind: "unknown" } : { kind: "raw", evidence: raw[0] };
}

function matches(head: Buffer, [, offset, bytes]: readonly [string, number, string]): boolean {
  return head.toString("latin1", offset, offset + bytes.length) === bytes;
}

function detectQcow(head: Buffer): DetectedFormat {
  if (head.length < minQcow2HeaderBytes) return { kind: "other", name: "the begin of a qcow2 disk" };
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3)
    return { kind: "other", name: `a qcow disk of version ${String(version)}` };
  if (version === 3 && head.length < 104) return { kind: "other", name: "the begin of a qcow2 disk" };
  const clusterBits = head.readUInt32BE(20);
  // QEMU takes 9 to 21.
  if (clusterBits < 9 || clusterBits > 21) return { kind: "other", name: "a broken qcow2 disk" };
  const clusterBytes = 2 ** clusterBits;
  const virtualSizeBytes = Number(head.readBigUInt64BE(24));
  const l1Entries = head.readUInt32BE(36);
  if (l1Entries * 8 > maxL1Bytes || !Number.isSafeInteger(virtualSizeBytes))
    return { kind: "other", name: "a broken qcow2 disk" };
  const incompatible = version === 3 ? head.readUInt32BE(76) : 0;
  return {
    kind: "qcow2",
    header: {
      virtualSizeBytes,
      clusterBytes,
      hasBackingFile: head.readBigUInt64BE(8) !== 0n,
      hasDataFile: (incompatible & 0b100) !== 0,
      isEncrypted: head.readUInt32BE(32) !== 0,
      l1Entries,
      l1Offset: Number(head.readBigUInt64BE(40)),
      refcountTableOffset: Number(head.readBigUInt64BE(48)),
      refcountTableBytes: head.readUInt32BE(56) * clusterBytes,
      l2EntryBytes: (incompatible & 0b1_0000) === 0 ? 8 : 16,
    },
  };
}

/** The file that a qcow2 disk lies on, by its name in the header; absent where it lies on none, or its name is not within `head`. */
export function readBackingFile(head: Buffer): string | undefined {
  const offset = Number(head.readBigUInt64BE(8));
  const length = head.readUInt32BE(16);
  return offset === 0 || offset + length > head.length
    ? undefined
    : head.toString("utf8", offset, offset + length);
}

/** Whether the tables that the header names lie within the file. */
export function holdsTables(header: Qcow2Header, sizeBytes: number): boolean {
  return (
    header.l1Offset + header.l1Entries * 8 <= sizeBytes &&
    header.refcountTableOffset + header.refcountTableBytes <= sizeBytes
  );
}

/** Reads `length` bytes at `offset`. */
export type ReadBytes = (offset: number, length: number) => Promise<Buffer>;

const offsetMask = 0x00ff_ffff_ffff_fe00n;
const compressedFlag = 1n << 62n;

/**
 * Whether all that the tables point to begins within the file: a download that broke off keeps its first tables. Expects {@link holdsTables}.
 * Each second-level table is read once, and must begin a cluster, as QEMU demands: no more is read than the file holds, whatever its entries say.
 */
export async function holdsClusters(
  header: Qcow2Header,
  sizeBytes: number,
  read: ReadBytes,
): Promise<boolean> {
  const isInside = (offset: bigint): boolean => offset < BigInt(sizeBytes);
  const l1 = await read(header.l1Offset, header.l1Entries * 8);
  const l2Offsets = new Set(entriesOf(l1, 8).map((entry) => entry & offsetMask));
  for (const l2Offset of l2Offsets) {
    if (l2Offset === 0n) continue;
    if (l2Offset % BigInt(header.clusterBytes) !== 0n) return false;
    if (!isInside(l2Offset + BigInt(header.clusterBytes) - 1n)) return false;
    const l2 = await read(Number(l2Offset), header.clusterBytes);
    for (const entry of entriesOf(l2, header.l2EntryBytes)) {
      if (!isInside(clusterOffset(entry, header.clusterBytes))) return false;
    }
  }
  return true;
}

function entriesOf(table: Buffer, entryBytes: number): readonly bigint[] {
  return Array.from({ length: Math.floor(table.length / entryBytes) }, (_, index) =>
    table.readBigUInt64BE(index * entryBytes),
  );
}

/** Where a cluster begins in the file; a compressed one's offset has fewer bits, the more its length takes. */
function clusterOffset(entry: bigint, clusterBytes: number): bigint {
  if ((entry & compressedFlag) === 0n) return entry & offsetMask;
  const offsetBits = 62n - BigInt(Math.log2(clusterBytes) - 8);
  return entry & ((1n << offsetBits) - 1n);
}
