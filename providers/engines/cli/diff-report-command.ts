import { writeFile } from "node:fs/promises";
import { InvalidArgumentError, Option, type Command } from "commander";
import { StackyardError } from "../../core/errors.ts";
import { escapeMarkdown } from "../../core/escape.ts";
import type { JsonValue } from "../../core/json.ts";
import { addJsonOption, describeCommand, wantsJson } from "./command-help.ts";
import type { CommandContext } from "./context.ts";
import { diffFormats, readDiffs, type DiffFormat, type ResourceDiff } from "./diff-sources.ts";
import { formatValue } from "./view.ts";

/** What a report can fail on: labels, and the removal of a resource. */
const failureKinds = ["reboot", "restart", "replace", "data-loss", "delete"] as const;
type FailureKind = (typeof failureKinds)[number];

/** Something is in the report that it was to fail on. */
const unexpectedExitCode = 3;
/** Rows of a report, and characters of a value: GitHub takes comments of 65,536 characters. */
const maxRows = 150;
const maxFields = 8;
const maxValueChars = 60;

interface ReportOptions {
  readonly format?: DiffFormat;
  readonly out?: string;
  readonly failOn: readonly FailureKind[];
  readonly allow: readonly string[];
}

/** Adds `diff-report FILE`: a preview or a plan as Markdown, for a comment on a pull request. Needs no cloud. */
export function registerDiffReportCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("diff-report")
    .argument(
      "<file>",
      "what pulumi preview --json, terraform show -json PLAN, or stackyard preview or drift --json printed; - is standard input",
    )
    .addOption(
      new Option("--format <format>", "what wrote the file; default: told by its content").choices(
        diffFormats,
      ),
    )
    .option("--out <file>", "write the report there; default: standard output")
    .addOption(
      new Option("--fail-on <kinds>", `end with 3 when one of these is in it: ${failureKinds.join(", ")}`)
        .argParser(parseKinds)
        .default(["replace", "data-loss"] satisfies FailureKind[], "replace,data-loss"),
    )
    .addOption(
      new Option(
        "--allow <address>",
        "a resource that may: Pulumi's URN or Server.web, Terraform's address, or server/web; repeated",
      )
        .argParser((address: string, before: readonly string[]) => [...before, address])
        .default([]),
    )
    .action(async (path: string, { format, out, failOn, allow }: ReportOptions) => {
      const document = parseDocument(await context.readText(path, "FILE"), path);
      const diffs = readDiffs(document, format, context.definitions);
      const isUnexpected = (diff: ResourceDiff): boolean =>
        failsOn(diff, failOn) && !diff.addresses.some((address) => allow.includes(address));
      const unexpected = diffs.filter(isUnexpected);
      const report = writeReport(diffs, unexpected);
      if (out !== undefined) await writeFile(out, report);
      if (wantsJson(command)) {
        context.writeJson(
          diffs.map((diff) => ({ ...toJsonDiff(diff), unexpected: unexpected.includes(diff) })),
        );
      } else if (out === undefined) context.writeText(report);
      for (const { name, action, label } of unexpected)
        context.note(`not expected: ${name}: ${label ?? action}`);
      if (unexpected.length > 0) context.exitCode = unexpectedExitCode;
    });
  addJsonOption(command);
  describeCommand(command, "write a preview or a plan as a Markdown table of resources and labels", [
    "diff-report preview.json",
    "diff-report plan.json --format terraform --out comment.md",
    "diff-report preview.json --fail-on restart,replace,data-loss --allow Server.web",
  ]);
}

/** A row as `--json` prints it. Keys and their order are part of the interface. */
function toJsonDiff({ name, addresses, action, label, changes }: ResourceDiff): object {
  return {
    resource: name,
    address: addresses[0] ?? null,
    action,
    label: label ?? null,
    changes: changes.map(({ field, from, to }) => ({ field, from, to })),
  };
}

function parseKinds(text: string): readonly FailureKind[] {
  return text
    .split(",")
    .filter((word) => word !== "")
    .map((word) => {
      const kind = failureKinds.find((candidate) => candidate === word);
      if (kind === undefined) throw new InvalidArgumentError(`They are of ${failureKinds.join(", ")}.`);
      return kind;
    });
}

function parseDocument(text: string, path: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new StackyardError("invalid-input", {
      message: "the file does not hold JSON",
      field: "FILE",
      value: path,
      remedy: "Give it the whole output of the engine, and nothing else.",
      cause,
    });
  }
}

/** Drift of another engine's eyes is no plan: its repair counts as what it does. */
function failsOn({ action, label }: ResourceDiff, kinds: readonly FailureKind[]): boolean {
  return kinds.some((kind) => kind === (action === "delete" ? action : label));
}

/** The report. What comes from the file is escaped: names are the user's, and values may be a host's. */
function writeReport(diffs: readonly ResourceDiff[], unexpected: readonly ResourceDiff[]): string {
  if (diffs.length === 0) return "### Stackyard: nothing changes\n";
  const rows = [...unexpected, ...diffs.filter((diff) => !unexpected.includes(diff))];
  const more = rows.length - maxRows;
  return [
    `### Stackyard: ${summarize(diffs)}`,
    "",
    "| resource | action | label | changes |",
    "| --- | --- | --- | --- |",
    ...rows.slice(0, maxRows).map((diff) => writeRow(diff, unexpected.includes(diff))),
    ...(more > 0 ? ["", `And ${String(more)} more.`] : []),
    ...(unexpected.length === 0
      ? []
      : [
          "",
          `**Not expected:** ${unexpected
            .slice(0, maxRows)
            .map(({ name }) => escapeMarkdown(name))
            .join(", ")}.`,
        ]),
    "",
  ].join("\n");
}

const verbs: Readonly<Record<ResourceDiff["action"], string>> = {
  create: "to create",
  update: "to update",
  replace: "to replace",
  delete: "to delete",
  drift: "drifted",
};

function summarize(diffs: readonly ResourceDiff[]): string {
  const counts = Map.groupBy(diffs, ({ action }) => action);
  return [...counts].map(([action, { length }]) => `${String(length)} ${verbs[action]}`).join(", ");
}

function writeRow({ name, action, label, changes }: ResourceDiff, isUnexpected: boolean): string {
  const fields = changes
    .slice(0, maxFields)
    .map(({ field, from, to }) => `${escapeMarkdown(field)}: ${writeValue(from)} → ${writeValue(to)}`);
  const more = changes.length > maxFields ? [`and ${String(changes.length - maxFields)} more`] : [];
  const shown = label === undefined ? "" : isUnexpected ? `**${label}**` : label;
  return `| ${escapeMarkdown(name)} | ${action} | ${shown} | ${[...fields, ...more].join("<br>")} |`;
}

function writeValue(value: JsonValue): string {
  const text = formatValue(value, new Map());
  return escapeMarkdown(text.length <= maxValueChars ? text : `${text.slice(0, maxValueChars)}…`);
}
