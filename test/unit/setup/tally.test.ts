import { expect, test } from "vitest";
import { addTallies, describeTally, tallyVitest } from "../../../lab/setup/tally.ts";

const report = (part: object) => JSON.stringify({ numPassedTests: 5, numFailedTests: 0, ...part });

test("counts what vitest counted", () => {
  const json = report({ numFailedTests: 2, numPendingTests: 1, numTodoTests: 1 });
  expect(tallyVitest(json, 1)).toEqual({ passed: 5, failed: 2, skipped: 2 });
});

test("a file that could not be loaded is a failure", () => {
  const json = report({ testResults: [{ status: "failed", assertionResults: [] }] });
  expect(tallyVitest(json, 1)).toMatchObject({ failed: 1 });
});

test("a file whose failure its tests show is counted once", () => {
  const json = report({
    numFailedTests: 1,
    testResults: [{ status: "failed", assertionResults: [{ status: "failed" }] }],
  });
  expect(tallyVitest(json, 1)).toMatchObject({ failed: 1 });
});

test("an exit code that no test explains is a failure", () => {
  expect(tallyVitest(report({}), 1)).toMatchObject({ failed: 1 });
});

test("no report at all is a failure", () => {
  expect(tallyVitest("{}", 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("skipped tests are told only where there are some", () => {
  expect(describeTally({ passed: 3, failed: 0, skipped: 0 })).toBe("3 passed, 0 failed");
  expect(describeTally({ passed: 3, failed: 1, skipped: 2 })).toBe("3 passed, 1 failed, 2 skipped");
});

test("several runs are added up", () => {
  const sum = addTallies([
    { passed: 5, failed: 0, skipped: 1 },
    { passed: 2, failed: 3, skipped: 0 },
  ]);
  expect(sum).toEqual({ passed: 7, failed: 3, skipped: 1 });
});
