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
 * The table with what a run of some parts found: its rows and notes take the places of those of the same names, others come last, and a line tells
 * what machine they are of.
 */
export function mergeMarkdown(before: string, report: Report, parts: readonly string[]): string {
  const named = `The rows of ${parts.map((part) => `\`${part}\``).join(", ")} are of a run on: `;
  const table = readTable(before);
  const fresh = readTable(renderMarkdown(report));
  const head = table.head
    .filter((line) => !line.startsWith(named))
    .concat(`${named}${showMachine(report.machine)}.`);
  const notesOf = (name: string): string => `- _${name}_: `;
  const names = report.measurements.map(({ name }) => name);
  const kept = table.notes.filter((note) => !names.some((name) => note.startsWith(notesOf(name))));
  const lines = [
    ...head.flatMap((line) => [line, ""]),
    ...fresh.titles,
    ...replaceRows(table.rows, fresh.rows),
    "",
    ...fresh.middle,
    "",
    ...kept,
    ...fresh.notes,
  ];
  return `${lines.join("\n")}\n`;
}

/** Lines of what {@link renderMarkdown} wrote; none is empty. */
function readTable(
  text: string,
): Readonly<Record<"head" | "titles" | "rows" | "middle" | "notes", readonly string[]>> {
  const lines = text.split("\n").filter((line) => line !== "");
  const cells = lines.filter((line) => line.startsWith("|"));
  const from = lines.findIndex((line) => line.startsWith("|"));
  const rest = lines.slice(from + cells.length);
  return {
    head: lines.slice(0, from),
    titles: cells.slice(0, 2),
    rows: cells.slice(2),
    middle: rest.filter((line) => !line.startsWith("- ")),
    notes: rest.filter((line) => line.startsWith("- ")),
  };
}

function replaceRows(rows: readonly string[], fresh: readonly string[]): readonly string[] {
  const nameOf = (row: string): string => row.split(" | ")[0] ?? row;
  const find = (among: readonly string[], row: string): string | undefined =>
    among.find((other) => nameOf(other) === nameOf(row));
  return [
    ...rows.map((row) => find(fresh, row) ?? row),
    ...fresh.filter((row) => find(rows, row) === undefined),
  ];
}

/**
 * Puts the table between the marks of a document. `parts`: those that ran, where not all did; the rows of others stay.
 * @throws StackyardError `invalid-input` when the document has no such marks.
 */
export async function writeInto(path: string, report: Report, parts?: readonly string[]): Promise<void> {
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
  const before = text.slice(from + start.length, to);
  const table =
    parts === undefined || before.trim() === ""
      ? renderMarkdown(report)
      : mergeMarkdown(before, report, parts);
  await writeFile(path, `${text.slice(0, from + start.length)}\n\n${table}\n${text.slice(to)}`);
}
