import ipaddr from "ipaddr.js";
import { z } from "zod";

/** Offset of the first host's address in a lab's ranges; the machine itself holds offset 1 of the management range. */
export const firstHostOffset = 11;

/** An IPv4 range as numbers, both ends included. */
export interface AddressRange {
  readonly cidr: string;
  readonly prefix: number;
  readonly first: number;
  readonly last: number;
}

/** One /24 for management and one for data, chosen together. */
export interface LabRanges {
  readonly management: AddressRange;
  readonly data: AddressRange;
}

function toNumber(address: ipaddr.IPv4): number {
  return address.toByteArray().reduce((total, byte) => total * 256 + byte, 0);
}

function toDotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => String(Math.floor(address / 2 ** shift) % 256)).join(".");
}

/** The range that `address/prefix` lies in, or undefined when the text is no IPv4 CIDR. A bare address is a /32. */
export function parseRange(text: string): AddressRange | undefined {
  const cidr = text.includes("/") ? text : `${text}/32`;
  if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(cidr)) return undefined;
  const [address, prefix] = ipaddr.IPv4.parseCIDR(cidr);
  const size = 2 ** (32 - prefix);
  const first = toNumber(address) - (toNumber(address) % size);
  return { cidr: `${toDotted(first)}/${String(prefix)}`, prefix, first, last: first + size - 1 };
}

/** The address of `address/prefix`. */
export function withoutPrefix(text: string): string {
  return text.replace(/\/.*/, "");
}

/** The `offset`-th address of a range, dotted. */
export function addressAt(range: AddressRange, offset: number): string {
  return toDotted(range.first + offset);
}

export function overlaps(a: AddressRange, b: AddressRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** A range of the machine and what holds it, for the error of a clash. */
export interface UsedRange {
  readonly range: AddressRange;
  readonly holder: string;
}

const interfaceList = z.array(
  z.object({
    ifname: z.string().optional(),
    addr_info: z
      .array(
        z.object({
          family: z.string().optional(),
          local: z.string().optional(),
          prefixlen: z.number().optional(),
        }),
      )
      .default([]),
  }),
);

const routeList = z.array(
  z.object({ dst: z.string(), dev: z.string().optional(), type: z.string().optional() }),
);

/** Both holders that {@link parseUsedRanges} names for an interface. */
export function holdersOf(device: string): readonly string[] {
  return [`interface ${device}`, `a route by ${device}`];
}

/**
 * What the machine uses, from `ip -json address` and `ip -json -4 route show table all`. The default route is not a
 * use: it says nothing about a range.
 */
export function parseUsedRanges(addressJson: string, routeJson: string): UsedRange[] {
  const used: UsedRange[] = [];
  for (const link of interfaceList.parse(JSON.parse(addressJson))) {
    for (const info of link.addr_info) {
      const range =
        info.family === "inet"
          ? parseRange(`${info.local ?? ""}/${String(info.prefixlen ?? 32)}`)
          : undefined;
      if (range !== undefined) used.push({ range, holder: `interface ${link.ifname ?? "?"}` });
    }
  }
  for (const route of routeList.parse(JSON.parse(routeJson))) {
    const range = parseRange(route.dst);
    if (range !== undefined && range.prefix > 0)
      used.push({ range, holder: `a route by ${route.dev ?? route.type ?? "?"}` });
  }
  return used;
}

/** Pairs to choose from, in order: 10.77.x with 10.78.x first, other private space where a wide route covers those. */
function* candidateRanges(): Generator<readonly [string, string]> {
  for (let third = 0; third < 256; third++)
    yield [`10.77.${String(third)}.0/24`, `10.78.${String(third)}.0/24`];
  for (let third = 0; third < 256; third++)
    yield [`172.29.${String(third)}.0/24`, `172.30.${String(third)}.0/24`];
  for (let third = 100; third < 250; third += 2) {
    yield [`192.168.${String(third)}.0/24`, `192.168.${String(third + 1)}.0/24`];
  }
}

/** The first pair of ranges that nothing in `used` overlaps; undefined when all are taken. */
export function findFreeRanges(used: readonly AddressRange[]): LabRanges | undefined {
  for (const [managementCidr, dataCidr] of candidateRanges()) {
    const management = parseRange(managementCidr);
    const data = parseRange(dataCidr);
    if (management === undefined || data === undefined) continue;
    if (!used.some((range) => overlaps(range, management) || overlaps(range, data)))
      return { management, data };
  }
  return undefined;
}
