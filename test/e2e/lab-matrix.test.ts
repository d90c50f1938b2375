import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { listLabs } from "../../lab/lab.ts";
import { listProcesses as listAll } from "../../lab/process.ts";
import { findPackageRoot } from "../../providers/core/package-root.ts";
import { elementsAt, parseXml } from "../../providers/hosts/xml.ts";
import { openLabFolder } from "../support/lab-folder.ts";
import { listProcesses, surveyMachine } from "../support/machine.ts";

const labs = openLabFolder("lab-matrix-test");
const folder = join(labs.path, "a stack's ci");
const main = join(findPackageRoot(), "providers/main.ts");
const survey = () => surveyMachine(labs.stateHome, [labs.stateHome]);
let before: Awaited<ReturnType<typeof survey>>;

beforeAll(async () => {
  mkdirSync(folder);
  // What a run leaves is its logs, below this.
  mkdirSync(join(labs.stateHome, "stackyard"));
  before = await survey();
});

afterAll(() => labs.close());

/** Begins a run of the matrix over one lab host. Its arguments are those of the command line. */
function start(script: string, change: object, ...words: readonly string[]) {
  const matrix = {
    name: "trial",
    command: ["sh", "-c", script],
    topologies: { one: { hosts: 1 } },
    ...change,
  };
  writeFileSync(join(folder, "matrix.yaml"), JSON.stringify(matrix));
  const child = spawn(process.execPath, [main, "lab", "matrix", "matrix.yaml", "--out", "logs", ...words], {
    cwd: folder,
    env: { ...process.env, FOLDER: folder, NODE_OPTIONS: "" },
  });
  return {
    child,
    ended: Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]).then(
      ([stdout, stderr]) => ({ stdout, stderr, exitCode: child.exitCode }),
    ),
  };
}

/** A script that looks at its host, and marks it, so that a second cell on it would see the mark. */
const marking = `
host() { ssh -o BatchMode=yes -F none -o UserKnownHostsFile="$(value knownHostsFile)" -i "$(value identityFile)" "$(value user)@$(value address)" "$@"; }
value() { sed -n "s/.*\\"$1\\": \\"\\(.*\\)\\".*/\\1/p" "$STACKYARD_LAB_INVENTORY" | head -n 1; }
host 'test ! -e /etc/mark && touch /etc/mark && hostname'
case $STACKYARD_MATRIX_HOW in
  bad*) echo "it is <bad>"; exit 3 ;;
  slow) sleep 60 ;;
esac`;

describe("a matrix over a lab host", () => {
  test("gives each cell a lab of its own, reports what passed, failed and took too long, and leaves nothing", async () => {
    const axes = { how: ["good", 'bad "one"', "slow"] };
    const reports = ["--junit", "junit.xml", "--markdown", "matrix.md"];
    const { ended } = start(marking, { axes, timeoutSeconds: 3 }, ...reports);
    const { stdout, exitCode } = await ended;
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/1 passed, 2 failed in .* s\nlogs in .*logs\n$/);
    const cases = elementsAt(
      parseXml(readFileSync(join(folder, "junit.xml"), "utf8"), "testsuites"),
      "testsuite",
      "testcase",
    );
    expect(
      cases.map(({ attributes, children }) => [
        attributes["name"],
        children[0]?.attributes["message"],
        children[0]?.text,
      ]),
    ).toEqual([
      ["how=good", undefined, "h1"],
      ['how=bad "one"', "exit code 3", "h1\nit is <bad>"],
      ["how=slow", "not ended after 3 s", "h1"],
    ]);
    expect(readFileSync(join(folder, "matrix.md"), "utf8")).toContain("| **failed** |");
    expect(readdirSync(join(folder, "logs"))).toEqual([
      "001-one-how=good.log",
      "002-one-how=bad-one-.log",
      "003-one-how=slow.log",
    ]);
    expect(await listLabs()).toEqual([]);
    expect(await survey()).toEqual({ ...before, files: expect.anything() as unknown });
  });

  test("that is killed has its lab and its command ended by the next run", async () => {
    const { child, ended } = start('echo $$ >"$FOLDER/begun"; exec sleep 600', {});
    const readPid = () =>
      Number(existsSync(join(folder, "begun")) && readFileSync(join(folder, "begun"), "utf8"));
    await expect.poll(readPid, { timeout: 60_000 }).toBeGreaterThan(0);
    child.kill("SIGKILL");
    child.stdout.destroy();
    child.stderr.destroy();
    await ended.catch(() => undefined);
    expect((await listLabs()).map(({ name, state }) => [name, state])).toEqual([["trial-one", "up"]]);
    const next = await start("true", { topologies: { other: { hosts: 1 } } }, "--json").ended;
    expect(next.exitCode).toBe(0);
    expect(JSON.parse(next.stdout)).toMatchObject({ cells: [{ cell: "other", outcome: "passed" }] });
    expect(await listLabs()).toEqual([]);
    expect(listProcesses(labs.stateHome)).toEqual([]);
    expect(listAll().map(({ identity }) => identity.pid)).not.toContain(readPid());
  });

  test("that is interrupted ends its command in order, takes its lab down, and writes its reports", async () => {
    const script =
      'trap "touch \\"$FOLDER/in-order\\"; exit 0" TERM; touch "$FOLDER/waits"; while :; do sleep 0.05; done';
    const { child, ended } = start(script, {}, "--junit", "cut.xml", "--json");
    await expect.poll(() => existsSync(join(folder, "waits")), { timeout: 60_000 }).toBe(true);
    child.kill("SIGINT");
    const { exitCode, stdout } = await ended;
    expect(exitCode).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({
      interrupted: true,
      cells: [{ outcome: "error" }],
      leftLabs: [],
    });
    expect(existsSync(join(folder, "in-order"))).toBe(true);
    expect(parseXml(readFileSync(join(folder, "cut.xml"), "utf8"), "testsuites").attributes["errors"]).toBe(
      "1",
    );
    expect(await listLabs()).toEqual([]);
  });
});

