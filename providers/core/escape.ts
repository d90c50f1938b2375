/** Characters that a terminal acts on or that reorder text: controls, format characters, line separators, lone surrogates. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The same, line feed aside. */
const unprintableInLines = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const shortEscapes = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/** One line of text that is safe on a terminal: what is unprintable shows as an escape (`\n`, `\u001b`). */
export function escapeLine(text: string): string {
  return text.replace(unprintable, escapeCharacter);
}

/** Text of several lines that is safe on a terminal: as {@link escapeLine}, but line feeds stay and tabs become blanks. */
export function escapeLines(text: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll("\t", "    ").replace(unprintableInLines, escapeCharacter);
}

/**
 * One line of text that Markdown takes for nothing but itself: every character that could begin a mark, a link, a mention or a cell is written
 * as its number (CommonMark 2.5).
 */
export function escapeMarkdown(text: string): string {
  return escapeLine(text)
    .replaceAll(/[^\p{L}\p{N} .,;=→…/-]/gu, (character) => `&#${String(character.codePointAt(0))};`)
    .replaceAll("www.", "www&#46;");
}

/** JSON text of a value, indented by two; safe on a terminal, and still the same value when parsed. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(unprintableInLines, escapeCodeUnits);
}

function escapeCharacter(character: string): string {
  return shortEscapes.get(character) ?? escapeCodeUnits(character);
}

function escapeCodeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
  ).join("");
}
