import { readFile, writeFile } from "node:fs/promises";
import { StackyardError } from "../../providers/core/errors.ts";
import { formatTable } from "../../providers/engines/cli/table.ts";
import { showMachine } from "./machine.ts";
import type { Machine } from "./machine.ts";
import { isMet } from "./measurement.ts";
import type { Measurement } from "./measurement.ts";

/** All that a run found. */
export interface Report {
  readonly machine: Machine;
  readonly measurements: readonly Measurement[];
}

const titles = ["what", "median", "min to max", "against", "its median", "ratio", "goal", "met"] as const;

/** A few digits that matter. */
function show(value: number, unit: string): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}

function toRow(measurement: Measurement): readonly string[] {
  const { name, unit, median, min, max, runs, goal, baseline } = measurement;
  const met = isMet(measurement);
  const goals = [
    ...(goal === undefined ? [] : [`≤ ${goal} ${unit}`]),
    ...(baseline?.goal === undefined ? [] : [`≤ ${baseline.goal}x`]),
  ];
  return [
    name,
    show(median, unit),
    runs === 1 ? "" : `${show(min, unit)} to ${show(max, unit)}`,
    baseline?.name ?? "",
    baseline === undefined ? "" : show(baseline.median, unit),
    baseline === undefined ? "" : `${baseline.ratio.toFixed(2)}x`,
    goals.join(", "),
    met === undefined ? "" : met ? "yes" : "no",
  ];
}

/** For a terminal. */
export function renderText({ machine, measurements }: Report): string {
  const columns = titles.map((title) => ({ title: title.toUpperCase() }));
  const notes = measurements.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}\n`]));
  return `${showMachine(machine)}\n\n${formatTable(columns, measurements.map(toRow))}\n${notes.join("")}`;
}

/** For a document. */
export function renderMarkdown({ machine, measurements }: Report): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  const notes = measurements.flatMap(({ name, note }) =>
    note === undefined ? [] : [`- _${name}_: ${note}\n`],
  );
  return [
    `Taken by \`npm run bench\` on: ${showMachine(machine)}.\n\n`,
    line(titles),
    line(titles.map(() => "---")),
    ...measurements.map((measurement) => line(toRow(measurement))),
    `\nThe ratio is the median over pairs of runs, taken in turn.\n\n`,
    ...notes,
  ].join("");
}

const start = "<!-- bench:start -->";
const end = "<!-- bench:end -->";

/**
 * Puts the table between the marks of a document.
 * @throws StackyardError `invalid-input` when the document has no such marks.
 */
export async function writeInto(path: string, report: Report): Promise<void> {
  const text = await readFile(path, "utf8");
  const from = text.indexOf(start);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1) {
    throw new StackyardError("invalid-input", {
      message: `${path} has no place for the table`,
      field: "readme",
      remedy: `Write the lines ${start} and ${end} where it belongs.`,
    });
  }
  await writeFile(
    path,
    `${text.slice(0, from + start.length)}\n\n${renderMarkdown(report)}\n${text.slice(to)}`,
  );
}
