import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describeError, hasCode, StackyardError } from "../../providers/core/errors.ts";
import { escapeLines } from "../../providers/core/escape.ts";
import type { LabFinding } from "../check.ts";
import type { LabOptions } from "../driver.ts";
import { readEnd } from "../file-end.ts";
import { withLock } from "../lock.ts";
import { findOnPath, isExecutable } from "../setup/program.ts";
import { makeFolder } from "../state-files.ts";
import type { Topology } from "../topology.ts";
import { endRun, runCellCommand } from "./cell-command.ts";
import type { CommandEnd } from "./cell-command.ts";
import type { Cell, CellGroup } from "./cells.ts";
import type { Matrix } from "./matrix-file.ts";
import { findRecord, matrixFiles, removeRecord, writeRecord } from "./record.ts";
import type { MatrixRecord } from "./record.ts";

/** What a matrix needs of labs. Errors are those of `lab/lab.ts`. */
export interface LabPort {
  exists(name: string): boolean;
  /** What labs of the topology need of this machine. */
  check(topology: Topology): Promise<readonly LabFinding[]>;
  bringUp(topology: Topology, options: LabOptions): Promise<{ readonly inventoryFile: string }>;
  /** Of a lab that has a record, or none. */
  tearDown(name: string, options: LabOptions): Promise<unknown>;
  canSnapshot(name: string): boolean;
  takeSnapshot(name: string, snapshot: string, options: LabOptions): Promise<unknown>;
  restoreSnapshot(name: string, snapshot: string, options: LabOptions): Promise<unknown>;
}

/** `failed`: the command did not end with 0, or not in time. `error`: the lab was not there for it. `skipped`: it was not run. */
export type CellOutcome = "passed" | "failed" | "error" | "skipped";

/** What became of a cell. */
export interface CellResult {
  readonly cell: Cell;
  /** Name of its lab. */
  readonly lab: string;
  readonly outcome: CellOutcome;
  /** Why it did not pass, of one or several lines; null where it did. */
  readonly reason: string | null;
  /** Null where the command was ended, or not run. */
  readonly exitCode: number | null;
  /** Of the command alone. */
  readonly durationMs: number;
  /** All that the command said; null where it was not run. */
  readonly logFile: string | null;
  /** The end of it. */
  readonly tail: string;
}

/** What became of a matrix. */
export interface MatrixResult {
  readonly name: string;
  readonly startedAt: Date;
  readonly durationMs: number;
  /** In the order in which they ran. */
  readonly results: readonly CellResult[];
  /** Labs that could not be taken down, and why. */
  readonly leftLabs: readonly { readonly lab: string; readonly reason: string }[];
  readonly interrupted: boolean;
}

/** How a matrix is run. */
export interface MatrixOptions extends LabOptions {
  readonly labs: LabPort;
  /** The environment of the commands, before what the matrix sets. */
  readonly environment: NodeJS.ProcessEnv;
  /** Folder for the log of each cell; by default in the state folder of the matrix, made anew by each run. */
  readonly logFolder?: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** As {@link runCellCommand} has it. */
  readonly graceMs?: number;
}

/** Name of the snapshot that the cells of a topology begin with. */
const snapshot = "matrix";

/** What is read of the end of a log, in bytes. */
const tailBytes = 16 * 1024;

/**
 * Runs the command of a matrix in each of its cells. The cells of a topology share a lab, which each finds as it came up: from a snapshot, or, where its driver
 * keeps none, as a new one. Labs go in any case, and what a killed run has left goes first.
 * @throws StackyardError before anything is made: `invalid-input` when there is no such program, `conflict` for a lab of the name that the matrix
 * has not made, `host-unsuitable` when this machine cannot carry a topology, `wrong-state` while another run of the matrix is at it.
 */
export async function runMatrix(
  matrix: Matrix,
  groups: readonly CellGroup[],
  options: MatrixOptions,
): Promise<MatrixResult> {
  await requireProgram(matrix, options.environment);
  const files = matrixFiles(matrix.name);
  return alone(files.folder, async () => {
    await removeRemains(matrix.name, options);
    await requireRoom(groups, options.labs);
    if (options.logFolder === undefined) await rm(files.logs, { recursive: true, force: true });
    const logFolder = resolve(options.logFolder ?? files.logs);
    await mkdir(logFolder, { recursive: true });
    const startedAtMs = options.now();
    const record: MatrixRecord = {
      version: 1,
      runId: randomUUID(),
      labs: groups.map(({ topology }) => topology.name),
    };
    await writeRecord(matrix.name, record);
    const count = groups.reduce((sum, { cells }) => sum + cells.length, 0);
    const run: Run = {
      matrix,
      runId: record.runId,
      logFolder,
      options,
      count,
      results: [],
      leftLabs: [],
    };
    for (const group of groups) await runGroup(run, group);
    // What cannot go now, such as a mount, is an error of the next run's first cell, not of this one's results.
    await rm(files.cell, { recursive: true, force: true }).catch(() => undefined);
    if (run.leftLabs.length === 0) await removeRecord(matrix.name);
    return {
      name: matrix.name,
      startedAt: new Date(startedAtMs),
      durationMs: options.now() - startedAtMs,
      results: run.results,
      leftLabs: run.leftLabs,
      interrupted: options.signal?.aborted === true,
    };
  });
}

