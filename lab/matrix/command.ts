import { mkdir, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { StackyardError } from "../../providers/core/errors.ts";
import { formatJson } from "../../providers/core/escape.ts";
import { exitCodeOf, exitCodes } from "../../providers/engines/cli/exit-codes.ts";
import { formatTable } from "../../providers/engines/cli/table.ts";
import { formatDuration } from "../../providers/engines/cli/text.ts";
import { runVerb } from "../verb.ts";
import { planCells } from "./cells.ts";
import type { CellGroup } from "./cells.ts";
import { writeJunit } from "./junit.ts";
import { summarize, writeMarkdown } from "./markdown.ts";
import { loadMatrix } from "./matrix-file.ts";
import type { Selection } from "./matrix-file.ts";
import { runMatrix } from "./run.ts";
import type { LabPort, MatrixResult } from "./run.ts";

interface MatrixFlags {
  readonly name?: string;
  readonly only?: readonly Selection[];
  readonly list?: true;
  readonly out?: string;
  readonly junit?: string;
  readonly markdown?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  stackyard lab matrix matrix.yaml --list                        its cells, in the order in which they would run
  stackyard lab matrix matrix.yaml --only storage=rbd            those of one value
  stackyard lab matrix matrix.yaml --junit junit.xml --markdown matrix.md --out logs`;

/** Adds `lab matrix`. */
export function registerMatrixCommand(lab: Command, labs: LabPort): void {
  lab
    .command("matrix <file>")
    .summary("run a command over topologies and versions")
    .description(
      "Runs a command over topologies and values of axes, each cell in the lab as it came up; exit code 1 when one did not pass.",
    )
    .option("--name <name>", 'name that its labs begin with; the file\'s, or "matrix"')
    .option("--only <axis=value>", "cells that have the value; repeatable", addSelection)
    .option("--list", "show the cells, and run nothing")
    .option("--out <folder>", "folder for the log of each cell; by default with the state of labs")
    .option("--junit <file>", "write a report as JUnit XML")
    .option("--markdown <file>", "write a report as Markdown")
    .option("--json", "write the result as JSON")
    .addHelpText("after", examples)
    .action(async (file: string, flags: MatrixFlags) => {
      const matrix = loadMatrix(file, flags.name);
      const groups = planCells(matrix, flags.only);
      if (flags.list === true) {
        process.stdout.write(
          flags.json === true ? `${formatJson(toJsonPlan(groups))}\n` : formatPlan(groups),
        );
        return;
      }
      for (const option of ["junit", "markdown"] as const) await requirePlace(`--${option}`, flags[option]);
      await requireFolder("--out", flags.out);
      const result = await runVerb(`lab matrix ${matrix.name}`, (options) =>
        runMatrix(matrix, groups, {
          ...options,
          labs,
          environment: process.env,
          logFolder: flags.out,
          now: Date.now,
        }),
      );
      if (flags.junit !== undefined) await writeFile(flags.junit, writeJunit(result, hostname()));
      if (flags.markdown !== undefined) await writeFile(flags.markdown, writeMarkdown(result));
      if (flags.json === true) {
        // It says what the error would: whoever reads JSON gets one document.
        process.stdout.write(`${formatJson(toJson(result))}\n`);
        process.exitCode = exitCodeOfResult(result);
        return;
      }
      process.stdout.write(formatResult(result));
      const error = errorOf(result);
      if (error !== undefined) throw error;
      process.exitCode = exitCodeOfResult(result);
    });
}

function addSelection(text: string, before: readonly Selection[] = []): readonly Selection[] {
  const [axis = "", ...rest] = text.split("=");
  if (axis === "" || rest.length === 0)
    throw new InvalidArgumentError("Write an axis and a value: storage=rbd.");
  return [...before, { [axis]: rest.join("=") }];
}

/** Refuses a report's file that could not be written when all has run. */
async function requirePlace(field: string, file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const folder = await stat(dirname(resolve(file))).catch(() => undefined);
  const there = await stat(file).catch(() => undefined);
  if (folder?.isDirectory() === true && there?.isDirectory() !== true) return;
  throw new StackyardError("invalid-input", {
    message: "the report cannot be written there",
    field,
    value: file,
    remedy: "Name a file in a folder that is there.",
  });
}

/** Makes the folder, where it is not there. Raises `invalid-input` where it cannot be made. */
async function requireFolder(field: string, folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new StackyardError("invalid-input", {
      message: "the folder cannot be made",
      field,
      value: folder,
      remedy: "Name a folder, or where one can be made.",
      cause,
    });
  }
}

/** What the table of the results does not say: `command-failed` for a lab that is left, and `interrupted`. */
function errorOf({ name, interrupted, leftLabs }: MatrixResult): StackyardError | undefined {
  const [left] = leftLabs;
  if (left !== undefined) {
    return new StackyardError("command-failed", {
      message: `lab "${left.lab}" of the matrix is still there`,
      remedy: `Take it down: stackyard lab down --name ${left.lab}. The next run of the matrix would, too.`,
      notes: leftLabs.map(({ reason }) => reason),
    });
  }
  if (!interrupted) return undefined;
  return new StackyardError("interrupted", {
    message: `matrix "${name}" was interrupted`,
    remedy: "Nothing is left of it. Run it again; --only AXIS=VALUE leaves out what has passed.",
  });
}

function exitCodeOfResult(result: MatrixResult): number {
  const error = errorOf(result);
  if (error !== undefined) return exitCodeOf(error);
  return result.results.every(({ outcome }) => outcome === "passed")
    ? exitCodes.ok.code
    : exitCodes.error.code;
}

/** The plan as `--list --json` prints it. Keys are part of the interface. */
function toJsonPlan(groups: readonly CellGroup[]): readonly object[] {
  return groups.flatMap(({ topology, cells }) =>
    cells.map(({ name, topology: key, values }) => ({
      cell: name,
      topology: key,
      values,
      lab: topology.name,
    })),
  );
}

function formatPlan(groups: readonly CellGroup[]): string {
  const rows = groups.flatMap(({ topology, cells }) =>
    cells.map(({ name }) => [name, topology.name, topology.driver, String(topology.hosts.length)]),
  );
  return formatTable(
    ["CELL", "LAB", "DRIVER", "HOSTS"].map((title) => ({ title })),
    rows,
  );
}

/** The result as `--json` prints it. Keys are part of the interface. */
function toJson(result: MatrixResult): object {
  return {
    name: result.name,
    startedAt: result.startedAt.toISOString(),
    durationMs: result.durationMs,
    interrupted: result.interrupted,
    cells: result.results.map(({ cell, lab, outcome, reason, exitCode, durationMs, logFile }) => ({
      cell: cell.name,
      topology: cell.topology,
      values: cell.values,
      lab,
      outcome,
      reason,
      exitCode,
      durationMs,
      logFile,
    })),
    leftLabs: result.leftLabs,
  };
}

function formatResult(result: MatrixResult): string {
  const rows = result.results.map(({ cell, outcome, durationMs, reason, logFile }) => [
    cell.name,
    outcome,
    logFile === null ? "-" : formatDuration(durationMs),
    (reason ?? "-").split("\n")[0] ?? "",
  ]);
  const log = result.results.find(({ logFile }) => logFile !== null)?.logFile;
  return [
    formatTable(
      ["CELL", "RESULT", "TIME", "WHY"].map((title) => ({ title })),
      rows,
    ),
    `\n${summarize(result)} in ${formatDuration(result.durationMs)}\n`,
    log === undefined || log === null ? "" : `logs in ${dirname(log)}\n`,
  ].join("");
}
