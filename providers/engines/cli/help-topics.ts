import type { Command } from "commander";
import { describeCommand } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { exitCodes } from "./exit-codes.ts";

/** The table of exit codes, as `stackyard help exit-codes` prints it. */
function describeExitCodes(): string {
  const lines = Object.values(exitCodes).map(
    ({ code, meaning }) => `${String(code).padStart(4)}  ${meaning}`,
  );
  return `Exit codes:\n${lines.join("\n")}\n`;
}

/** Adds `help [topic...]`: help of any command, and the topic `exit-codes`. */
export function registerHelpCommand(program: Command, context: CommandContext): void {
  program.helpCommand(false);
  const command = program
    .command("help")
    .argument("[topic...]", "a command, such as: server create; or exit-codes")
    .action((topic: readonly string[]) => {
      if (topic.join(" ") === "exit-codes") {
        context.writeText(describeExitCodes());
        return;
      }
      findCommand(program, topic).outputHelp();
    });
  describeCommand(command, "show help of a command, or of a topic", [
    "help",
    "help server create",
    "help exit-codes",
  ]);
}

function findCommand(program: Command, path: readonly string[]): Command {
  return path.reduce((command, name) => {
    const next = command.commands.find((candidate) => candidate.name() === name);
    return next ?? command.error(`error: there is no help for '${path.join(" ")}'`);
  }, program);
}