/** Runs what no other run of the matrix is in the midst of. */
async function alone<Result>(folder: string, action: () => Promise<Result>): Promise<Result> {
  const progress = { begun: false };
  try {
    return await withLock(`matrix ${folder}`, { waitMs: 0 }, () => {
      progress.begun = true;
      return action();
    });
  } catch (error) {
    if (progress.begun || !hasCode(error, "wrong-state")) throw error;
    throw new StackyardError("wrong-state", {
      message: "another run of this matrix is in the midst of it",
      remedy: "Wait for its end, or give this one another name: --name NAME.",
    });
  }
}

/** Takes away what the last run, which was killed, has left: processes of its command, and labs. */
async function removeRemains(name: string, options: MatrixOptions): Promise<void> {
  const record = findRecord(name);
  if (record === undefined) return;
  options.onProgress?.("taking down what the last run has left");
  await endRun(record.runId);
  for (const lab of record.labs) await options.labs.tearDown(lab, within(options, lab));
  await removeRecord(name);
}

/** Options of a verb on a lab, whose progress begins with the lab's name. */
function within({ onProgress, signal }: LabOptions, lab: string): LabOptions {
  return {
    signal,
    ...(onProgress === undefined ? {} : { onProgress: (message) => onProgress(`lab ${lab}: ${message}`) }),
  };
}

async function requireProgram({ command, env }: Matrix, environment: NodeJS.ProcessEnv): Promise<void> {
  const [program = ""] = command;
  const path = env["PATH"] ?? environment["PATH"] ?? "";
  const found = program.includes("/") ? await isExecutable(program) : await findOnPath(program, path);
  if (found !== false && found !== undefined) return;
  throw new StackyardError("invalid-input", {
    message: `the command of the matrix cannot be run: there is no program ${program}`,
    field: "command.0",
    value: program,
    remedy: program.includes("/")
      ? "Correct the path, which is relative to the file of the matrix, or make the program executable: chmod +x."
      : `Install it, or add its folder to PATH: ${path.split(delimiter).join(", ")}.`,
  });
}

/** Refuses labs that are another's, and topologies that this machine cannot carry. */
async function requireRoom(groups: readonly CellGroup[], labs: LabPort): Promise<void> {
  for (const { topology } of groups) {
    if (labs.exists(topology.name)) {
      throw new StackyardError("conflict", {
        message: `there is a lab "${topology.name}" that this matrix has not made`,
        field: "name",
        value: topology.name,
        remedy: `Take it down (stackyard lab down --name ${topology.name}), or give the matrix another name: --name NAME.`,
      });
    }
    const missing = (await labs.check(topology)).filter(({ state }) => state === "missing");
    if (missing.length > 0) {
      throw new StackyardError("host-unsuitable", {
        message: `this machine cannot carry lab "${topology.name}"`,
        field: "topologies",
        value: topology.name,
        remedy: missing[0]?.remedy ?? "See stackyard lab check.",
        notes: missing.map(({ name, found }) => `${name}: ${found}`),
      });
    }
  }
}

/** One run at work. */
interface Run {
  readonly matrix: Matrix;
  readonly runId: string;
  readonly logFolder: string;
  readonly options: MatrixOptions;
  readonly count: number;
  readonly results: CellResult[];
  readonly leftLabs: { readonly lab: string; readonly reason: string }[];
}

const interruption = "the run was interrupted";

function isInterrupted({ options }: Run): boolean {
  return options.signal?.aborted === true;
}

async function runGroup(run: Run, { topology, cells }: CellGroup): Promise<void> {
  const { matrix, options, results } = run;
  const lab = topology.name;
  let stage: LabStage = { isMade: false };
  let broken: string | undefined;
  for (const [index, cell] of cells.entries()) {
    const withoutRun = (outcome: CellOutcome, reason: string): void => {
      const rest = { exitCode: null, durationMs: 0, logFile: null, tail: "" };
      results.push({ cell, lab, outcome, reason, ...rest });
    };
    if (isInterrupted(run)) withoutRun("skipped", interruption);
    else if (matrix.failFast && results.some(({ outcome }) => outcome !== "passed"))
      withoutRun("skipped", "a cell before it did not pass");
    else if (broken !== undefined) withoutRun("error", broken);
    else {
      try {
        const ready = await makeReady(run, topology, stage, index < cells.length - 1);
        stage = ready;
        results.push(await runCell(run, cell, lab, ready.inventoryFile));
        options.onProgress?.(describeEnd(run));
      } catch (error) {
        // The lab may be half made: down takes it, whatever it is. The cells after this one would meet the same.
        stage = { isMade: true };
        broken = describeError(error);
        if (isInterrupted(run)) withoutRun("skipped", interruption);
        else withoutRun("error", broken);
      }
    }
  }
  if (!stage.isMade) return;
  try {
    await options.labs.tearDown(lab, { ...within(options, lab), signal: undefined });
  } catch (error) {
    run.leftLabs.push({ lab, reason: describeError(error) });
  }
}

