import type { Command } from "commander";
import { addJsonOption, describeCommand } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { changeResource } from "./resource-change.ts";

/** Adds `reconcile TYPE NAME`: does what `drift` says that the next apply does. The same as `TYPE set NAME` without fields. */
export function registerReconcileCommand(program: Command, context: CommandContext): void {
  const types = context.definitions.map(({ type }) => type);
  const command = program
    .command("reconcile")
    .argument("<type>", `type of the resource: ${types.join(", ")}`)
    .argument("<id-or-name>", "the resource to repair")
    .option("--yes", "also make a repair that interrupts a running server")
    .option("--dry-run", "say what would be repaired, and repair nothing")
    .action(
      async (
        type: string,
        idOrName: string,
        { yes, dryRun }: { readonly yes?: true; readonly dryRun?: true },
      ) => {
        const definition =
          context.definitions.find((candidate) => candidate.type === type) ??
          command.error(`error: there is no type '${type}'`);
        await context.withCloud(async (cloud) => {
          const { id, record } = await cloud.find(type, idOrName);
          const options = { title: "reconcile", confirmed: yes === true, isDryRun: dryRun === true };
          const wanted = { definition, id, record, inputs: record.inputs };
          await changeResource(cloud, wanted, options, command, context);
        });
      },
    );
  addJsonOption(command);
  describeCommand(command, "repair what drifted of one resource, by its own declaration", [
    "reconcile server my-server",
    "reconcile server my-server --dry-run --json",
    "reconcile host my-host",
  ]);
}
