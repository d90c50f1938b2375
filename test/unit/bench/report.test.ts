import { describe, expect, test } from "vitest";
import type { Measurement } from "../../bench/measurement.ts";
import { mergeMarkdown, renderMarkdown } from "../../bench/report.ts";

const machine = {
  cpu: "CPU",
  cores: 2,
  memoryGib: 24,
  kernel: "6.1",
  node: "24.0.0",
  loadBefore: 0,
  date: "2026-01-01",
};

function measurementOf(name: string, ms: number, note?: string): Measurement {
  const spread = { median: ms, min: ms, max: ms, runs: 3 };
  return { name, unit: "ms", ...spread, ...(note === undefined ? {} : { note }) };
}

function render(...measurements: readonly Measurement[]): string {
  return renderMarkdown({ machine, measurements });
}

describe("a table that gets the rows of some parts", () => {
  const before = render(measurementOf("first", 1, "stays"), measurementOf("second", 2, "goes"));
  const later = { ...machine, date: "2026-02-02" };

  test("has them in the places of their names or last, and all others as they were", () => {
    const measurements = [measurementOf("third", 3, "comes"), measurementOf("second", 5, "is new")];
    const merged = mergeMarkdown(before, { machine: later, measurements }, ["ceph"]);
    const rows = render(measurementOf("first", 1), measurementOf("second", 5), measurementOf("third", 3));
    expect(merged.split("\n").filter((line) => line.startsWith("|"))).toEqual(
      rows.split("\n").filter((line) => line.startsWith("|")),
    );
    expect(merged.split("\n").filter((line) => line.startsWith("- "))).toEqual([
      "- _first_: stays",
      "- _third_: comes",
      "- _second_: is new",
    ]);
  });

  test("names the machine of each, of a part once", () => {
    const merge = (text: string): string =>
      mergeMarkdown(text, { machine: later, measurements: [measurementOf("second", 5)] }, ["ceph"]);
    const once = merge(before);
    expect(once).toContain(`Taken by \`npm run bench\` on: CPU`);
    expect(once.split("The rows of `ceph` are of a run on: CPU")).toHaveLength(2);
    expect(once).toContain("2026-02-02");
    expect(merge(once)).toBe(once);
  });
});