describe("without running anything, the command", () => {
  test("lists the cells", async () => {
    const { stdout, exitCode } = await start(
      "true",
      { axes: { a: ["x y", "z"] } },
      "--list",
      "--only",
      "a=x y",
    ).ended;
    expect(exitCode).toBe(0);
    expect(stdout).toBe("CELL        LAB        DRIVER     HOSTS\none: a=x y  trial-one  namespace  1\n");
  });

  test.each([
    ["a report that has no folder", ["--junit", "none/junit.xml"], 1, '(field --junit = "none/junit.xml")'],
    ["logs in a file", ["--out", "matrix.yaml/logs"], 1, '(field --out = "matrix.yaml/logs")'],
    ["a choice without a value", ["--only", "topology"], 2, "Write an axis and a value: storage=rbd."],
    ["a choice of what is not there", ["--only", "topology=two"], 1, "Its values: one."],
    ["a name that no lab may have", ["--name", "My CI"], 1, "beginning with a letter"],
  ])("refuses %s", async (_case, words, code, message) => {
    const { stdout, stderr, exitCode } = await start("true", {}, ...words).ended;
    expect([exitCode, stdout]).toEqual([code, ""]);
    expect(stderr).toContain(message);
  });
});

/** The steps of `stacks/ci/matrix.yml` that run a program. */
const workflow = z
  .object({
    jobs: z.object({
      matrix: z.object({
        steps: z.array(z.object({ name: z.string().optional(), run: z.string().optional() })),
      }),
    }),
  })
  .parse(parse(readFileSync(join(findPackageRoot(), "stacks/ci/matrix.yml"), "utf8")));
const steps = new Map(workflow.jobs.matrix.steps.map(({ name, run }) => [name, run]));

/** A program of one line in a folder of the project. */
function writeProgram(path: string, line: string): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), `#!/bin/sh\n${line}\n`);
  chmodSync(join(folder, path), 0o755);
}

/** Runs a step as GitHub's runner does: `bash -e` over its text. Whoever runs this is root. */
async function runStep(name: string): Promise<number | null> {
  const child = spawn("bash", ["-e", "-c", steps.get(name) ?? expect.fail(`no step ${name}`)], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`,
      NODE_OPTIONS: "",
      GITHUB_STEP_SUMMARY: join(folder, "summary"),
    },
    stdio: "ignore",
  });
  await once(child, "exit");
  return child.exitCode;
}

test("the workflow of the recipe fails with its cells, and has the reports to show", async () => {
  cpSync(join(findPackageRoot(), "stacks/ci/matrix.sh"), join(folder, "ci/matrix.sh"));
  writeProgram("ci/cell.sh", 'echo "$STACKYARD_CELL"; exit "$STACKYARD_MATRIX_CODE"');
  writeProgram("bin/sudo", 'exec "$@"');
  writeProgram("stacks/quickstart/node_modules/.bin/stackyard", `exec "${process.execPath}" "${main}" "$@"`);
  const matrix = { command: ["./cell.sh"], topologies: { one: { hosts: 1 } }, axes: { code: ["0", "5"] } };
  writeFileSync(join(folder, "ci/matrix.yaml"), JSON.stringify(matrix));
  expect(await runStep("matrix")).toBe(1);
  expect(await runStep("summary")).toBe(0);
  expect(readFileSync(join(folder, "summary"), "utf8")).toMatch(/^### Matrix matrix: 1 passed, 1 failed in /);
  expect(readdirSync(join(folder, "results")).sort()).toEqual(["junit.xml", "logs", "matrix.md"]);
  expect(readFileSync(join(folder, "results/logs/002-one-code=5.log"), "utf8")).toBe("one: code=5\n");
});
