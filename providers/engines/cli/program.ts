import { Command } from "commander";
import { escapeLines } from "../../core/escape.ts";
import { registerAdoptCommand } from "./adopt-command.ts";
import { registerCompletionCommand } from "./completion.ts";
import type { CommandContext } from "./context.ts";
import { registerDiffReportCommand } from "./diff-report-command.ts";
import { registerDriftCommand } from "./drift-command.ts";
import { registerGcCommand } from "./gc-command.ts";
import { registerGuestSshCommand } from "./guest-ssh-command.ts";
import { registerHelpCommand } from "./help-topics.ts";
import { registerJournalCommand } from "./journal-command.ts";
import { registerPreviewCommand } from "./preview-command.ts";
import { registerReconcileCommand } from "./reconcile-command.ts";
import { registerResourceCommands } from "./resource-commands.ts";
import { registerScheduleCommand } from "./schedule-command.ts";
import { registerSessionCommands } from "./session-commands.ts";
import { registerTraceCommand } from "./trace-command.ts";
import { registerVerifyCommand } from "./verify-command.ts";

/** A top-level command that is no part of this engine, loaded only when it is wanted. */
export interface CommandExtension {
  readonly name: string;
  readonly summary: string;
  register(program: Command, context: CommandContext): Promise<void> | void;
}

/** Commands whose answer depends on every other command. */
const needsAll = ["help", "completion"];

/**
 * The whole command line. Extensions that `words` do not ask for stand in the help by their summary only, so that their modules
 * need not be loaded.
 */
export async function createProgram(
  context: CommandContext,
  words: readonly string[],
  extensions: readonly CommandExtension[],
): Promise<Command> {
  const { stdout, stderr } = context.surroundings;
  const asJson = words.includes("--json");
  const program = new Command("stackyard")
    .description(
      "KVM clouds as code. Commands for resources are the same for each type; see stackyard TYPE --help.",
    )
    .version(context.surroundings.version)
    .exitOverride()
    .showHelpAfterError("(see --help)")
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => {
        if (!asJson) stderr.write(escapeLines(text));
      },
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
    })
    .addHelpText(
      "after",
      "\nExamples:\n  stackyard server list\n  stackyard server show my-server --json\n  stackyard trace my-server\n  stackyard help exit-codes",
    );
  const groups = registerResourceCommands(program, context);
  const servers = groups.get("server");
  if (servers !== undefined) {
    registerAdoptCommand(servers, context);
    registerGuestSshCommand(servers, context);
  }
  const volumes = groups.get("volume");
  if (volumes !== undefined) registerVerifyCommand(volumes, context);
  registerTraceCommand(program, context);
  registerScheduleCommand(program, context);
  registerJournalCommand(program, context);
  registerDriftCommand(program, context);
  registerReconcileCommand(program, context);
  registerPreviewCommand(program, context);
  registerDiffReportCommand(program, context);
  registerGcCommand(program, context);
  registerSessionCommands(program, context);
  const wanted = words.find((word) => !word.startsWith("-"));
  for (const extension of extensions) {
    if (wanted === extension.name || (wanted !== undefined && needsAll.includes(wanted)))
      await extension.register(program, context);
    else program.command(extension.name).description(extension.summary);
  }
  registerCompletionCommand(program, context);
  registerHelpCommand(program, context);
  return program;
}
