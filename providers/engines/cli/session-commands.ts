import type { Command } from "commander";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";

/** Adds `login` and `token flush`. */
export function registerSessionCommands(program: Command, context: CommandContext): void {
  registerLogin(program, context);
  const tokens = program.command("token");
  describeCommand(tokens, "look after the tokens of all users", ["token flush"]);
  registerFlush(tokens, context);
}

/** Every command logs in by itself; this one does nothing else, and takes its token back. */
function registerLogin(program: Command, context: CommandContext): void {
  const command = program.command("login").action(async () => {
    await context.withCloud((cloud) => cloud.revoke());
    if (wantsJson(command)) context.writeJson({ accepted: true });
    else context.writeText("the cloud accepts your credentials");
  });
  addJsonOption(command);
  describeCommand(command, "check the credentials of the environment against the cloud", [
    "login",
    "login --json",
  ]);
}

function registerFlush(tokens: Command, context: CommandContext): void {
  const command = tokens.command("flush").action(async () => {
    const flushed = await context.withCloud((cloud) => cloud.flushTokens());
    if (wantsJson(command)) context.writeJson({ flushed });
    else context.writeText(`deleted ${String(flushed)} expired tokens`);
  });
  addJsonOption(command);
  describeCommand(command, "delete expired tokens from the store", ["token flush", "token flush --json"]);
}
