import { describe, expect, test } from "vitest";

import { allocate, candidateTest, fits, resourcesOf } from "../../../providers/scheduler/placement.ts";
import { testHost, testRequest } from "../../support/scheduler.ts";

const inventory = {
  total: 100,
  reserved: 10,
  used: 40,
  allocationRatio: 1.5,
  minUnit: 2,
  maxUnit: 60,
  stepSize: 2,
};

describe("fits", () => {
  test.each([
    ["up to the unit limit", inventory, 60, true],
    ["over the unit limit", inventory, 62, false],
    ["under the least unit", { ...inventory, stepSize: 1 }, 1, false],
    ["off the step", inventory, 31, false],
    ["up to (total - reserved) x ratio", { ...inventory, used: 115 }, 20, true],
    ["over it", { ...inventory, used: 116 }, 20, false],
  ])("%s", (_title, given, amount, expected) => {
    expect(fits(given, amount)).toBe(expected);
  });
});

describe("what an instance takes", () => {
  const flavor = { vcpus: 2, ramMib: 2048, rootGib: 20, ephemeralGib: 5, swapMib: 1025 };

  test.each([
    ["the flavor, swap rounded up", {}, { VCPU: 2, MEMORY_MB: 2048, DISK_GB: 27 }],
    [
      "no root disk when it boots from a volume",
      { bootFromVolume: true },
      { VCPU: 2, MEMORY_MB: 2048, DISK_GB: 7 },
    ],
  ])("%s", (_title, given, expected) => {
    expect(resourcesOf(testRequest({ ...given, flavor })).amounts).toEqual(expected);
  });

  test.each([
    ["dedicated CPUs", { "hw:cpu_policy": "dedicated" }, { PCPU: 2, MEMORY_MB: 2048, DISK_GB: 27 }],
    ["replaced amounts", { "resources:VCPU": "4", "resources:DISK_GB": "0" }, { VCPU: 4, MEMORY_MB: 2048 }],
    [
      "a class of our own",
      { "resources:CUSTOM_X": "1" },
      { VCPU: 2, MEMORY_MB: 2048, DISK_GB: 27, CUSTOM_X: 1 },
    ],
    [
      "numbered groups add up",
      { "resources1:VGPU": "1", "resources2:VGPU": "2" },
      { VCPU: 2, MEMORY_MB: 2048, DISK_GB: 27, VGPU: 3 },
    ],
    [
      "an amount that is no number is ignored",
      { "resources:VGPU": "some" },
      { VCPU: 2, MEMORY_MB: 2048, DISK_GB: 27 },
    ],
  ])("%s", (_title, extraSpecs, expected) => {
    expect(resourcesOf(testRequest({ flavor: { ...flavor, extraSpecs } })).amounts).toEqual(expected);
  });

  test("traits of flavor and image", () => {
    const request = testRequest({
      flavor: { extraSpecs: { "trait:A": "required", "trait:B": "forbidden" } },
      image: { id: "i", properties: { "trait:C": "required" } },
    });

    expect(resourcesOf(request)).toMatchObject({ required: ["A", "C"], forbidden: ["B"] });
  });
});

describe("candidates", () => {
  test.each([
    [["A"], [], ["A"], true],
    [["A"], [], [], false],
    [[], ["B"], ["B"], false],
  ])("required %j, forbidden %j, host has %j: %s", (required, forbidden, traits, expected) => {
    expect(candidateTest({ amounts: {}, required, forbidden })(testHost({ traits }))).toBe(expected);
  });

  test("a host without the resource class is none", () => {
    expect(candidateTest({ amounts: { VGPU: 1 }, required: [], forbidden: [] })(testHost())).toBe(false);
  });
});

test("an allocation adds to what is used, and leaves the given inventories alone", () => {
  const inventories = { VCPU: inventory, OTHER: inventory };
  const resources = { amounts: { VCPU: 2 }, required: [], forbidden: [] };

  expect(allocate(inventories, resources)).toEqual({ VCPU: { ...inventory, used: 42 }, OTHER: inventory });
  expect(inventories.VCPU.used).toBe(40);
});
