import { expect, test } from "vitest";
import { listNearest } from "../../../providers/core/nearest.ts";

const known = ["RamFilter", "RetryFilter", "CoreFilter", "DiskFilter", "NUMATopologyFilter"];

test.each([
  ["a changed letter", "RanFilter", "RamFilter"],
  ["letters that are missing", "Retryilter", "RetryFilter"],
  ["letters that are too many", "CorreeFilter", "CoreFilter"],
  ["another case", "numatopologyfilter", "NUMATopologyFilter"],
])("%s leads to the name that was meant", (_what, name, expected) => {
  expect(listNearest(name, known)[0]).toBe(expected);
});

test("three names are offered, the likest first, equal ones in their order", () => {
  expect(listNearest("CoreFilters", known)).toEqual(["CoreFilter", "RamFilter", "RetryFilter"]);
});

test("fewer where there are fewer", () => {
  expect(listNearest("x", ["a"])).toEqual(["a"]);
});
