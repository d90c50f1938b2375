import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import {
  containsUnknown,
  dropUndefined,
  filledKeys,
  fromCloudInputs,
  internalsOf,
  toCloudInputs,
  unknownMarker,
} from "../../../../providers/engines/pulumi/properties.ts";

describe("the unknown marker", () => {
  it("is the SDK's", () => {
    expect(unknownMarker).toBe(pulumi.runtime.unknownValue);
  });

  it.each([
    ["a value", unknownMarker],
    ["an entry of a list", ["a", unknownMarker]],
    ["deep in an object", { a: [{ b: unknownMarker }] }],
  ])("is found as %s", (_where, value) => {
    expect(containsUnknown(value)).toBe(true);
  });

  it("is not found in known values", () => {
    expect(containsUnknown({ a: ["text", 1, null, false] })).toBe(false);
  });
});

describe("toCloudInputs", () => {
  it("takes internals and drift away, and gives the id its name", () => {
    const properties = {
      __provider: "text",
      __urn: "urn",
      __filled: ["a"],
      drift: ["x"],
      uuid: "u",
      ramMib: 1,
    };
    expect(toCloudInputs(properties)).toEqual({ id: "u", ramMib: 1 });
  });
});

describe("fromCloudInputs", () => {
  it("says of each drift what was expected and found", () => {
    const drift = [
      { field: "state", expected: "running", found: "shut off", repair: "starts it", label: "live" as const },
    ];
    expect(fromCloudInputs({ id: "u", a: 1 }, drift)).toEqual({
      a: 1,
      uuid: "u",
      drift: ["state: expected running, found shut off; the next update starts it (live)"],
    });
  });

  it("leaves an undecided id unknown", () => {
    expect(fromCloudInputs({}, [])).toEqual({ uuid: unknownMarker, drift: [] });
  });
});

describe("internalsOf", () => {
  it("leaves out what is no input of ours", () => {
    expect(internalsOf({ __urn: "u", __filled: [], name: "n" })).toEqual({ __urn: "u" });
  });
});

describe("dropUndefined", () => {
  it("leaves no undefined at any depth", () => {
    const cleaned = dropUndefined({ a: undefined, b: { c: undefined, d: 1 }, e: [{ f: undefined }] });
    expect(JSON.stringify(cleaned)).toBe('{"b":{"d":1},"e":[{}]}');
    expect(Object.keys(cleaned)).toEqual(["b", "e"]);
  });
});

describe("filledKeys", () => {
  it("is empty in state without the list", () => {
    expect(filledKeys({})).toEqual([]);
  });
});
