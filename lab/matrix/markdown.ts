import { escapeMarkdown } from "../../providers/core/escape.ts";
import { cutToWidth } from "../../providers/engines/cli/table.ts";
import { countThings, formatDuration } from "../../providers/engines/cli/text.ts";
import type { CellResult, MatrixResult } from "./run.ts";

/** Lines of a cell's output that are shown where it did not pass, their length, and such cells: a comment on GitHub has at most 65,536 characters. */
const shownLines = 20;
const shownChars = 160;
const shownCells = 10;

const marks = { passed: "passed", failed: "**failed**", error: "**error**", skipped: "skipped" } as const;

/** How many cells became what: `3 passed, 1 failed`. */
export function summarize({ results }: MatrixResult): string {
  const outcomes = Map.groupBy(results, ({ outcome }) => outcome);
  return (["passed", "failed", "error", "skipped"] as const)
    .flatMap((outcome) => {
      const count = outcomes.get(outcome)?.length ?? 0;
      if (outcome === "error") return count === 0 ? [] : [countThings(count, outcome)];
      return count === 0 ? [] : [`${String(count)} ${outcome}`];
    })
    .join(", ");
}

/** A result as Markdown, for a comment or the summary of a job: a table of cells, and the last lines of those that did not pass. */
export function writeMarkdown(result: MatrixResult): string {
  const { name, durationMs, results, leftLabs } = result;
  const told = results.filter(({ outcome, tail }) => outcome !== "passed" && tail !== "");
  const more = told.length - shownCells;
  return [
    `### Matrix ${escapeMarkdown(name)}: ${summarize(result)} in ${formatDuration(durationMs)}`,
    "",
    "| cell | result | time | why |",
    "| --- | --- | --- | --- |",
    ...results.map(writeRow),
    ...leftLabs.flatMap(({ lab, reason }) => [
      "",
      `**Lab ${escapeMarkdown(lab)} is still there:** ${escapeMarkdown(reason)}`,
    ]),
    ...told.slice(0, shownCells).flatMap(writeTail),
    ...(more > 0 ? ["", `And the output of ${String(more)} more in the logs.`] : []),
    "",
  ].join("\n");
}

function writeRow({ cell, outcome, durationMs, reason, logFile }: CellResult): string {
  const time = logFile === null ? "" : formatDuration(durationMs);
  const [why = ""] = (reason ?? "").split("\n");
  return `| ${escapeMarkdown(cell.name)} | ${marks[outcome]} | ${time} | ${escapeMarkdown(why)} |`;
}

/** The lines in a fence longer than any in them, so that they are lines and nothing else (CommonMark 4.5). */
function writeTail({ cell, tail }: CellResult): readonly string[] {
  const lines = tail
    .split("\n")
    .slice(-shownLines)
    .map((line) => cutToWidth(line, shownChars));
  const longest = Math.max(
    2,
    ...lines.flatMap((line) => line.match(/`+/g) ?? []).map(({ length }) => length),
  );
  const fence = "`".repeat(longest + 1);
  return [
    "",
    "<details>",
    `<summary>${escapeMarkdown(cell.name)}</summary>`,
    "",
    fence,
    ...lines,
    fence,
    "",
    "</details>",
  ];
}