/** A lab between two cells. */
interface LabStage {
  /** Whether there may be anything of it. */
  readonly isMade: boolean;
  /** Of a lab that has the snapshot. */
  readonly restorable?: ReadyLab;
}

interface ReadyLab extends LabStage {
  readonly inventoryFile: string;
}

/**
 * The lab as it is when it has come up, whatever was done in it before. A snapshot saves time and nothing else: where none can be taken or brought
 * back, the lab is made anew.
 */
async function makeReady(
  run: Run,
  topology: Topology,
  { isMade, restorable }: LabStage,
  isUsedAgain: boolean,
): Promise<ReadyLab> {
  const { labs } = run.options;
  const lab = topology.name;
  const ofLab = within(run.options, lab);
  if (
    restorable !== undefined &&
    (await succeeds(run, `lab ${lab} cannot be restored`, () => labs.restoreSnapshot(lab, snapshot, ofLab)))
  ) {
    return { ...restorable, restorable };
  }
  if (isMade) await labs.tearDown(lab, ofLab);
  const { inventoryFile } = await labs.bringUp(topology, ofLab);
  const made: ReadyLab = { isMade: true, inventoryFile };
  const isKept =
    isUsedAgain &&
    labs.canSnapshot(lab) &&
    (await succeeds(run, `lab ${lab} has no snapshot`, () => labs.takeSnapshot(lab, snapshot, ofLab)));
  return isKept ? { ...made, restorable: made } : made;
}

/** Tells of a failure as progress. Raises what an interruption makes of the action. */
async function succeeds(run: Run, otherwise: string, action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (isInterrupted(run)) throw error;
    const [why = ""] = describeError(error).split("\n");
    run.options.onProgress?.(`${otherwise}, and is made anew for a cell: ${why}`);
    return false;
  }
}

async function runCell(run: Run, cell: Cell, lab: string, inventoryFile: string): Promise<CellResult> {
  const { matrix, options, results } = run;
  const number = results.length + 1;
  options.onProgress?.(`cell ${String(number)} of ${String(run.count)}, ${cell.name}: runs`);
  const cellFolder = matrixFiles(matrix.name).cell;
  await rm(cellFolder, { recursive: true, force: true });
  await makeFolder(cellFolder, 0o700);
  const logFile = join(run.logFolder, logName(number, cell));
  const startedAtMs = options.now();
  const end = await runCellCommand({
    words: matrix.command,
    env: {
      ...options.environment,
      // Clouds of an earlier cell know hosts that are no more.
      STACKYARD_HOME: join(cellFolder, "clouds"),
      ...matrix.env,
      STACKYARD_LAB: lab,
      STACKYARD_LAB_INVENTORY: inventoryFile,
      STACKYARD_CELL: cell.name,
      STACKYARD_CELL_FOLDER: cellFolder,
      ...Object.fromEntries(
        Object.entries({ topology: cell.topology, ...cell.values }).map(([axis, value]) => [
          variableOf(axis),
          value,
        ]),
      ),
    },
    runId: run.runId,
    logFile,
    timeoutMs: matrix.timeoutSeconds * 1000,
    signal: options.signal,
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
  });
  const reason = reasonOf(end, matrix);
  return {
    cell,
    lab,
    outcome: reason === null ? "passed" : end.by === "interrupt" ? "error" : "failed",
    reason,
    exitCode: end.by === "exit" ? end.exitCode : null,
    durationMs: options.now() - startedAtMs,
    logFile,
    tail: await readLastLines(logFile),
  };
}

/** The variable by which the command reads the value of an axis: `storage-backend` is `STACKYARD_MATRIX_STORAGE_BACKEND`. */
export function variableOf(axis: string): string {
  return `STACKYARD_MATRIX_${axis.toUpperCase().replaceAll("-", "_")}`;
}

function reasonOf(end: CommandEnd, { timeoutSeconds }: Matrix): string | null {
  switch (end.by) {
    case "exit":
      return end.exitCode === 0 ? null : `exit code ${String(end.exitCode)}`;
    case "signal":
      return `ended by ${end.name}`;
    case "timeout":
      return `not ended after ${String(timeoutSeconds)} s`;
    case "interrupt":
      return interruption;
  }
}

function describeEnd({ results, count }: Run): string {
  const last = results.at(-1);
  const how = last?.reason ?? "passed";
  return `cell ${String(results.length)} of ${String(count)}, ${last?.cell.name ?? ""}: ${how}`;
}

/** A file name of a cell that says which, of characters that every tool takes. */
function logName(number: number, { name }: Cell): string {
  const words = name.replaceAll(/[^A-Za-z0-9.=]+/g, "-").slice(0, 100);
  return `${String(number).padStart(3, "0")}-${words}.log`;
}

/** The last lines of a log, without what steers terminals. */
async function readLastLines(path: string): Promise<string> {
  const end = await readEnd(path, tailBytes);
  const text = escapeLines(stripVTControlCharacters(end.text));
  return (end.leftOutBytes > 0 ? text.slice(text.indexOf("\n") + 1) : text).trimEnd();
}
