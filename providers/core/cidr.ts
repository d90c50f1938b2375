import ipaddr from "ipaddr.js";
import { z } from "zod";

/** An IPv4 network in numbers. */
export interface Cidr {
  readonly first: number;
  readonly last: number;
  readonly prefixLength: number;
}

/** Text like `10.0.0.0/24`: an IPv4 network without host bits. */
export function cidrSchema(): z.ZodString {
  return z
    .string()
    .refine(isNetwork, { message: "must be an IPv4 network such as 10.0.0.0/24, with no host bits set" });
}

/** Text like `10.0.0.5`. */
export function addressSchema(): z.ZodString {
  return z.string().refine(isAddress, { message: "must be an IPv4 address such as 10.0.0.5" });
}

/** Text like `10.0.0.5/24`: an address with the length of its network's prefix. */
export function interfaceAddressSchema(): z.ZodString {
  return z.string().refine(isInterfaceAddress, {
    message: "must be an IPv4 address with prefix length, such as 10.0.0.5/24",
  });
}

/** Reads `10.0.0.0/24`. Throws a RangeError on anything else: schemas validate first. */
export function parseCidr(text: string): Cidr {
  const [address, length] = ipaddr.IPv4.parseCIDR(text);
  const size = 2 ** (32 - length);
  const base = Math.floor(toNumber(address) / size) * size;
  return { first: base, last: base + size - 1, prefixLength: length };
}

/** The address as a number. */
export function parseAddress(text: string): number {
  return toNumber(ipaddr.IPv4.parse(text));
}

/** The number as an address. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

/** The network's mask, like `255.255.255.0`. */
export function formatNetmask({ prefixLength }: Cidr): string {
  return formatAddress(2 ** 32 - 2 ** (32 - prefixLength));
}

/** Whether the address lies in the network. */
export function containsAddress(cidr: Cidr, address: number): boolean {
  return address >= cidr.first && address <= cidr.last;
}

/** Whether two networks share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.first <= b.last && b.first <= a.last;
}

function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text);
}

function isInterfaceAddress(text: string): boolean {
  const [address, length, ...more] = text.split("/");
  if (address === undefined || length === undefined || more.length > 0) return false;
  return isAddress(address) && /^\d{1,2}$/.test(length) && Number(length) <= 32;
}

function isNetwork(text: string): boolean {
  return isInterfaceAddress(text) && parseCidr(text).first === parseAddress(text.split("/")[0] ?? "");
}

function toNumber(address: ipaddr.IPv4): number {
  return address.octets.reduce((sum, octet) => sum * 256 + octet, 0);
}
