import { CommanderError } from "commander";
import { describeError, encodeError, StackyardError, toStackyardError } from "../../core/errors.ts";
import { formatJson } from "../../core/escape.ts";
import { CommandContext, type Surroundings } from "./context.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { createProgram, type CommandExtension } from "./program.ts";

/** Runs one command line (without node and script). Never throws: errors are printed, and the exit code tells. */
export async function runCommandLine(
  words: readonly string[],
  surroundings: Surroundings,
  extensions: readonly CommandExtension[] = [],
): Promise<number> {
  const context = new CommandContext(surroundings);
  try {
    const program = await createProgram(context, words, extensions);
    await program.parseAsync(words, { from: "user" });
    return context.exitCode;
  } catch (error) {
    // An interrupted step may fail in its own words; what the user did is the better reason.
    const shown =
      surroundings.signal.aborted && !(error instanceof CommanderError) ? interruption(error) : error;
    report(shown, asksForJson(words), surroundings);
    return exitCodeOf(shown);
  }
}

function interruption(cause: unknown): StackyardError {
  return cause instanceof StackyardError && cause.code === "interrupted"
    ? cause
    : new StackyardError("interrupted", { message: "the command was interrupted", cause });
}

/** Also right for a command line that cannot be parsed. */
function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return words.slice(0, end === -1 ? words.length : end).includes("--json");
}

/** JSON errors go to standard output, where the result would be: whoever reads JSON gets one document in any case. */
function report(error: unknown, asJson: boolean, { stdout, stderr }: Surroundings): void {
  // Commander has printed help, version, and in text what is wrong with the command line.
  if (error instanceof CommanderError && (error.exitCode === 0 || !asJson)) return;
  const shown =
    error instanceof CommanderError ? toUsageError(error) : toStackyardError(error, "the command");
  if (asJson) stdout.write(`${formatJson({ error: { ...absentKeys, ...encodeError(shown) } })}\n`);
  else stderr.write(`${describeError(shown)}\n`);
}

/** Keys that an error has in any case, in their order. */
const absentKeys = { code: null, message: null, field: null, value: null };

function toUsageError(error: CommanderError): StackyardError {
  return new StackyardError("invalid-input", {
    message: error.message.replace(/^error: /, ""),
    remedy: "See the help of the command: stackyard help COMMAND",
  });
}
