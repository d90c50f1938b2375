import { expect, it } from "vitest";
import { StackyardError } from "../../../../providers/core/errors.ts";
import {
  describeFailure,
  describeIssue,
  toAttributePath,
  warn,
  writePath,
} from "../../../../providers/engines/terraform/diagnostics.ts";
import { resourceAttributes } from "../../../../providers/engines/terraform/schema.ts";
import { deepBox } from "../../../support/sample-definitions.ts";

const attributes = resourceAttributes(deepBox);

it.each([
  ["ramMib", "ram_mib"],
  ["sides.0.faces", "sides[0].faces"],
  ["neighbours.1", "neighbours[1]"],
  ["labels.first one", 'labels["first one"]'],
  ["ramMib.deeper", "ram_mib"],
  ["sides.0.gone", "sides[0]"],
])("the path %s is Terraform's %s", (field, shown) => {
  expect(writePath(toAttributePath(field, attributes) ?? { steps: [] })).toBe(shown);
});

it("a path that leads nowhere is none", () => {
  expect(toAttributePath("gone.0", attributes)).toBeUndefined();
});

it("an issue names its attribute, and tells code, value and remedy", () => {
  const issue = {
    code: "invalid-input",
    field: "sides.0.label",
    message: "is empty",
    value: "",
    remedy: "Fill it.",
  } as const;
  expect(describeIssue(issue, attributes)).toEqual({
    severity: 1,
    summary: "sides[0].label is empty",
    detail: 'Code: invalid-input\nValue: ""\nRemedy: Fill it.',
    attribute: { steps: [{ attribute_name: "sides" }, { element_key_int: 0 }, { attribute_name: "label" }] },
  });
});

it("an issue without a remedy has that of its code", () => {
  const issue = { code: "conflict", field: "name", message: "is taken" } as const;
  expect(describeIssue(issue, attributes).detail).toContain("Remedy: Choose another value");
});

it("an unforeseen error has its cause, and no stack", () => {
  const { detail } = describeFailure(new TypeError("x is not a function"), attributes);
  expect(detail).toContain("because: x is not a function");
  expect(detail).not.toContain(".ts:");
});

it("what a host said cannot act on the terminal", () => {
  const error = new StackyardError("command-failed", { message: "it said \u001b[2J", notes: ["and \u0007"] });
  const { summary, detail } = describeFailure(error, attributes);
  expect(summary + detail).toContain("it said \\u001b[2J");
  expect(summary + detail).not.toContain("\u0007");
});

it("nor can what a warning says", () => {
  const { summary, detail } = warn("it is called \u001b[2J", "and \u0007");
  expect([summary, detail]).toEqual(["it is called \\u001b[2J", "and \\u0007"]);
});

it("a warning is one, beside its attribute", () => {
  expect(warn("careful", "why", "ramMib", attributes)).toEqual({
    severity: 2,
    summary: "careful",
    detail: "why",
    attribute: { steps: [{ attribute_name: "ram_mib" }] },
  });
});
