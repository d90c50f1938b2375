/** Bytes of a frame's length before it, as QEMU's `stream` netdev has it (QEMU: net/stream.c). */
const headerBytes = 4;
/** More than any frame is long; a longer one means that the stream is not what we take it for. */
const maxFrameBytes = 70_000;
/** Bytes that wait for a port before frames to it are dropped, as a switch does. */
const maxQueuedBytes = 4 * 1024 ** 2;
const macBytes = 6;
/** MACs that are remembered, as Open vSwitch does by default (`mac-table-size`): a host that makes up more fills no memory. */
const maxLearned = 8192;
/** Bytes on the way in bad cables to a port; what comes beyond is dropped. */
const maxDelayedBytes = 64 * 1024 ** 2;

/** How a cable behaves. */
export interface LinkQuality {
  /** Added to each frame, either way, in milliseconds. */
  readonly delayMs: number;
  /** Of 100 frames, either way, how many are lost. */
  readonly lossPercent: number;
}

/** A plug of the switch, with what is needed of a socket. */
export interface SwitchPort {
  /** Ports of one segment reach each other. */
  readonly segment: string;
  readonly quality: () => LinkQuality;
  readonly write: (bytes: Buffer) => void;
  /** Bytes that the other end has not taken yet. */
  readonly queuedBytes: () => number;
}

/** Cuts a stream of length-prefixed frames into frames. Raises `RangeError` at a length that no frame has. */
export function createFrameReader(onFrame: (framed: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (bytes.length >= headerBytes) {
      const length = bytes.readUInt32BE(0);
      if (length > maxFrameBytes) throw new RangeError(`a frame of ${String(length)} bytes`);
      if (bytes.length < headerBytes + length) break;
      onFrame(bytes.subarray(0, headerBytes + length));
      bytes = bytes.subarray(headerBytes + length);
    }
    rest = bytes;
  };
}

/** A learning Ethernet switch whose cables can be made bad. */
export interface FrameSwitch {
  /** Plugs a port in; the function returned takes it out again. */
  plug(port: SwitchPort): () => void;
  /** Takes in a frame, with its length before it, that came from a port. */
  receive(from: SwitchPort, framed: Buffer): void;
}

/**
 * @param random in [0, 1), decides over losses.
 * @param later carries out what is delayed; in order for equal delays.
 */
export function createSwitch(
  random: () => number = Math.random,
  later: (action: () => void, delayMs: number) => void = (action, delayMs) => {
    setTimeout(action, delayMs);
  },
): FrameSwitch {
  const ports = new Set<SwitchPort>();
  const learned = new Map<string, SwitchPort>();
  const delayedBytes = new Map<SwitchPort, number>();
  const send = (to: SwitchPort, framed: Buffer): void => {
    if (ports.has(to) && to.queuedBytes() < maxQueuedBytes) to.write(framed);
  };
  /** The one heard of last comes last, and the first goes when there are too many. */
  const learn = (key: string, from: SwitchPort): void => {
    learned.delete(key);
    learned.set(key, from);
    const [oldest] = learned.keys();
    if (learned.size > maxLearned && oldest !== undefined) learned.delete(oldest);
  };
  const delay = (to: SwitchPort, framed: Buffer, delayMs: number): void => {
    const waiting = (delayedBytes.get(to) ?? 0) + framed.length;
    if (waiting > maxDelayedBytes) return;
    delayedBytes.set(to, waiting);
    const copy = Buffer.from(framed);
    later(() => {
      const left = (delayedBytes.get(to) ?? 0) - copy.length;
      if (left > 0) delayedBytes.set(to, left);
      else delayedBytes.delete(to);
      send(to, copy);
    }, delayMs);
  };
  return {
    plug(port) {
      ports.add(port);
      return () => {
        ports.delete(port);
        for (const [key, holder] of learned) if (holder === port) learned.delete(key);
      };
    },
    receive(from, framed) {
      if (framed.length < headerBytes + 2 * macBytes) return;
      const target = framed.toString("latin1", headerBytes, headerBytes + macBytes);
      const source = framed.toString("latin1", headerBytes + macBytes, headerBytes + 2 * macBytes);
      const isGroup = (value: string): boolean => (value.charCodeAt(0) & 1) === 1;
      if (!isGroup(source)) learn(`${from.segment} ${source}`, from);
      const known = isGroup(target) ? undefined : learned.get(`${from.segment} ${target}`);
      for (const to of known === undefined ? ports : [known]) {
        if (to === from || to.segment !== from.segment) continue;
        const [near, far] = [from.quality(), to.quality()];
        if (random() * 100 < near.lossPercent || random() * 100 < far.lossPercent) continue;
        const delayMs = near.delayMs + far.delayMs;
        if (delayMs === 0) send(to, framed);
        else delay(to, framed, delayMs);
      }
    },
  };
}
