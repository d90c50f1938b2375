import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { registerMatrixCommand } from "../../../../lab/matrix/command.ts";
import { FakeLabs } from "../../../fakes/lab-port.ts";

let folder: string;
let labs: FakeLabs;
let said: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-matrix-command-"));
  vi.stubEnv("XDG_STATE_HOME", folder);
  labs = new FakeLabs();
  said = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  rmSync(folder, { recursive: true });
});

/** Runs the command over cells whose programs end with these codes. @returns the exit code that it leaves, or its error. */
async function run(codes: readonly number[], ...words: readonly string[]): Promise<unknown> {
  const matrix = {
    command: ["sh", "-c", 'exit "$STACKYARD_MATRIX_CODE"'],
    topologies: { one: { hosts: 1 } },
    axes: { code: codes.map(String) },
  };
  const file = join(folder, "matrix.yaml");
  writeFileSync(file, JSON.stringify(matrix));
  const program = new Command().exitOverride();
  registerMatrixCommand(program, labs);
  try {
    await program.parseAsync(["matrix", file, ...words], { from: "user" });
    return process.exitCode;
  } catch (error) {
    return error;
  }
}

test("ends with 0 where all cells passed, and with 1 where one did not", async () => {
  expect(await run([0])).toBe(0);
  expect(await run([0, 3])).toBe(1);
  expect(said).toContain("1 passed, 1 failed");
});

test("ends with 1 where a lab was not there for its cells, and says so in JSON too", async () => {
  labs.broken.add("up matrix-one");
  expect(await run([0], "--json")).toBe(1);
  expect(JSON.parse(said)).toMatchObject({ cells: [{ outcome: "error", exitCode: null }], leftLabs: [] });
});

test("does not end well where a lab is left, though all cells passed", async () => {
  labs.broken.add("down matrix-one");
  expect(await run([0])).toMatchObject({
    code: "command-failed",
    message: expect.stringContaining("matrix-one") as unknown,
    remedy: expect.stringContaining("stackyard lab down --name matrix-one") as unknown,
  });
});

test("does not end well in JSON either where a lab is left", async () => {
  labs.broken.add("down matrix-one");
  expect(await run([0], "--json")).toBeGreaterThan(0);
  expect(JSON.parse(said)).toMatchObject({
    cells: [{ outcome: "passed" }],
    leftLabs: [{ lab: "matrix-one" }],
  });
});

test("writes its reports whatever became of the cells, and lists them without a lab", async () => {
  const [junit, markdown] = [join(folder, "junit.xml"), join(folder, "matrix.md")];
  expect(await run([0, 3], "--list")).toBeUndefined();
  expect(labs.calls).toEqual([]);
  expect(await run([0, 3], "--junit", junit, "--markdown", markdown)).toBe(1);
  expect(readFileSync(junit, "utf8")).toContain('failures="1"');
  expect(readFileSync(markdown, "utf8")).toContain("**failed**");
});

test.each(["--junit", "--markdown"])(
  "refuses %s where no file can be, before a lab is made",
  async (option) => {
    for (const place of [folder, join(folder, "none", "report")])
      expect(await run([0], option, place)).toMatchObject({
        code: "invalid-input",
        field: option,
        value: place,
      });
    expect(labs.calls).toEqual([]);
    expect(existsSync(join(folder, "none"))).toBe(false);
  },
);
