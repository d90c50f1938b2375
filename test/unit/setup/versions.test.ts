import { expect, test } from "vitest";
import { isAtLeast, parseVersion } from "../../../lab/setup/versions.ts";

test.each([
  ["v3.259.0\n", [3, 259, 0]],
  ["go1.26", [1, 26, 0]],
  ["v3.216.0-alpha.1+dirty", [3, 216, 0]],
])("reads %j", (text, version) => {
  expect(parseVersion(text)).toEqual(version);
});

test("finds no version where there is none", () => {
  expect(parseVersion("command not found")).toBeUndefined();
});

test.each([
  [[3, 216, 0], [3, 216, 0], true],
  [[3, 99, 9], [3, 216, 0], false],
  [[4, 0, 0], [3, 216, 5], true],
  [[3, 216, 1], [3, 216, 2], false],
  [[2, 999, 999], [3, 0, 0], false],
] as const)("%j is at least %j: %s", (version, minimum, expected) => {
  expect(isAtLeast(version, minimum)).toBe(expected);
});
