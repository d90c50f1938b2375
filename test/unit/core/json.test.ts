import { expect, test } from "vitest";
import { equalJson } from "../../../providers/core/json.ts";

test.each([
  ["texts", "a", "a"],
  ["numbers", 0, -0],
  ["what is absent", undefined, undefined],
  ["lists", [1, { a: null }], [1, { a: null }]],
  ["objects, in any order of keys", { a: 1, b: [2] }, { b: [2], a: 1 }],
  ["objects, one of which names an absent key", { a: 1, b: undefined }, { a: 1 }],
])("%s are equal", (_what, a, b) => {
  expect(equalJson(a, b)).toBe(true);
});

test.each([
  ["a number and its text", 1, "1"],
  ["null and what is absent", null, undefined],
  ["null and an empty object", null, {}],
  ["a list and an object", [], {}],
  ["a text and a list of it", "a", ["a"]],
  ["lists in another order", [1, 2], [2, 1]],
  ["objects that differ deep within", { a: { b: [1] } }, { a: { b: [2] } }],
])("%s are not", (_what, a, b) => {
  expect(equalJson(a, b)).toBe(false);
});
