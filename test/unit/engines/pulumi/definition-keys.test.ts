import { describe, expect, it } from "vitest";
import { hasLastingUsers, keysWith, topKey } from "../../../../providers/engines/pulumi/definition-keys.ts";
import { definitions } from "../../../../providers/registry.ts";
import { deepBox, sampleDefinitions } from "../../../support/sample-definitions.ts";

describe("topKey", () => {
  it.each([
    ["name", "name"],
    ["networks[].port", "networks"],
    ["networks.0.port", "networks"],
  ])("of %s is %s", (path, key) => {
    expect(topKey(path)).toBe(key);
  });
});

describe("keysWith", () => {
  it("finds a nested field by its top-level key, once", () => {
    expect(keysWith(deepBox.inputs, ({ references }) => references === "shelf")).toEqual([
      "shelf",
      "neighbours",
      "sides",
    ]);
  });
});

describe("hasLastingUsers", () => {
  it("is true of what a resource refers to by a field that changes in place", () => {
    expect(hasLastingUsers("shelf", sampleDefinitions)).toBe(true);
  });

  it("is false of what nothing refers to", () => {
    expect(hasLastingUsers("deep-box", sampleDefinitions)).toBe(false);
  });

  it("is true of what a server outlives: its flavor and its ports", () => {
    expect(["flavor", "port"].filter((type) => !hasLastingUsers(type, definitions))).toEqual([]);
  });

  it("is false of what a server does not outlive, and of servers and hosts", () => {
    expect(["image", "server", "host"].filter((type) => hasLastingUsers(type, definitions))).toEqual([]);
  });
});
