/**
 * What QEMU writes of a host's memory: pages, then its processors, then the description of both.
 * @param descriptionBytes at least so long is that.
 */
export function describeMigration(
  processors: readonly { readonly withinGuest: boolean }[],
  memory = "memory",
  descriptionBytes = 0,
): Buffer {
  const registers = 16;
  const sections = processors.flatMap(({ withinGuest }, index) => [
    Buffer.from([0x04, 0, 0, 0, index]),
    Buffer.from("\x03cpu"),
    wordOf(index),
    wordOf(12),
    Buffer.alloc(registers * 8 + 16, 0x06),
    wordOf(withinGuest ? 0x08f0c2b3 : 0x18d0c2b0),
    Buffer.alloc(100, 0x06),
  ]);
  const devices = processors.map((_, index) => ({
    ...{ name: "cpu", instance_id: index, vmsd_name: "cpu", version: 12 },
    fields: [
      { name: "env.regs", array_len: registers, type: "uint64", size: 8 },
      { name: "env.eip", type: "uint64", size: 8 },
      { name: "env.eflags", type: "uint64", size: 8 },
      { name: "env.hflags", type: "uint32", size: 4 },
      { name: "env.segs", type: "struct", struct: {} },
    ],
  }));
  const description = JSON.stringify({ page_size: 4096, devices: [{ name: "timer" }, ...devices] }).padEnd(
    descriptionBytes,
  );
  return Buffer.concat([
    Buffer.from(memory),
    ...sections,
    Buffer.from([0x00, 0x06]),
    wordOf(description.length),
    Buffer.from(description),
  ]);
}

function wordOf(value: number): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32BE(value);
  return word;
}
