import { z } from "zod";
import { StackyardError } from "../../providers/core/errors.ts";
import { readLastBytes } from "../file-end.ts";

/** Devices and their description come last. Those of a host take less than a tenth of it. */
const tailBytes = 4 * 1024 ** 2;

/** Begins the description of the devices; its length, of four bytes, and a JSON document follow (QEMU: migration/savevm.c, `QEMU_VM_VMDESCRIPTION`). */
const descriptionMark = 0x06;

const descriptionSchema = z.object({ devices: z.array(z.looseObject({ name: z.string() })) });

const processorSchema = z.looseObject({
  name: z.string(),
  instance_id: z.int(),
  version: z.int(),
  fields: z.array(
    z.looseObject({ name: z.string(), size: z.int().optional(), array_len: z.int().default(1) }),
  ),
});

/** QEMU: target/i386/cpu.h, `HF_GUEST_MASK`. */
const withinGuest = 1 << 21;

/**
 * Whether a processor of a host was within a guest of the host's own when its memory was kept. QEMU that emulates takes no such
 * memory back (QEMU: target/i386/machine.c, `cpu_post_load`).
 * @param file memory as QEMU's migration writes it.
 * @throws StackyardError `command-failed` when it is not.
 */
export async function isWithinGuest(file: string): Promise<boolean> {
  const { bytes: tail } = await readLastBytes(file, tailBytes);
  const { devices } = readDescription(tail, file);
  const processors = devices
    .filter(({ name }) => name === "cpu")
    .map((device) => processorSchema.parse(device));
  if (processors.length === 0) throw unreadable(file);
  return processors.some(({ name, instance_id, version, fields }) => {
    const header = Buffer.alloc(name.length + 9);
    header.writeUInt8(name.length);
    header.write(name, 1);
    header.writeUInt32BE(instance_id, name.length + 1);
    header.writeUInt32BE(version, name.length + 5);
    const at = tail.lastIndexOf(header);
    const index = fields.findIndex((field) => field.name === "env.hflags");
    if (at < 0 || index < 0) throw unreadable(file);
    const before = fields.slice(0, index).reduce((sum, { size, array_len }) => {
      if (size === undefined) throw unreadable(file);
      return sum + size * array_len;
    }, 0);
    return (tail.readUInt32BE(at + header.length + before) & withinGuest) !== 0;
  });
}

function readDescription(tail: Buffer, file: string): z.infer<typeof descriptionSchema> {
  // No byte of the document is the mark, which JSON has in no text; any of the length may be.
  let before = tail;
  for (;;) {
    const at = before.lastIndexOf(descriptionMark);
    if (at < 0) throw unreadable(file);
    const start = at + 5;
    if (start <= tail.length && tail.readUInt32BE(at + 1) === tail.length - start)
      return descriptionSchema.parse(JSON.parse(tail.toString("utf8", start)));
    before = tail.subarray(0, at);
  }
}

const unreadable = (file: string): StackyardError =>
  new StackyardError("command-failed", {
    message: `QEMU has written memory that it does not describe: ${file}`,
  });
