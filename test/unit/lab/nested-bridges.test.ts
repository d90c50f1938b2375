import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseRange } from "../../../lab/addresses.ts";
import { readAcl, requireBridges, requireUnshared } from "../../../lab/nested/bridges.ts";
import type { BridgeFacts } from "../../../lab/nested/bridges.ts";
import { parseTopology } from "../../../lab/topology.ts";

const topology = parseTopology({
  driver: "nested",
  networks: {
    management: { cidr: "10.99.7.0/24", bridge: "br0" },
    data: { cidr: "10.99.8.0/24", bridge: "br1" },
  },
});

const able: BridgeFacts = {
  bridges: new Map([
    ["br0", 1500],
    ["br1", 1600],
  ]),
  helper: "/usr/lib/qemu/qemu-bridge-helper",
  isPrivileged: true,
  acl: ["allow br0", "allow br1"],
  findSource: (address) => Promise.resolve(address === "10.99.7.11" ? "10.99.7.1" : undefined),
};

const judge = (facts: Partial<BridgeFacts>) =>
  requireBridges(topology, () => Promise.resolve({ ...able, ...facts }));

describe("the bridges of a topology", () => {
  test("are found, and asked for only where there are any", async () => {
    expect(await judge({})).toBe("management on br0, data on br1");
    expect(await judge({ acl: ["allow all"] })).toBeDefined();
    // A helper that runs as root reads what this user may not.
    expect(await judge({ acl: undefined })).toBeDefined();
    const none = () => Promise.reject(new Error("nobody looks"));
    expect(await requireBridges(parseTopology({ driver: "nested" }), none)).toBeUndefined();
  });

  test.each<[string, Partial<BridgeFacts>, string, string, string]>([
    ["is not there", { bridges: new Map([["br0", 1500]]) }, "data.bridge", "br1", "ip link add name br1"],
    [
      "is too narrow",
      {
        bridges: new Map([
          ["br0", 1500],
          ["br1", 1500],
        ]),
      },
      "data.bridge",
      "br1",
      "Set networks.data.mtuBytes to 1500",
    ],
    ["finds no helper", { helper: undefined }, "management.bridge", "br0", "Install it"],
    [
      "finds a helper without rights",
      { isPrivileged: false },
      "management.bridge",
      "br0",
      "chmod u+s /usr/lib",
    ],
    ["is on no list", { acl: ["allow br0"] }, "data.bridge", "br1", 'Add the line "allow br1"'],
    ["is on both lists", { acl: ["allow all", "deny br1"] }, "data.bridge", "br1", "no line that denies"],
    [
      "is where this machine has no address",
      { findSource: () => Promise.resolve("192.0.2.2") },
      "management.cidr",
      "10.99.7.0/24",
      "ip address add 10.99.7.1/24 dev br0",
    ],
  ])("are refused where one %s", async (_, facts, field, value, remedy) => {
    await expect(judge(facts)).rejects.toMatchObject({
      code: "host-unsuitable",
      field: `networks.${field}`,
      value,
      remedy: expect.stringContaining(remedy) as unknown,
    });
  });

  test("are refused with addresses of another lab", () => {
    const range = parseRange("10.99.8.0/25");
    if (range === undefined) throw new Error("no range");
    const share = () => requireUnshared(topology, [{ range, holder: "lab other" }]);
    expect(share).toThrow(expect.objectContaining({ code: "in-use", field: "networks.data.cidr" }));
    expect(share).toThrow("lab other");
    requireUnshared(parseTopology({ driver: "nested" }), [{ range, holder: "lab other" }]);
  });
});

test("the rules of QEMU's helper are those of its file and of the files that this includes", () => {
  const folder = mkdtempSync(join(tmpdir(), "stackyard-acl-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "bridge.conf");
  writeFileSync(file, `# bridges\n\nallow br0\ninclude ${join(folder, "more.conf")}\ninclude ${file}\n`);
  writeFileSync(join(folder, "more.conf"), "  deny   br1\n");
  expect(new Set(readAcl(file))).toEqual(new Set(["allow br0", "deny br1"]));
  expect(readAcl(join(folder, "none.conf"))).toEqual([]);
});
