import { expect, it } from "vitest";
import { warningFor } from "../../../providers/core/change-text.ts";

it.each([
  ["live", "update", []],
  ["reboot", "update", ["changing ramMib reboots the guest"]],
  ["restart", "update", ["changing ramMib restarts the server (power cycle)"]],
  ["replace", "replace", []],
  ["data-loss", "replace", ["changing ramMib replaces the resource, and the data on it is lost"]],
] as const)("a change that is %s warns of what engines do not say", (label, action, warnings) => {
  expect(warningFor({ field: "ramMib", label }, action)).toEqual(warnings);
});

it.each(["reboot", "restart"] as const)("what is made anew is not warned of as %s", (label) => {
  expect(warningFor({ field: "ramMib", label }, "replace")).toEqual([]);
});
