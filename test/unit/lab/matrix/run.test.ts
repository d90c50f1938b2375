import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { planCells } from "../../../../lab/matrix/cells.ts";
import { parseMatrix } from "../../../../lab/matrix/matrix-file.ts";
import { findRecord, matrixFiles, writeRecord } from "../../../../lab/matrix/record.ts";
import { runMatrix, type MatrixOptions, type MatrixResult } from "../../../../lab/matrix/run.ts";
import { listProcesses } from "../../../../lab/process.ts";
import { FakeLabs } from "../../../fakes/lab-port.ts";

let folder = "";
let labs = new FakeLabs();
let notes = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-matrix-"));
  process.env["XDG_STATE_HOME"] = folder;
  labs = new FakeLabs();
  notes = join(folder, "notes");
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs a script of the shell in each cell, over two kinds of storage in a lab with snapshots. */
async function run(
  script: string,
  change: object = {},
  options: Partial<MatrixOptions> = {},
): Promise<MatrixResult> {
  const matrix = parseMatrix(
    {
      command: ["sh", "-c", script],
      topologies: { one: { hosts: 1, driver: "nested" } },
      axes: { storage: ["file", "rbd", "nfs"] },
      ...change,
    },
    "/",
  );
  return runMatrix(matrix, planCells(matrix), {
    labs,
    environment: { PATH: process.env["PATH"], NOTES: notes },
    now: Date.now,
    graceMs: 200,
    ...options,
  });
}

function outcomesOf({ results }: MatrixResult): readonly (string | null)[][] {
  return results.map(({ outcome, reason }) => [outcome, reason]);
}

describe("a matrix over labs with snapshots", () => {
  test("brings the lab up once, and each cell begins with its one snapshot", async () => {
    const result = await run("exit 0");
    expect(outcomesOf(result)).toEqual([
      ["passed", null],
      ["passed", null],
      ["passed", null],
    ]);
    expect(labs.calls).toEqual([
      "up matrix-one",
      "snapshot matrix-one",
      "restore matrix-one",
      "restore matrix-one",
      "down matrix-one",
    ]);
  });

  test.each([
    ["taken", "snapshot matrix-one", ["snapshot matrix-one"]],
    ["brought back", "restore matrix-one", ["snapshot matrix-one", "restore matrix-one"]],
  ])("makes the lab anew where the snapshot cannot be %s", async (_what, broken, tried) => {
    labs.broken.add(broken);
    const messages: string[] = [];
    const onProgress = (message: string): void => void messages.push(message);
    const result = await run("exit 0", { axes: { storage: ["file", "rbd"] } }, { onProgress });
    expect(outcomesOf(result)).toEqual([
      ["passed", null],
      ["passed", null],
    ]);
    expect(labs.calls).toEqual([
      "up matrix-one",
      ...tried,
      "down matrix-one",
      "up matrix-one",
      "down matrix-one",
    ]);
    expect(messages).toContainEqual(expect.stringContaining(`${broken} does not work`));
  });

  test("takes none for a single cell", async () => {
    await run("exit 0", { axes: {} });
    expect(labs.calls).toEqual(["up matrix-one", "down matrix-one"]);
  });
});

test("a matrix whose logs are elsewhere leaves no folder", async () => {
  await run("exit 0", {}, { logFolder: join(folder, "logs") });
  expect(existsSync(dirname(matrixFiles("matrix").folder))).toBe(false);
  await run("exit 0");
  expect(existsSync(matrixFiles("matrix").logs)).toBe(true);
});

test("a matrix over labs without snapshots makes the lab anew for each cell", async () => {
  await run("exit 0", { topologies: { one: { hosts: 1 } }, axes: { storage: ["file", "rbd"] } });
  expect(labs.calls).toEqual(["up matrix-one", "down matrix-one", "up matrix-one", "down matrix-one"]);
});

