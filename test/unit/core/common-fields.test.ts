import { describe, expect, test } from "vitest";
import {
  descriptionField,
  idSchema,
  nameSchema,
  reserveName,
} from "../../../providers/core/common-fields.ts";

describe("names that OpenStack allows are names", () => {
  test.each([
    "a",
    "web server 1",
    "$(reboot)",
    "'; rm -rf /",
    '<name attr="x">&amp;</name>',
    "{{ template }}: [yaml]",
    "Größe-名前-🚀",
    "x".repeat(255),
  ])("%s", (name) => {
    expect(nameSchema().parse(name)).toBe(name);
  });
});

describe("what is no name says why", () => {
  test.each([
    { name: "", message: "Must not be empty" },
    { name: "x".repeat(256), message: "Must have at most 255 characters" },
    { name: "x".repeat(10_000), message: "Must have at most 255 characters" },
    { name: " web", message: "Must not begin or end with a blank" },
    { name: "web ", message: "Must not begin or end with a blank" },
    { name: "web\u00a0", message: "Must not begin or end with a blank" },
    { name: "two\nlines", message: "Must hold no line break, control or other unprintable character" },
    { name: "two\u2028lines", message: "Must hold no line break, control or other unprintable character" },
    { name: "nul\u0000", message: "Must hold no line break, control or other unprintable character" },
    { name: "escape\u001b[2J", message: "Must hold no line break, control or other unprintable character" },
    {
      name: "right-to-left \u202e",
      message: "Must hold no line break, control or other unprintable character",
    },
    {
      name: "half a pair \ud83d",
      message: "Must hold no line break, control or other unprintable character",
    },
  ])("$message: $name", ({ name, message }) => {
    expect(nameSchema().safeParse(name).error?.issues).toMatchObject([{ message }]);
  });
});

test("a description may be empty but holds no line break", () => {
  expect(descriptionField().safeParse("").success).toBe(true);
  expect(descriptionField().safeParse("two\nlines").success).toBe(false);
});

test("a description has at most 255 characters", () => {
  expect(descriptionField().safeParse("x".repeat(255)).success).toBe(true);
  expect(descriptionField().safeParse("x".repeat(256)).success).toBe(false);
});

test("an id is a lower-case uuid", () => {
  expect(idSchema().safeParse("4f0c1a2e-6d5b-4c7b-9a3e-5d1f7b8c9a01").success).toBe(true);
  expect(idSchema().safeParse("4F0C1A2E-6D5B-4C7B-9A3E-5D1F7B8C9A01").success).toBe(false);
  expect(idSchema().safeParse("demo").success).toBe(false);
});

test("a name is reserved within its scope", () => {
  expect(reserveName("user", "cloud", "demo")).toEqual([
    { kind: "user-name", scope: "cloud", value: "demo", field: "name" },
  ]);
});

test("a name that is not known yet is not reserved", () => {
  expect(reserveName("user", "cloud", undefined)).toEqual([]);
  expect(reserveName("keypair", undefined, "demo")).toEqual([]);
});
