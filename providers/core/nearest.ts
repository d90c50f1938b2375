/** How many names are worth a reader's while. */
const shownNames = 3;

/** The few of `known` that are most like `name`, the likest first: what somebody may have meant who wrote it. */
export function listNearest(name: string, known: readonly string[]): readonly string[] {
  return known
    .map((candidate) => ({ candidate, edits: countEdits(name.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.edits - b.edits)
    .slice(0, shownNames)
    .map(({ candidate }) => candidate);
}

/** Longest part of a name that is compared: the time grows with the square of it, and names come from outside. */
const maxComparedChars = 64;

/** Levenshtein's distance: characters to insert, delete or change. */
function countEdits(from: string, to: string): number {
  const target = to.slice(0, maxComparedChars).split("");
  let row = [0, ...target.map((_, index) => index + 1)];
  for (const [index, character] of from.slice(0, maxComparedChars).split("").entries()) {
    const next = [index + 1];
    for (const [column, wanted] of target.entries()) {
      const changed = (row[column] ?? 0) + (character === wanted ? 0 : 1);
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