describe("the command of a cell", () => {
  test("is told its lab, its values, and a folder of its own that is empty, and keeps the matrix's variables", async () => {
    const script =
      'printf "%s|" "$STACKYARD_LAB" "$STACKYARD_LAB_INVENTORY" "$STACKYARD_MATRIX_TOPOLOGY" "$STACKYARD_MATRIX_STORAGE_BACKEND" "$STACKYARD_CELL" "$MINE" "$0" "$#"; ls -A "$STACKYARD_CELL_FOLDER"; touch "$STACKYARD_CELL_FOLDER/left"; test "$STACKYARD_HOME" = "$STACKYARD_CELL_FOLDER/clouds"';
    const odd = `it's "b"  $HOME`;
    const { results } = await run("", {
      command: ["sh", "-c", script, odd],
      axes: { "storage-backend": ["a", odd] },
      env: { MINE: odd },
    });
    expect(results.map(({ outcome, tail }) => [outcome, tail])).toEqual([
      ["passed", `matrix-one|/labs/matrix-one/inventory.json|one|a|one: storage-backend=a|${odd}|${odd}|0|`],
      [
        "passed",
        `matrix-one|/labs/matrix-one/inventory.json|one|${odd}|one: storage-backend=${odd}|${odd}|${odd}|0|`,
      ],
    ]);
    expect(existsSync(matrixFiles("matrix").cell)).toBe(false);
  });

  test("has all that it said in a file of its own, and the end of it in the result, without what steers terminals", async () => {
    const logFolder = join(folder, "a", "my logs");
    const { results } = await run(
      "printf '\\033[31mred\\033[0m'; echo oops >&2; exit 3",
      { axes: {} },
      { logFolder },
    );
    expect(results).toMatchObject([{ outcome: "failed", exitCode: 3, tail: "redoops" }]);
    expect(results[0]?.logFile).toBe(join(logFolder, "001-one.log"));
    expect(readFileSync(results[0]?.logFile ?? "", "utf8")).toBe("\u001b[31mred\u001b[0moops\n");
  });

  test("has whole lines of long output in the result", async () => {
    const { results } = await run("seq 100000", { axes: {} });
    expect(results[0]?.tail).toMatch(/^\d{5}\n/);
    expect(results[0]?.tail).toMatch(/\n100000$/);
    expect(results[0]?.tail.length).toBeLessThanOrEqual(16 * 1024);
  });

  test("leaves no process behind, wherever it went", async () => {
    const script = 'setsid sh -c "echo \\$\\$ >$NOTES; exec sleep 100" & while ! [ -s "$NOTES" ]; do :; done';
    await run(script, { axes: {} });
    const left = Number(readFileSync(notes, "utf8"));
    expect(listProcesses().map(({ identity }) => identity.pid)).not.toContain(left);
  });
});

describe("a cell that does not pass", () => {
  test.each([
    ["ends with a code", '[ "$STACKYARD_MATRIX_STORAGE" != rbd ] || exit 7', "failed", "exit code 7"],
    ["is killed", '[ "$STACKYARD_MATRIX_STORAGE" != rbd ] || kill -SEGV $$', "failed", "ended by SIGSEGV"],
    [
      "does not end, and does not listen",
      '[ "$STACKYARD_MATRIX_STORAGE" != rbd ] || { trap "" TERM; while :; do sleep 0.05; done; }',
      "failed",
      "not ended after 0.5 s",
    ],
  ])("because its command %s leaves the others as they are", async (_how, script, outcome, reason) => {
    const result = await run(script, { timeoutSeconds: 0.5 });
    expect(outcomesOf(result)).toEqual([
      ["passed", null],
      [outcome, reason],
      ["passed", null],
    ]);
  });

  test("has those after it skipped, in other topologies too, with failFast", async () => {
    const topologies = { one: { hosts: 1 }, two: { hosts: 2 } };
    const result = await run('[ "$STACKYARD_MATRIX_STORAGE" != rbd ]', { failFast: true, topologies });
    expect(result.results.map(({ outcome }) => outcome)).toEqual([
      "passed",
      "failed",
      ...Array<string>(4).fill("skipped"),
    ]);
    expect(labs.calls).not.toContain("up matrix-two");
  });

  test("for its lab is an error, of its topology's other cells too, and no other topology's", async () => {
    labs.broken.add("up matrix-one");
    const result = await run("exit 0", {
      topologies: { one: { hosts: 1 }, two: { hosts: 2 } },
      axes: { n: ["1", "2"] },
    });
    expect(result.results.map(({ outcome }) => outcome)).toEqual(["error", "error", "passed", "passed"]);
    expect(result.results[1]?.reason).toContain("up matrix-one does not work");
    expect(labs.calls.slice(0, 3)).toEqual(["up matrix-one", "down matrix-one", "up matrix-two"]);
    expect(findRecord("matrix")).toBe(undefined);
  });
});

describe("a matrix that is interrupted", () => {
  test("ends its command in order, skips the rest, and takes the lab down", async () => {
    const abort = new AbortController();
    const script =
      'trap "echo ended in order >>$NOTES; exit 0" TERM; echo begun >$NOTES; while :; do sleep 0.02; done';
    const running = run(script, {}, { signal: abort.signal, graceMs: 10_000 });
    await expect.poll(() => existsSync(notes) && readFileSync(notes, "utf8")).toBe("begun\n");
    abort.abort();
    const result = await running;
    expect(outcomesOf(result)).toEqual([
      ["error", "the run was interrupted"],
      ["skipped", "the run was interrupted"],
      ["skipped", "the run was interrupted"],
    ]);
    expect(result).toMatchObject({ interrupted: true, leftLabs: [] });
    expect(readFileSync(notes, "utf8")).toBe("begun\nended in order\n");
    expect(labs.calls.at(-1)).toBe("down matrix-one");
    expect(findRecord("matrix")).toBe(undefined);
  });
});

