import { describe, expect, test } from "vitest";

import { compileRequirement } from "../../../providers/scheduler/extra-spec.ts";
import { parseFloatText, parseIntegerText, parseRatios } from "../../../providers/scheduler/number-text.ts";
import { passes, testHost, testRequest } from "../../support/scheduler.ts";

describe("requirements of extra specs", () => {
  test.each([
    ["ssd", "ssd", true],
    ["ssd", "SSD", false],
    ["", "", true],
    ["8", "= 8", true],
    ["9", "= 8", true],
    ["7", "= 8", false],
    ["8.0", "== 8", true],
    ["8", "!= 8", false],
    ["8", ">= 8 or more", true],
    ["8", "<= 7.5", false],
    [" 10 ", "==  1e1", true],
    ["inf", ">= 1_000", true],
    ["nan", "== nan", false],
    ["r2", "s== r2", true],
    ["r2", "s!= r2", false],
    ["r2", "s< r10", false],
    ["r2", "s<= r2", true],
    ["r2", "s> r10", true],
    ["r2", "s>= r3", false],
    ["Intel", "<in> nte", true],
    ["Intel", "<in> AMD", false],
    ["aes avx2", "<all-in> avx aes", true],
    ["aes avx2", "<all-in> aes mmx", false],
    ["b", "<or> a <or> b", true],
    ["a", "<or> b a", false],
    ["a", "<or>", false],
    ["a", "<all-in>", false],
    ["8", ">=", false],
    ["==ssd", "==ssd", true],
    ["5", "< 5", false],
    ["< 5", "< 5", true],
    ["lots", ">= 2", false],
    ["lots", "!= 2", false],
    ["__proto__", "__proto__ x", false],
  ])("%j meets %j: %s", (value, requirement, expected) => {
    expect(compileRequirement(requirement, "field")(value)).toBe(expected);
  });

  test("an operand that is no number is refused, when a host is tested", () => {
    const matches = compileRequirement(">= lots", "flavor.extraSpecs.mem");

    expect(() => matches("3")).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "flavor.extraSpecs.mem", value: ">= lots" }),
    );
  });
});

test.each([
  ["1.5", 1.5],
  [" +2. ", 2],
  [".5e1", 5],
  ["1_000.5", 1000.5],
  ["-Infinity", -Infinity],
  ["NaN", NaN],
  ["", undefined],
  ["1__0", undefined],
  ["0x10", undefined],
  ["1,5", undefined],
])("parseFloatText(%j) is %s", (text, expected) => {
  expect(parseFloatText(text)).toBe(expected);
});

test.each([
  ["-7", -7],
  [" 1_0 ", 10],
  ["7.0", undefined],
  ["", undefined],
])("parseIntegerText(%j) is %s", (text, expected) => {
  expect(parseIntegerText(text)).toBe(expected);
});

test("settings that are no name=ratio are left out", () => {
  expect(parseRatios(["a=1", "b = 2", "=3", "c", "d=x", "e=1=2"])).toEqual([
    { name: "a", ratio: 1 },
    { name: "b ", ratio: 2 },
  ]);
});

test("a hostile text is refused at once, not after hours of backtracking", { timeout: 1_000 }, () => {
  expect(parseFloatText(`${"1".repeat(200_000)}x`)).toBeUndefined();
});

describe("JSON queries", () => {
  const host = testHost({
    name: "h1",
    freeRamMib: 4096,
    vcpusTotal: 8,
    vcpusUsed: 2,
    numInstances: 0,
    hostIp: "10.0.0.1",
    stats: { rack: "r1", gen: "4" },
  });
  const answers = (query: unknown) =>
    passes("JsonFilter", host, testRequest({ hints: { query: JSON.stringify(query) } }));

  test.each([
    [[], true],
    [["and"], true],
    [["or"], false],
    [["not"], false],
    [["=", "$free_ram_mb", 4096], true],
    [["=", "$free_ram_mb"], false],
    [["=", 4, null, 4], true],
    [["=", "", ""], false],
    [["<", 2, "$vcpus_total", 5], true],
    [["<", 2, "$vcpus_total", 2], false],
    [[">=", "$vcpus_total", 8], true],
    [["<=", "$vcpus_total", 7], false],
    [[">", "$vcpus_total", "$vcpus_used"], true],
    [["in", "$host", "h2", "h1"], true],
    [["in", "$host", "h2"], false],
    [["in"], false],
    [["=", "$no_such_attribute", 1], false],
    [["=", "$stats.rack", "r1"], true],
    [["=", "$stats.gen", 4], false],
    [["=", "$stats.colour", "red"], false],
    [["=", "$service.disabled", false], true],
    [["=", "$host_ip", "10.0.0.1"], false],
    [["=", true, 1], true],
    [["not", ["=", 1, 1]], false],
    [["not", ["=", 1, 2]], true],
    [["not", ["=", 1, 1], ["=", 1, 2]], true],
    [["and", ["not", ["=", 1, 1]]], true],
    [["or", "$num_instances", ""], false],
    [["and", "text", 1], true],
    [["<", "a", "b"], true],
  ])("%j: %s", (query, expected) => {
    expect(answers(query)).toBe(expected);
  });

  test.each([
    ["an unknown operator", ["nand", 1, 1]],
    ["a number where the operator belongs", [1, 2]],
    ["an entry of what has none", ["=", "$host.sub", 1]],
    ["an order between a number and a text", ["<", 1, "a"]],
    ["a text", "free"],
  ])("%s is refused", (_title, query) => {
    expect(() => answers(query)).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "hints.query" }),
    );
  });

  test.each(["[", "free_ram_mb > 5"])("%j, which is not JSON, is refused", (query) => {
    expect(() => passes("JsonFilter", host, testRequest({ hints: { query } }))).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "hints.query", value: query }),
    );
  });

  test("a query too deep to evaluate is refused", () => {
    const query = `${'["not", '.repeat(10_000)}1${"]".repeat(10_000)}`;

    expect(() => passes("JsonFilter", host, testRequest({ hints: { query } }))).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "hints.query" }),
    );
  });

  test("several queries are refused", () => {
    expect(() => passes("JsonFilter", host, testRequest({ hints: { query: ["[]", "[]"] } }))).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "hints.query" }),
    );
  });

  test("without a query every host passes", () => {
    expect(passes("JsonFilter", host)).toBe(true);
  });
});
