import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeLine, escapeLines, formatJson } from "../../../../providers/core/escape.ts";
import { formatDuration, toKebabCase } from "../../../../providers/engines/cli/text.ts";

describe("escapeLine", () => {
  it.each([
    ["an escape sequence", "\u001b[31mred", "\\u001b[31mred"],
    ["a bell", "a\u0007b", "a\\u0007b"],
    ["a C1 control", "a\u009bb", "a\\u009bb"],
    ["line breaks and tabs", "a\r\n\tb", "a\\r\\n\\tb"],
    ["a right-to-left override", "a\u202egpj.exe", "a\\u202egpj.exe"],
    ["a zero-width space", "a\u200bb", "a\\u200bb"],
    ["a line separator", "a\u2028b", "a\\u2028b"],
    ["a lone surrogate", "a\ud800b", "a\\ud800b"],
    ["a format character beyond the basic plane", "a\u{e0001}b", "a\\udb40\\udc01b"],
  ])("shows %s as an escape", (_what, text, shown) => {
    expect(escapeLine(text)).toBe(shown);
  });

  it.each(["$(reboot)", "'; rm -rf /", "<a>&amp;</a>", "日本語", "Ünïcödé", "🚀"])(
    "leaves %s alone",
    (text) => {
      expect(escapeLine(text)).toBe(text);
    },
  );

  it("never lets a control character through", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => !/[\p{Cc}\p{Cf}\p{Cs}]/u.test(escapeLine(text))),
    );
  });
});

describe("escapeLines", () => {
  it("keeps line feeds", () => {
    expect(escapeLines("one\r\ntwo\nthree")).toBe("one\ntwo\nthree");
  });

  it("escapes a carriage return that would overwrite the line", () => {
    expect(escapeLines("safe\revil")).toBe("safe\\revil");
  });
});

describe("formatJson", () => {
  it("gives the value back when parsed", () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        (value) => JSON.stringify(JSON.parse(formatJson(value))) === JSON.stringify(value),
      ),
    );
  });

  it("escapes C1 controls and format characters, which JSON allows", () => {
    expect(formatJson({ name: "a\u009b\u202e\u{e0001}" })).toBe(
      '{\n  "name": "a\\u009b\\u202e\\udb40\\udc01"\n}',
    );
  });
});

describe("toKebabCase", () => {
  it.each([
    ["ramMib", "ram-mib"],
    ["quota.ramMib", "quota.ram-mib"],
    ["maxServersPerHost", "max-servers-per-host"],
    ["name", "name"],
  ])("writes %s as %s", (camelCase, kebabCase) => {
    expect(toKebabCase(camelCase)).toBe(kebabCase);
  });
});

describe("formatDuration", () => {
  it.each([
    [4, "0.00 s"],
    [420, "0.42 s"],
    [12_345, "12.3 s"],
    [59_999, "60.0 s"],
    [185_000, "3 min 05 s"],
  ])("writes %i ms as %s", (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });
});
