import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { planCells } from "../../../../lab/matrix/cells.ts";
import { loadMatrix } from "../../../../lab/matrix/matrix-file.ts";
import { isExecutable } from "../../../../lab/setup/program.ts";
import { findPackageRoot } from "../../../../providers/core/package-root.ts";
import { runRecipe } from "../../../support/recipe.ts";

describe("the matrix of the recipe", () => {
  const matrix = loadMatrix(join(findPackageRoot(), "stacks/ci/matrix.yaml"));

  test("deploys a stack on files, and one on a Ceph", () => {
    const groups = planCells(matrix);
    expect(groups.map(({ topology, cells }) => [topology.name, cells.map(({ values }) => values)])).toEqual([
      ["ci-three-hosts", [{ storage: "file", stack: "quickstart" }]],
      ["ci-three-hosts-ceph", [{ storage: "rbd", stack: "ceph" }]],
    ]);
  });

  test("has a command that can be run", async () => {
    expect(await isExecutable(matrix.command[0] ?? "")).toBe(true);
  });
});

describe("a cell of the recipe", () => {
  const cell = {
    STACKYARD_CELL_FOLDER: "DIR/cell",
    STACKYARD_MATRIX_STACK: "any",
    STACKYARD_LAB: "ci-one",
  };
  const runCell = (fails = "no command") => runRecipe("cell.sh", [], { fails, code: 7 }, cell);

  test("deploys its stack on its lab, looks for what is left to do, and destroys", () => {
    const { exitCode, commands, left } = runCell();
    const rest = "--stack cell --non-interactive --color never";
    expect(exitCode).toBe(0);
    expect(commands).toEqual([
      "stackyard lab guest --out DIR/cell/guest",
      "pulumi stack init cell --non-interactive",
      `pulumi config set lab ci-one ${rest}`,
      `pulumi config set guestFolder DIR/cell/guest ${rest}`,
      `pulumi config set generation 1 ${rest}`,
      `pulumi config set --secret operatorPassword ${rest}`,
      `pulumi up --yes --skip-preview ${rest}`,
      `pulumi preview --expect-no-changes ${rest}`,
      `pulumi destroy --yes --skip-preview ${rest}`,
    ]);
    expect(left.filter((path) => path.endsWith(".yaml"))).toEqual([]);
  });

  test.each(["stackyard lab guest", "pulumi config", "pulumi up", "pulumi preview", "pulumi destroy"])(
    "fails with %s, and leaves no settings in the stack's folder",
    (fails) => {
      const { exitCode, commands, left } = runCell(fails);
      expect(exitCode).toBe(7);
      expect(commands.at(-1)).toMatch(fails);
      expect(left.filter((path) => path.endsWith(".yaml"))).toEqual([]);
    },
  );
});

describe("the script of the recipe", () => {
  test("runs the matrix beside it with reports in its folder, and other options as they are", () => {
    const { exitCode, commands } = runRecipe("matrix.sh", ["a/my results", "--only", "storage=rbd"]);
    expect(exitCode).toBe(0);
    const results = "DIR/a/my results";
    expect(commands).toEqual([
      `stackyard lab matrix ${findPackageRoot()}/stacks/ci/matrix.yaml --out ${results}/logs --junit ${results}/junit.xml --markdown ${results}/matrix.md --only storage=rbd`,
    ]);
  });

  test("ends as the matrix does", () => {
    expect(runRecipe("matrix.sh", ["x"], { fails: "stackyard lab matrix", code: 1 }).exitCode).toBe(1);
  });

  test("says what it wants", () => {
    const { exitCode, message } = runRecipe("matrix.sh", []);
    expect(exitCode).toBe(2);
    expect(message).toBe("usage: matrix.sh RESULTS [OPTION...]");
  });
});
