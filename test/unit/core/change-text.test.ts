import { expect, it } from "vitest";
import { warningFor } from "../../../providers/core/change-text.ts";

it.each([
  ["live", []],
  ["reboot", ["changing ramMib reboots the guest"]],
  ["restart", ["changing ramMib restarts the server (power cycle)"]],
  ["replace", []],
  ["data-loss", ["changing ramMib replaces the resource, and the data on it is lost"]],
] as const)("a change that is %s warns of what engines do not say", (label, warnings) => {
  expect(warningFor({ field: "ramMib", label })).toEqual(warnings);
});
