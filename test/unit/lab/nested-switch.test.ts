import { expect, test } from "vitest";
import { createFrameReader, createSwitch } from "../../../lab/nested/switch.ts";
import type { LinkQuality, SwitchPort } from "../../../lab/nested/switch.ts";

const good: LinkQuality = { delayMs: 0, lossPercent: 0 };
const broadcast = "ffffffffffff";

/** A frame from one MAC to another with its length before it. */
function frame(target: string, source: string, content = "hello"): Buffer {
  const body = Buffer.concat([Buffer.from(target + source, "hex"), Buffer.from(content)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function port(segment = "data", quality: LinkQuality = good, queuedBytes = 0) {
  const received: Buffer[] = [];
  const end: SwitchPort = {
    segment,
    quality: () => quality,
    write: (bytes) => void received.push(bytes),
    queuedBytes: () => queuedBytes,
  };
  return { end, received };
}

const [macA, macB] = ["020000000001", "020000000002"];

test("a frame for nobody known goes to all others of its segment, and never back", () => {
  const frames = createSwitch();
  const [a, b, c, other] = [port(), port(), port(), port("storage")];
  for (const each of [a, b, c, other]) frames.plug(each.end);
  const sent = frame(broadcast, macA);
  frames.receive(a.end, sent);
  expect([a, b, c, other].map(({ received }) => received)).toEqual([[], [sent], [sent], []]);
});

test("a frame for one who has been heard goes to that one alone, until it is unplugged", () => {
  const frames = createSwitch();
  const [a, b, c] = [port(), port(), port()];
  frames.plug(a.end);
  const unplugB = frames.plug(b.end);
  frames.plug(c.end);
  frames.receive(b.end, frame(broadcast, macB));
  frames.receive(a.end, frame(macB, macA));
  expect(b.received).toHaveLength(1);
  expect(c.received).toHaveLength(1); // the broadcast
  unplugB();
  frames.receive(a.end, frame(macB, macA));
  expect(b.received).toHaveLength(1);
  expect(c.received).toHaveLength(2);
});

test("a MAC of one segment is not looked for in another", () => {
  const frames = createSwitch();
  const [a, b, s] = [port(), port(), port("storage")];
  for (const each of [a, b, s]) frames.plug(each.end);
  frames.receive(s.end, frame(broadcast, macB));
  frames.receive(a.end, frame(macB, macA));
  expect([b.received.length, s.received.length]).toEqual([1, 0]);
});

test("a host that makes up MACs displaces those that were not heard of since, and no more", () => {
  const frames = createSwitch();
  const [a, b, c] = [port(), port(), port()];
  for (const each of [a, b, c]) frames.plug(each.end);
  const madeUp = (number: number): string => `06${number.toString(16).padStart(10, "0")}`;
  frames.receive(b.end, frame(madeUp(0), macB));
  for (let number = 0; number < 10_000; number++) {
    frames.receive(c.end, frame(macB, madeUp(number)));
    if (number === 5000) frames.receive(b.end, frame(madeUp(number), macB)); // speaks now and then
  }
  a.received.length = b.received.length = c.received.length = 0;
  frames.receive(a.end, frame(macB, macA));
  expect([b.received.length, c.received.length]).toEqual([1, 0]);
  frames.receive(a.end, frame(madeUp(0), macA)); // forgotten: it goes to all
  expect([b.received.length, c.received.length]).toEqual([2, 1]);
});

test("slow cables hold so many frames and drop the others", () => {
  const later: (() => void)[] = [];
  const frames = createSwitch(
    () => 0.5,
    (action) => later.push(action),
  );
  const [a, b] = [port("data", { delayMs: 60_000, lossPercent: 0 }), port()];
  for (const each of [a, b]) frames.plug(each.end);
  const large = frame(broadcast, macA, "x".repeat(60_000));
  for (let count = 0; count < 2000; count++) frames.receive(a.end, large);
  expect(later.length).toBe(Math.floor((64 * 1024 ** 2) / large.length));
  for (const action of later.splice(0)) action();
  frames.receive(a.end, large);
  expect(later).toHaveLength(1);
});

test("the cables of both ends delay a frame, which keeps its content", () => {
  const later: { action: () => void; delayMs: number }[] = [];
  const frames = createSwitch(
    () => 0.5,
    (action, delayMs) => later.push({ action, delayMs }),
  );
  const a = port("data", { delayMs: 30, lossPercent: 0 });
  const b = port("data", { delayMs: 12, lossPercent: 0 });
  for (const each of [a, b]) frames.plug(each.end);
  const sent = frame(broadcast, macA);
  frames.receive(a.end, sent);
  const before = Buffer.from(sent);
  sent.fill(0); // The reader's buffer is used again.
  expect(b.received).toEqual([]);
  expect(later.map(({ delayMs }) => delayMs)).toEqual([42]);
  later[0]?.action();
  expect(b.received).toEqual([before]);
});

test.each([
  ["lost below the loss of a cable", 0.09, 0],
  ["kept above it", 0.11, 1],
])("a frame is %s", (_, drawn, received) => {
  const frames = createSwitch(() => drawn);
  const [a, b] = [port(), port("data", { delayMs: 0, lossPercent: 10 })];
  for (const each of [a, b]) frames.plug(each.end);
  frames.receive(a.end, frame(broadcast, macA));
  expect(b.received).toHaveLength(received);
});

test("a port that takes nothing any more loses frames, and holds nobody up", () => {
  const frames = createSwitch();
  const [a, full, free] = [port(), port("data", good, 10 * 1024 ** 2), port()];
  for (const each of [a, full, free]) frames.plug(each.end);
  frames.receive(a.end, frame(broadcast, macA));
  expect([full.received.length, free.received.length]).toEqual([0, 1]);
});

test("a group is nobody's address: what is sent to one goes to all, whoever has said that it is theirs", () => {
  const frames = createSwitch();
  const [a, b, c] = [port(), port(), port()];
  for (const each of [a, b, c]) frames.plug(each.end);
  frames.receive(b.end, frame(macA, broadcast));
  frames.receive(a.end, frame(broadcast, macA));
  expect([b.received.length, c.received.length]).toEqual([1, 2]);
});

test("a frame is lost by the cable of the one who sends it too", () => {
  const frames = createSwitch(() => 0.09);
  const [a, b] = [port("data", { delayMs: 0, lossPercent: 10 }), port()];
  for (const each of [a, b]) frames.plug(each.end);
  frames.receive(a.end, frame(broadcast, macA));
  expect(b.received).toEqual([]);
});

test("a delayed frame for a port that was pulled meanwhile is nobody's", () => {
  const later: (() => void)[] = [];
  const frames = createSwitch(
    () => 0.5,
    (action) => later.push(action),
  );
  const [a, b] = [port(), port("data", { delayMs: 5, lossPercent: 0 })];
  frames.plug(a.end);
  const unplug = frames.plug(b.end);
  frames.receive(a.end, frame(broadcast, macA));
  unplug();
  for (const action of later) action();
  expect(later).toHaveLength(1);
  expect(b.received).toEqual([]);
});

test("a frame without room for two addresses is none", () => {
  const frames = createSwitch();
  const [a, b] = [port(), port()];
  for (const each of [a, b]) frames.plug(each.end);
  frames.receive(a.end, frame(broadcast, macA.slice(2), ""));
  expect(b.received).toEqual([]);
});

test("frames are cut out of a stream wherever it breaks", () => {
  const sent = [frame(broadcast, macA, "one"), frame(macA, macB, "two"), frame(macB, macA, "")];
  const stream = Buffer.concat(sent);
  for (let size = 1; size <= stream.length; size++) {
    const received: Buffer[] = [];
    const read = createFrameReader((framed) => received.push(Buffer.from(framed)));
    for (let at = 0; at < stream.length; at += size) read(stream.subarray(at, at + size));
    expect(received).toEqual(sent);
  }
});

test("a length that no frame has is refused", () => {
  const read = createFrameReader(() => undefined);
  expect(() => read(Buffer.from("ffffffff00", "hex"))).toThrow(RangeError);
});
