import { StackyardError } from "../core/errors.ts";

/** Text for a POSIX shell that only {@link sh} and the combinators of this file can make. */
class ShellText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** What the shell is given. Holds no secret: secrets go by standard input. */
  get text(): string {
    return this.#text;
  }
}

/** A command or script for a POSIX shell. No way leads here from a plain string. */
export type Shell = ShellText;

/** What a placeholder takes: a value becomes one quoted word, a list several, a {@link Shell} itself. */
export type ShellValue = string | number | Shell | readonly string[];

/** Template literals whose placeholders are known to stand where quoting holds. */
const checkedTemplates = new WeakSet<TemplateStringsArray>();

/**
 * Makes a command from a template literal: ``sh`qemu-img create -f qcow2 ${path}` ``. Each placeholder is quoted, so that no value can
 * end its word; a list gives one word an entry, an empty list none. The text is taken raw: a backslash is the shell's.
 *
 * A value that starts with `-` is still an option to the command: write `--` before it where it can.
 *
 * Raises `invalid-input` for a value with a NUL or a lone surrogate, which no argument can carry; a TypeError for a template that is not a
 * literal, or whose placeholder stands inside quotes, a comment or a here-document, where quoting would not hold.
 */
export function sh(template: TemplateStringsArray, ...values: readonly ShellValue[]): Shell {
  if (!checkedTemplates.has(template)) {
    checkTemplate(template);
    checkedTemplates.add(template);
  }
  const text = template.raw.map((literal, index) => {
    const value = values[index];
    return value === undefined ? literal : literal + renderValue(value);
  });
  return new ShellText(text.join(""));
}

/** One script of several commands that stops at the first that fails (`set -eu`). */
export function script(...commands: readonly Shell[]): Shell {
  return new ShellText(["set -eu", ...commands.map((command) => command.text)].join("\n"));
}

/** Whether `value` was made here, so that a look-alike from parsed JSON is refused. */
function isShell(value: unknown): value is Shell {
  return value instanceof ShellText;
}

function renderValue(value: ShellValue): string {
  if (isShell(value)) return value.text;
  if (typeof value === "string") return quote(value);
  if (typeof value === "number") return quote(renderNumber(value));
  return value.map(quote).join(" ");
}

function renderNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`A placeholder of sh takes finite numbers, not ${value}.`);
  return String(value);
}

/** Single quotes keep every character but themselves (POSIX 2.2.2). */
function quote(value: string): string {
  if (value.includes("\0") || !value.isWellFormed()) {
    throw new StackyardError("invalid-input", {
      message: "A value for a command on a host holds a NUL character or a broken UTF-16 sequence",
      value,
      remedy: "Remove the character.",
    });
  }
  return `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

type Context = "plain" | "double" | "single" | "comment";

/** Walks the literal text of a template and refuses each place where a quoted word would not be one word. */
function checkTemplate(template: TemplateStringsArray): void {
  if (!Object.hasOwn(template, "raw") || !Object.isFrozen(template)) {
    throw new TypeError("sh is a template tag: its text must be a literal, never a string made elsewhere.");
  }
  const contexts: Context[] = ["plain"];
  template.raw.forEach((literal, index) => {
    const before = index === 0 ? "\n" : "'";
    walk(literal, before, contexts);
    const context = contexts.at(-1);
    if (index < template.raw.length - 1 && context !== "plain" && context !== undefined) {
      throw new TypeError(
        `A placeholder stands inside a ${describe(context)}: sh\`${template.raw.join("${…}")}\``,
      );
    }
  });
  const last = contexts.at(-1);
  if (contexts.length > 1 && last !== "comment") {
    throw new TypeError(`Quotes or parentheses are not closed: sh\`${template.raw.join("${…}")}\``);
  }
}

function describe(context: Exclude<Context, "plain">): string {
  switch (context) {
    case "comment":
      return "comment, which a newline in the value would end";
    case "double":
    case "single":
      return `${context}-quoted string; placeholders bring their own quotes`;
  }
}

function walk(literal: string, before: string, contexts: Context[]): void {
  let previous = before;
  for (let at = 0; at < literal.length; at++) {
    const character = literal.charAt(at);
    const context = contexts.at(-1) ?? "plain";
    if (character === "\\" && context !== "single" && context !== "comment") at++;
    else if (context === "single") closeOn(character === "'", contexts);
    else if (context === "comment") closeOn(character === "\n", contexts);
    else if (context === "plain" && literal.startsWith("<<", at)) {
      throw new TypeError("sh refuses here-documents: use standard input.");
    } else if (character === "$" && literal.charAt(at + 1) === "(") {
      contexts.push("plain");
      at++;
    } else if (character === '"') {
      if (context === "double") contexts.pop();
      else contexts.push("double");
    } else if (context === "plain") openPlain(character, previous, contexts);
    previous = literal.charAt(at);
  }
}

function openPlain(character: string, previous: string, contexts: Context[]): void {
  if (character === "'") contexts.push("single");
  else if (character === "(") contexts.push("plain");
  else if (character === ")" && contexts.length > 1) contexts.pop();
  else if (character === "#" && /[\s;&|()]/.test(previous)) contexts.push("comment");
}

function closeOn(ends: boolean, contexts: Context[]): void {
  if (ends) contexts.pop();
}
