import type { Command } from "commander";
import type { Cloud } from "../../core/cloud.ts";
import { StackyardError } from "../../core/errors.ts";
import { isUuid } from "../../core/ids.ts";
import type { Definition } from "../../core/resource.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { absent } from "./view.ts";

/** Adds `journal RESOURCE`: the tasks of a resource and their steps. */
export function registerJournalCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("journal")
    .argument("<resource>", "id of a resource, of a removed one too; or type/name, such as server/web")
    .action(async (resource: string) => {
      await context.withCloud(async (cloud) => {
        const entries = await cloud.journal(await findId(cloud, resource, context.definitions));
        if (wantsJson(command)) {
          context.writeJson(
            entries.map(({ taskId, kind, state, step, phase, at, detail }) => ({
              taskId,
              kind,
              state,
              step,
              phase,
              at,
              detail: detail ?? null,
            })),
          );
          return;
        }
        context.writeTable(
          ["AT", "TASK", "KIND", "STATE", "STEP", "PHASE", "DETAIL"].map((title) => ({ title })),
          entries.map(({ taskId, kind, state, step, phase, at, detail }) => [
            at,
            taskId.slice(0, 8),
            kind,
            state,
            step,
            phase,
            detail ?? absent,
          ]),
        );
      });
    });
  addJsonOption(command);
  describeCommand(command, "show what was done to a resource: its tasks, step by step", [
    "journal server/my-server",
    "journal 6a1f0c1e-3f55-4b0e-9d0a-0a6f6f0d7c11 --json",
  ]);
}

async function findId(cloud: Cloud, resource: string, definitions: readonly Definition[]): Promise<string> {
  if (isUuid(resource)) return resource;
  const [type = "", ...name] = resource.split("/");
  if (name.length === 0 || !definitions.some((definition) => definition.type === type)) {
    throw new StackyardError("invalid-input", {
      message: "this names no resource",
      field: "resource",
      value: resource,
      remedy: "Give an id, or type/name such as server/web.",
    });
  }
  return (await cloud.find(type, name.join("/"))).id;
}
