import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeJunit } from "../../../../lab/matrix/junit.ts";
import { writeMarkdown } from "../../../../lab/matrix/markdown.ts";
import type { CellResult, MatrixResult } from "../../../../lab/matrix/run.ts";
import { elementsAt, parseXml } from "../../../../providers/hosts/xml.ts";

const passed: CellResult = {
  cell: { name: "one: storage=file", topology: "one", values: { storage: "file" } },
  lab: "ci-one",
  outcome: "passed",
  reason: null,
  exitCode: 0,
  durationMs: 1234,
  logFile: "/logs/001.log",
  tail: "fine",
};
const hostile = `a "b" <c> & 'd' | \`e\` @all`;
const failed: CellResult = {
  ...passed,
  cell: { name: `one: storage=${hostile}`, topology: "one", values: { storage: hostile } },
  outcome: "failed",
  reason: "exit code 3",
  exitCode: 3,
  tail: "first\n\n  </failure> ]]> & ```\nlast",
};
const broken: CellResult = {
  ...passed,
  cell: { name: "three", topology: "three", values: {} },
  lab: "ci-three",
  outcome: "error",
  reason: "no memory [host-unsuitable]\n  remedy: more",
  exitCode: null,
  durationMs: 0,
  logFile: null,
  tail: "",
};
const skipped: CellResult = { ...broken, outcome: "skipped", reason: "the run was interrupted" };
const result: MatrixResult = {
  name: "ci",
  startedAt: new Date("2026-01-02T03:04:05.678Z"),
  durationMs: 65_432,
  results: [passed, failed, broken, skipped],
  leftLabs: [{ lab: "ci-three", reason: "it's <busy>" }],
  interrupted: false,
};

describe("the report in JUnit's XML", () => {
  const root = parseXml(writeJunit(result, "builder <1>"), "testsuites");

  test("counts all cells, and those of each lab", () => {
    expect(root.attributes).toEqual({
      name: "ci",
      tests: "4",
      failures: "1",
      errors: "1",
      skipped: "1",
      time: "65.432",
    });
    expect(root.children.map(({ name, attributes }) => [name, attributes])).toEqual([
      [
        "testsuite",
        {
          name: "ci-one",
          id: "0",
          tests: "2",
          failures: "1",
          errors: "0",
          skipped: "0",
          time: "2.468",
          timestamp: "2026-01-02T03:04:05",
          hostname: "builder <1>",
        },
      ],
      ["testsuite", expect.objectContaining({ name: "ci-three", id: "1", errors: "1", skipped: "1" })],
    ]);
  });

  test("has a case a cell, with what became of it", () => {
    const cases = elementsAt(root, "testsuite", "testcase");
    expect(cases.map(({ attributes }) => attributes)).toEqual([
      { name: "storage=file", classname: "ci.one", time: "1.234" },
      { name: `storage=${hostile}`, classname: "ci.one", time: "1.234" },
      { name: "three", classname: "ci.three", time: "0.000" },
      { name: "three", classname: "ci.three", time: "0.000" },
    ]);
    expect(
      cases.map(({ children }) => children.map(({ name, attributes, text }) => [name, attributes, text])),
    ).toEqual([
      [["system-out", {}, "fine"]],
      [["failure", { type: "failed", message: "exit code 3" }, failed.tail]],
      [["error", { type: "error", message: "no memory [host-unsuitable] remedy: more" }, broken.reason]],
      [["skipped", { message: "the run was interrupted" }, ""]],
    ]);
  });

  test("says which lab is still there", () => {
    expect(elementsAt(root, "testsuite", "system-err").map(({ text }) => text)).toEqual([
      "lab ci-three is still there: it's <busy>",
    ]);
  });

  test("is one document whatever a command says", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
        const written = writeJunit(
          { ...result, results: [{ ...failed, tail: `-${text}-`, reason: text }] },
          "h",
        );
        const [failure] = elementsAt(parseXml(written, "testsuites"), "testsuite", "testcase", "failure");
        expect(failure?.text).toMatch(/^-[^]*-$/);
        expect(written).not.toMatch(/(?![\n\r\t\u007f-\u009f])[\p{Cc}\p{Cs}\ufffe\uffff]/u);
      }),
    );
  });
});

describe("the report in Markdown", () => {
  const lines = writeMarkdown(result).split("\n");

  test("begins with the totals and a table of the cells", () => {
    const odd = "one&#58; storage=a &#34;b&#34; &#60;c&#62; &#38; &#39;d&#39; &#124; &#96;e&#96; &#64;all";
    expect(lines.slice(0, 8)).toEqual([
      "### Matrix ci: 1 passed, 1 failed, 1 error, 1 skipped in 1 min 05 s",
      "",
      "| cell | result | time | why |",
      "| --- | --- | --- | --- |",
      "| one&#58; storage=file | passed | 1.2 s |  |",
      `| ${odd} | **failed** | 1.2 s | exit code 3 |`,
      "| three | **error** |  | no memory &#91;host-unsuitable&#93; |",
      "| three | skipped |  | the run was interrupted |",
    ]);
  });

  test("shows the last lines of what did not pass, in a fence that they cannot close", () => {
    const begin = lines.indexOf("````");
    expect(lines.slice(begin, begin + 6)).toEqual([
      "````",
      "first",
      "",
      "  </failure> ]]> & ```",
      "last",
      "````",
    ]);
    expect(lines.filter((line) => line === "<details>")).toHaveLength(1);
  });

  test("says which lab is still there", () => {
    expect(lines).toContain("**Lab ci-three is still there:** it&#39;s &#60;busy&#62;");
  });

  test("fits a comment on GitHub when much fails and says much", () => {
    const loud = { ...failed, tail: Array<string>(100).fill("x".repeat(1000)).join("\n") };
    const written = writeMarkdown({ ...result, results: Array<CellResult>(100).fill(loud) });
    expect(written.length).toBeLessThan(65_536);
    expect(written).toContain("\nAnd the output of 90 more in the logs.\n");
  });
});
