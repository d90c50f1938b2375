import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressAt, findFreeRanges, overlaps, parseRange, parseUsedRanges } from "../../../lab/addresses.ts";
import type { AddressRange } from "../../../lab/addresses.ts";

function range(cidr: string): AddressRange {
  const parsed = parseRange(cidr);
  if (parsed === undefined) throw new Error(`${cidr} is no range`);
  return parsed;
}

describe("a range", () => {
  test("is read from a CIDR, whichever of its addresses is given", () => {
    expect(parseRange("10.77.3.9/24")).toEqual({
      cidr: "10.77.3.0/24",
      prefix: 24,
      first: 0x0a4d0300,
      last: 0x0a4d03ff,
    });
  });

  test.each(["", "10.0.0/8", "10.0.0.0/33", "fd00::/8", "10.0.0.256/24", "0x0a.0.0.0/8"])(
    "is not %j",
    (text) => {
      expect(parseRange(text)).toBeUndefined();
    },
  );

  test("counts its addresses", () => {
    expect(addressAt(range("10.77.0.0/24"), 11)).toBe("10.77.0.11");
    expect(addressAt(range("192.168.0.0/16"), 256)).toBe("192.168.1.0");
  });

  test("overlaps what shares an address with it, in either order", () => {
    const ranges = fc
      .tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 32 }))
      .map(([address, prefix]) => range(`${addressAt(range("0.0.0.0/0"), address)}/${String(prefix)}`));
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const shared = Math.max(a.first, b.first) <= Math.min(a.last, b.last);
        expect([overlaps(a, b), overlaps(b, a)]).toEqual([shared, shared]);
      }),
    );
  });
});

describe("the choice of free ranges", () => {
  test("begins with 10.77.0.0/24 and 10.78.0.0/24", () => {
    expect(findFreeRanges([])).toEqual({ management: range("10.77.0.0/24"), data: range("10.78.0.0/24") });
  });

  test("skips a pair when either is in use", () => {
    expect(findFreeRanges([range("10.77.0.0/24"), range("10.78.1.128/25")])).toEqual({
      management: range("10.77.2.0/24"),
      data: range("10.78.2.0/24"),
    });
  });

  test("leaves 10.0.0.0/8 to a machine that routes it", () => {
    expect(findFreeRanges([range("10.0.0.0/8")])).toEqual({
      management: range("172.29.0.0/24"),
      data: range("172.30.0.0/24"),
    });
  });

  test("ends when all private space is routed", () => {
    expect(findFreeRanges(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(range))).toBeUndefined();
  });
});

test("addresses and routes are uses, the default route and IPv6 are not", () => {
  const addresses = [
    { ifname: "eth0", addr_info: [{ family: "inet", local: "10.1.2.3", prefixlen: 24 }] },
    { ifname: "eth1", addr_info: [{ family: "inet6", local: "fe80::1", prefixlen: 64 }] },
    {},
  ];
  const routes = [
    { dst: "default", dev: "eth0" },
    { dst: "10.8.0.0/16", dev: "tun0" },
    { dst: "10.1.2.3", type: "local" },
  ];
  expect(parseUsedRanges(JSON.stringify(addresses), JSON.stringify(routes))).toEqual([
    { range: range("10.1.2.0/24"), holder: "interface eth0" },
    { range: range("10.8.0.0/16"), holder: "a route by tun0" },
    { range: range("10.1.2.3/32"), holder: "a route by local" },
  ]);
});
