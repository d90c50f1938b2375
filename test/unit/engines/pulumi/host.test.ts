import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { provider } from "../../../../providers/engines/pulumi/host.ts";

it("serves a type of the registry", () => {
  expect(Object.keys(provider("server")).sort()).toEqual([
    "check",
    "create",
    "delete",
    "diff",
    "read",
    "update",
  ]);
});

it("says what to do about a type that this release does not have", () => {
  expect(() => provider("router")).toThrow('there is no resource type "router" in this release of stackyard');
});

it("loads by require, as the serialised provider does", () => {
  const loaded: unknown = createRequire(import.meta.url)("../../../../providers/engines/pulumi/host.ts");
  expect(loaded).toHaveProperty("provider");
});
