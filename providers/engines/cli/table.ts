import stringWidth from "string-width";
import { escapeLine } from "../../core/escape.ts";

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Never cut, however narrow the terminal: ids are there to be copied. */
  readonly whole?: boolean;
}

const gap = "  ";

/** What cutting leaves of a column at least, in terminal cells. */
const narrowestColumn = 8;

/**
 * Rows under a line of titles, columns aligned. Cells are escaped, so that no value can steer the terminal, and measured in
 * terminal cells, so that wide and combining characters line up. When `maxWidth` (terminal cells) is given, the widest columns
 * are cut until a row fits.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  maxWidth?: number,
): string {
  const cells = [columns.map((column) => column.title), ...rows.map((row) => row.map(escapeLine))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => stringWidth(row[index] ?? ""))));
  const fitted = maxWidth === undefined ? widths : narrowColumns(columns, widths, maxWidth);
  return cells
    .map((row) =>
      fitted
        .map((width, index) => fit(row[index] ?? "", width))
        .join(gap)
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

function narrowColumns(
  columns: readonly Column[],
  widths: readonly number[],
  maxWidth: number,
): readonly number[] {
  const narrowed = [...widths];
  const available = maxWidth - gap.length * (columns.length - 1);
  for (let excess = sum(narrowed) - available; excess > 0; excess--) {
    const widest = narrowed.reduce(
      (best, width, index) =>
        columns[index]?.whole !== true && width > narrowestColumn && width > (narrowed[best] ?? 0)
          ? index
          : best,
      -1,
    );
    if (widest === -1) break;
    narrowed[widest] = (narrowed[widest] ?? 0) - 1;
  }
  return narrowed;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Pads or cuts text to exactly `width` terminal cells. */
function fit(text: string, width: number): string {
  const fitting = cutToWidth(text, width);
  return fitting + " ".repeat(width - stringWidth(fitting));
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Text of one line in at most `width` terminal cells; what is cut off shows as `…`. */
export function cutToWidth(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const next = used + stringWidth(segment);
    if (next > width - 1) break;
    kept += segment;
    used = next;
  }
  return `${kept}…`;
}
