import type { Command } from "commander";
import type { PlacementAnswer } from "../../core/cloud.ts";
import { escapeLine } from "../../core/escape.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { exitCodes } from "./exit-codes.ts";
import { accumulateTexts, parseCount } from "./flags.ts";

interface ScheduleOptions {
  readonly flavor: string;
  readonly image?: string;
  readonly serverGroup?: string;
  readonly availabilityZone?: string;
  readonly hint?: Readonly<Record<string, string>>;
  readonly count: number;
  readonly explain?: true;
}

/** Adds `schedule`: where servers would go, and why. Nothing is placed. */
export function registerScheduleCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("schedule")
    .requiredOption("--flavor <flavor>", "size of the servers, by id or name")
    .option("--image <image>", "what they boot, by id or name")
    .option("--server-group <server-group>", "group that they would join, by id or name")
    .option("--availability-zone <text>", "zone whose hosts may take them")
    .option("--hint <key=value>", "scheduler hint, as Nova's; can be repeated", accumulateTexts)
    .option("--count <number>", "how many servers", parseCount, 1)
    .option("--explain", "also say what each filter removed and what each host weighs")
    .action(async ({ hint, explain, ...question }: ScheduleOptions) => {
      await context.withCloud(async (cloud) => {
        const answer = await cloud.explainPlacement({
          ...question,
          ...(hint === undefined ? {} : { hints: hint }),
        });
        const isPlaced = answer.selected.length > 0;
        if (!isPlaced) context.exitCode = exitCodes.error.code;
        if (wantsJson(command)) {
          context.writeJson(answer);
          return;
        }
        writeAnswer(answer, explain === true || !isPlaced, context);
      });
    });
  addJsonOption(command);
  describeCommand(command, "say where servers would be placed, and why; nothing is placed", [
    "schedule --flavor my-flavor --image my-image",
    "schedule --flavor my-flavor --count 3 --server-group my-group --explain",
    "schedule --flavor my-flavor --json",
  ]);
}

function writeAnswer(answer: PlacementAnswer, explained: boolean, context: CommandContext): void {
  if (answer.selected.length === 0) {
    context.writeText("no host can take them");
  } else {
    context.writeTable(
      [{ title: "SERVER" }, { title: "HOST" }],
      answer.selected.map((host, index) => [String(index + 1), host]),
    );
  }
  if (explained) context.writeText(answer.explanation.map((line) => `${escapeLine(line)}\n`).join(""));
}
