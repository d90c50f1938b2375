import type { Command } from "commander";
import type { Leftover } from "../../core/cloud.ts";
import { describeWaysOut } from "./interruption.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";

/** Adds `gc`: lists, and with `--yes` removes, what carries the cloud's mark and no record owns. */
export function registerGcCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("gc")
    .option("--yes", "remove what is listed")
    .action(async (options: { readonly yes?: true }) => {
      await context.withCloud(async (cloud) => {
        const leftovers = await context.withProgress("gc", (onProgress) => {
          onProgress("asking the hosts");
          return cloud.listLeftovers(context.signal);
        });
        if (options.yes === true) {
          await context.withProgress("gc", async (onProgress) => {
            for (const leftover of leftovers) {
              onProgress(`removing ${leftover.kind} ${leftover.id} on ${leftover.host}`);
              await cloud.removeLeftover(leftover, context.signal);
            }
          });
        }
        writeLeftovers(leftovers, options.yes === true, wantsJson(command), context);
      });
    });
  addJsonOption(command);
  describeCommand(
    command,
    "list what no record owns: on hosts and in the store, with this cloud's mark only; remove it with --yes",
    ["gc", "gc --yes", "gc --json"],
  );
}

function writeLeftovers(
  leftovers: readonly Leftover[],
  removed: boolean,
  asJson: boolean,
  context: CommandContext,
): void {
  if (asJson) {
    context.writeJson(
      leftovers.map(({ host, kind, id, description }) => ({ host, kind, id, description, removed })),
    );
    return;
  }
  if (leftovers.length === 0) {
    context.writeText("nothing is left over");
    return;
  }
  context.writeTable(
    [{ title: "HOST" }, { title: "KIND" }, { title: "ID", whole: true }, { title: "DESCRIPTION" }],
    leftovers.map(({ host, kind, id, description }) => [host, kind, id, description]),
  );
  if (removed) {
    context.note("all of it was removed");
    return;
  }
  for (const { description, interruption } of leftovers) {
    if (interruption !== undefined) context.note(`${description}; ${describeWaysOut(interruption)}`);
  }
  context.note("remove all of it with: stackyard gc --yes");
}
