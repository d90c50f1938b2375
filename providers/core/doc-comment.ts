/** Longest line of a comment, in characters. */
const maxLineChars = 108;

/** The text of a doc comment for generated code, each paragraph wrapped on its own and indented. Nothing for no paragraph. */
export function printComment(paragraphs: readonly string[], indent: string): string {
  if (paragraphs.length === 0) return "";
  const safe = paragraphs.map((text) => text.replaceAll("*/", "*\\/"));
  const [only] = safe;
  if (only !== undefined && safe.length === 1 && indent.length + only.length + 7 <= maxLineChars) {
    return `${indent}/** ${only} */\n`;
  }
  const lines = safe.flatMap((text) => wrap(text, maxLineChars - indent.length - 3));
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`), `${indent} */\n`].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
