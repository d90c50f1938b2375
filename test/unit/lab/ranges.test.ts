import { expect, test } from "vitest";
import { parseRange } from "../../../lab/addresses.ts";
import type { AddressRange } from "../../../lab/addresses.ts";
import { refuseUsed } from "../../../lab/ranges.ts";

function rangeOf(cidr: string): AddressRange {
  const range = parseRange(cidr);
  if (range === undefined) throw new Error(`${cidr} is no range`);
  return range;
}

const range = rangeOf("10.77.0.0/24");
const used = [{ range: rangeOf("10.77.0.128/25"), holder: "interface eth3" }];

test("a range that is in use is refused, with a free one and the way to have one chosen", () => {
  expect(() => refuseUsed("data", range, used, [range])).toThrow(
    expect.objectContaining({
      code: "in-use",
      field: "networks.data.cidr",
      remedy: "Use a free one: 10.78.1.0/24, or leave the field out.",
    }),
  );
});

test("the range of a bridge, which cannot be left out, is refused without one to choose", () => {
  expect(() => refuseUsed("data", range, used, [range], "br0")).toThrow(
    expect.objectContaining({
      remedy: "Name the range of the network behind bridge br0, or another bridge.",
    }),
  );
});

test("a range that nothing overlaps is taken", () => {
  expect(() => refuseUsed("data", rangeOf("10.79.0.0/24"), used, [range])).not.toThrow();
});
