import { expect, test } from "vitest";
import {
  nameCookie,
  nameDhcpPort,
  nameDomain,
  nameNamespace,
  nameTap,
  nameTunnel,
} from "../../../providers/compute/marks.ts";

const a = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
const b = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

test("names are OpenStack's where it has them", () => {
  expect([nameDomain(a), nameTap(a), nameDhcpPort(a), nameNamespace(a), nameCookie(a)]).toEqual([
    "stackyard-1b4e28ba-2fa1",
    "tap1b4e28ba-2f",
    "tap1b4e28ba-2f",
    "qdhcp-1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    "0x1b4e28ba2fa111d",
  ]);
});

test.each([nameTap(a), nameDhcpPort(a), nameTunnel(a, b)])(
  "the device name %s fits the kernel's 15 characters",
  (name) => {
    expect(name).toMatch(/^[a-z0-9-]{1,15}$/);
  },
);

test("a tunnel's name tells network and peer apart", () => {
  expect(new Set([nameTunnel(a, b), nameTunnel(b, a), nameTunnel(a, a)]).size).toBe(3);
});

test.each([
  ["0207033c-f04a-5710-883f-0016d3cca427", "0x207033cf04a571"],
  ["00000000-0000-5000-8000-000000000000", "0x500"],
])("the cookie of the network %s is written as Open vSwitch prints it", (id, cookie) => {
  expect(nameCookie(id)).toBe(cookie);
});
