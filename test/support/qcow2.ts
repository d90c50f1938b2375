/** What a qcow2 is made with; the rest is as `qemu-img create` does it. */
export interface Qcow2Parts {
  readonly version?: number;
  readonly virtualSizeBytes?: number;
  readonly clusterBits?: number;
  readonly backingFileOffset?: number;
  readonly encryption?: number;
  readonly incompatible?: number;
  readonly l1Offset?: number;
  readonly l1Entries?: number;
  readonly refcountTableOffset?: number;
}

/** The header of a qcow2, and zeros up to `sizeBytes` (qemu: `docs/interop/qcow2.txt`). */
export function makeQcow2(parts: Qcow2Parts = {}, sizeBytes = 4 * 65_536): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  bytes.write("QFI\xfb", 0, "latin1");
  bytes.writeUInt32BE(parts.version ?? 3, 4);
  bytes.writeBigUInt64BE(BigInt(parts.backingFileOffset ?? 0), 8);
  bytes.writeUInt32BE(parts.clusterBits ?? 16, 20);
  bytes.writeBigUInt64BE(BigInt(parts.virtualSizeBytes ?? 1024 ** 3), 24);
  bytes.writeUInt32BE(parts.encryption ?? 0, 32);
  bytes.writeUInt32BE(parts.l1Entries ?? 2, 36);
  bytes.writeBigUInt64BE(BigInt(parts.l1Offset ?? 3 * 65_536), 40);
  bytes.writeBigUInt64BE(BigInt(parts.refcountTableOffset ?? 65_536), 48);
  bytes.writeUInt32BE(1, 56);
  bytes.writeUInt32BE(parts.incompatible ?? 0, 76);
  return bytes;
}
