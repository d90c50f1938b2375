import type { Command } from "commander";
import { toKebabCase } from "./text.ts";
import type { Flag } from "./flags.ts";

/** Gives a command its summary and examples. Each example is what follows `stackyard` on the command line. */
export function describeCommand(command: Command, summary: string, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  stackyard ${example}`);
  return command
    .summary(summary)
    .description(summary)
    .addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** Adds `--json`. */
export function addJsonOption(command: Command): Command {
  return command.option("--json", "print JSON");
}

/** Whether `--json` was given. */
export function wantsJson(command: Command): boolean {
  return command.getOptionValue("json") === true;
}

/** Flags with sample values, as an example shows them. */
export function writeExampleFlags(flags: readonly Flag[]): string {
  return flags.map((flag) => [`--${flag.name}`, ...sampleValues(flag)].join(" ")).join(" ");
}

function sampleValues(flag: Flag): readonly string[] {
  if (flag.secret) return ["-"];
  if (flag.references !== undefined) return [`my-${flag.references}`];
  switch (flag.kind.kind) {
    case "text":
      return [
        toKebabCase(flag.path)
          .toUpperCase()
          .replaceAll(/[^A-Z]+/g, "_"),
      ];
    case "choice":
      return flag.kind.values.slice(0, 1);
    case "number":
      return ["1"];
    case "switch":
      return [];
    case "map":
    case "object":
    case "list":
      return ["KEY=VALUE"];
    case "json":
      return ["JSON"];
  }
}