test("a command past its time may end in order, though the first of its processes has gone", async () => {
  const script =
    'sh -c "trap \\"sleep 0.3; echo in order >$NOTES; exit\\" TERM; while :; do sleep 0.02; done" & exec sleep 60';
  const result = await run(script, { axes: {}, timeoutSeconds: 0.3 }, { graceMs: 20_000 });
  expect(outcomesOf(result)).toEqual([["failed", "not ended after 0.3 s"]]);
  expect(readFileSync(notes, "utf8")).toBe("in order\n");
});

describe("what a run has left", () => {
  const record = { version: 1, runId: "0d9c51cf-7c55-4a70-9a3e-6b4b7f0c1b1f" } as const;

  test("of its command is killed by the next", async () => {
    const env = { PATH: process.env["PATH"], STACKYARD_RUN_ID: record.runId };
    const left = spawn("sleep", ["100"], { env, stdio: "ignore" });
    const ended = once(left, "exit");
    await writeRecord("matrix", { ...record, labs: [] });
    await run("exit 0", { axes: {} });
    expect(await ended).toEqual([null, "SIGKILL"]);
  });

  test("is taken down by the next, of topologies that the file has no more, too", async () => {
    await writeRecord("matrix", { ...record, labs: ["matrix-old"] });
    await run("exit 0", { axes: {} });
    expect(labs.calls).toEqual(["down matrix-old", "up matrix-one", "down matrix-one"]);
  });

  test("that cannot be taken down is told, and kept on record for the next", async () => {
    labs.broken.add("down matrix-one");
    const result = await run("exit 0", { axes: {} });
    expect(result.leftLabs).toEqual([
      { lab: "matrix-one", reason: expect.stringContaining("does not work") as unknown },
    ]);
    labs.broken.clear();
    labs.calls.length = 0;
    await run("exit 0", { axes: {} });
    expect(labs.calls).toEqual(["down matrix-one", "up matrix-one", "down matrix-one"]);
  });
});

describe("a matrix is refused before anything is made", () => {
  test.each([
    ["that is nowhere", "no-such-program"],
    ["that is a path to nothing", "/no such/program"],
    ["that is a folder", "/tmp"],
  ])("with a program %s", async (_case, program) => {
    await expect(run("", { command: [program] })).rejects.toMatchObject({
      code: "invalid-input",
      field: "command.0",
      value: program,
    });
    expect(labs.calls).toEqual([]);
    expect(existsSync(matrixFiles("matrix").folder)).toBe(false);
  });

  test("with a program that the matrix's own PATH does not have", async () => {
    await expect(run("exit 0", { env: { PATH: folder } })).rejects.toMatchObject({
      field: "command.0",
      value: "sh",
    });
  });

  test("when a lab of its name is another's", async () => {
    const matrix = parseMatrix({ command: ["true"], topologies: { one: {} } }, "/");
    await labs.bringUp(planCells(matrix)[0]?.topology ?? expect.fail(), {});
    await expect(run("exit 0")).rejects.toMatchObject({ code: "conflict", value: "matrix-one" });
    expect(labs.calls).toEqual(["up matrix-one"]);
  });

  test("when this machine cannot carry a lab", async () => {
    labs.findings.push({
      name: "memory",
      state: "missing",
      found: "1 GiB of 6 GiB",
      remedy: "Use fewer hosts.",
    });
    await expect(run("exit 0")).rejects.toMatchObject({
      code: "host-unsuitable",
      remedy: "Use fewer hosts.",
      notes: ["memory: 1 GiB of 6 GiB"],
    });
    expect(labs.calls).toEqual([]);
  });

  test("while another run of it is at it, which goes on", async () => {
    const script = 'echo begun >$NOTES; while ! [ -e "$NOTES.end" ]; do sleep 0.02; done';
    const first = run(script, { axes: {} });
    await expect.poll(() => existsSync(notes)).toBe(true);
    await expect(run("exit 0")).rejects.toMatchObject({ code: "wrong-state" });
    writeFileSync(`${notes}.end`, "");
    expect(outcomesOf(await first)).toEqual([["passed", null]]);
  });
});
