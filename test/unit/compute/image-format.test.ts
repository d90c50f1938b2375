import fc from "fast-check";
import { expect, test } from "vitest";
import { detectFormat, holdsClusters, holdsTables } from "../../../providers/compute/image-format.ts";
import type { Qcow2Header } from "../../../providers/compute/image-format.ts";
import { makeQcow2 } from "../../support/qcow2.ts";

const noTail = Buffer.alloc(0);

/** A head with bytes at an offset. */
function withBytes(offset: number, bytes: string): Buffer {
  const head = Buffer.alloc(128 * 1024);
  head.write(bytes, offset, "latin1");
  return head;
}

function headerOf(bytes: Buffer): Qcow2Header {
  const detected = detectFormat(bytes, noTail);
  if (detected.kind !== "qcow2") throw new Error(`not a qcow2 but ${detected.kind}`);
  return detected.header;
}

test("a qcow2 header tells the virtual size", () => {
  expect(headerOf(makeQcow2({ virtualSizeBytes: 10 * 1024 ** 3 }))).toMatchObject({
    virtualSizeBytes: 10 * 1024 ** 3,
    clusterBytes: 65_536,
    hasBackingFile: false,
    hasDataFile: false,
    isEncrypted: false,
  });
});

test.each([
  ["a backing file", { backingFileOffset: 512 }, { hasBackingFile: true }],
  ["a data file outside", { incompatible: 0b100 }, { hasDataFile: true }],
  ["encryption", { encryption: 2 }, { isEncrypted: true }],
  ["subclusters", { incompatible: 0b1_0000 }, { l2EntryBytes: 16 }],
])("a qcow2 header tells of %s", (_, parts, expected) => {
  expect(headerOf(makeQcow2(parts))).toMatchObject(expected);
});

test("version 2 has no incompatible features, whatever lies at their place", () => {
  expect(headerOf(makeQcow2({ version: 2, incompatible: 0b100 }))).toMatchObject({ hasDataFile: false });
});

test.each([
  ["a VMDK disk", withBytes(0, "KDMV")],
  ["a VMDK descriptor", withBytes(0, "# Disk DescriptorFile")],
  ["a VHDX disk", withBytes(0, "vhdxfile")],
  ["a VHD disk", withBytes(0, "conectix")],
  ["a VDI disk", withBytes(64, "\x7f\x10\xda\xbe")],
  ["a LUKS volume", withBytes(0, "LUKS\xba\xbe")],
  ["an ISO 9660 image", withBytes(32_769, "CD001")],
  ["a gzip file", withBytes(0, "\x1f\x8b\x08")],
  ["an xz file", withBytes(0, "\xfd7zXZ\0")],
  ["a zstd file", withBytes(0, "\x28\xb5\x2f\xfd")],
  ["a zip file", withBytes(0, "PK\x03\x04")],
  ["a tar file", withBytes(257, "ustar")],
  ["a web page or XML", withBytes(0, "\n <!DOCTYPE html><html>")],
  ["a qcow disk of version 1", makeQcow2({ version: 1 })],
  ["a broken qcow2 disk", makeQcow2({ l1Entries: 4 * 1024 * 1024 + 1 })],
  ["a broken qcow2 disk", makeQcow2({ virtualSizeBytes: 2 ** 53 })],
  ["a broken qcow2 disk", makeQcow2({ clusterBits: 40 })],
  ["the begin of a qcow2 disk", makeQcow2().subarray(0, 60)],
])("%s is named", (name, head) => {
  expect(detectFormat(head, noTail)).toEqual({ kind: "other", name });
});

test("a VHD of fixed size is named by its end", () => {
  const tail = Buffer.alloc(512);
  tail.write("conectix", "latin1");
  expect(detectFormat(withBytes(510, "\x55\xaa"), tail)).toEqual({ kind: "other", name: "a VHD disk" });
});

test.each([
  ["boot record", withBytes(510, "\x55\xaa")],
  ["GPT", withBytes(512, "EFI PART")],
  ["GPT", withBytes(4096, "EFI PART")],
  ["ext file system", withBytes(1080, "\x53\xef")],
  ["XFS", withBytes(0, "XFSB")],
  ["Btrfs", withBytes(65_600, "_BHRfS_M")],
])("a raw disk is known by its %s", (evidence, head) => {
  expect(detectFormat(head, noTail)).toEqual({ kind: "raw", evidence });
});

test("zeros are nothing that we know", () => {
  expect(detectFormat(Buffer.alloc(4096), noTail)).toEqual({ kind: "unknown" });
});

test("any bytes have an answer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, isQcow) => {
      const head = Buffer.concat([Buffer.from(isQcow ? "QFI\xfb\0\0\0\x03" : "", "latin1"), bytes]);
      expect(["qcow2", "raw", "other", "unknown"]).toContain(detectFormat(head, noTail).kind);
    }),
  );
});

test("tables beyond the end of the file are seen", () => {
  const header = headerOf(makeQcow2({ l1Offset: 3 * 65_536 }));
  expect([holdsTables(header, 3 * 65_536 + 16), holdsTables(header, 3 * 65_536)]).toEqual([true, false]);
});

const cluster = 65_536;

/** A qcow2 whose first-level table is at cluster 3, with one second-level table at cluster 4 that holds `entry`. */
function withEntry(entry: bigint): Buffer {
  const bytes = makeQcow2({}, 6 * cluster);
  bytes.writeBigUInt64BE((1n << 63n) | BigInt(4 * cluster), 3 * cluster);
  bytes.writeBigUInt64BE(entry, 4 * cluster);
  return bytes;
}

test.each([
  ["within the file", (1n << 63n) | BigInt(5 * cluster), true],
  ["beyond its end", (1n << 63n) | BigInt(6 * cluster), false],
  ["compressed, within the file", (1n << 62n) | BigInt(5 * cluster + 77), true],
  ["compressed, beyond its end", (1n << 62n) | BigInt(6 * cluster + 77), false],
  ["not there at all", 0n, true],
])("data %s is judged", async (_, entry, expected) => {
  const bytes = withEntry(entry);
  const read = (offset: number, length: number) => Promise.resolve(bytes.subarray(offset, offset + length));
  expect(await holdsClusters(headerOf(bytes), bytes.length, read)).toBe(expected);
});

test("a second-level table is read once, however many entries lead to it", async () => {
  const bytes = withEntry(0n);
  bytes.fill(bytes.subarray(3 * cluster, 3 * cluster + 8), 3 * cluster, 4 * cluster);
  const header = { ...headerOf(bytes), l1Entries: cluster / 8 };
  const offsets: number[] = [];
  const read = (offset: number, length: number) => {
    offsets.push(offset);
    return Promise.resolve(bytes.subarray(offset, offset + length));
  };
  expect(await holdsClusters(header, bytes.length, read)).toBe(true);
  expect(offsets).toEqual([3 * cluster, 4 * cluster]);
});

test("a second-level table that begins inside a cluster is none", async () => {
  const bytes = withEntry(0n);
  bytes.writeBigUInt64BE(BigInt(4 * cluster + 512), 3 * cluster);
  const read = (offset: number, length: number) => Promise.resolve(bytes.subarray(offset, offset + length));
  expect(await holdsClusters(headerOf(bytes), bytes.length, read)).toBe(false);
});
