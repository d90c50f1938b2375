import { expect, test } from "vitest";
import { runRecipe } from "../../support/recipe.ts";

const down = "stackyard lab down --name ci";

test("the recipe deploys main on a lab, previews the branch, reports, and takes the lab down", () => {
  const { exitCode, commands } = runRecipe("preview.sh", [".", ".", "comment.md"]);
  expect(exitCode).toBe(0);
  expect(commands.map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
    "stackyard lab up",
    "stackyard lab guest",
    "pulumi stack init",
    "pulumi config set",
    "pulumi config set",
    "pulumi config set",
    "pulumi up --yes",
    "pulumi preview --json",
    expect.stringMatching(/^stackyard diff-report DIR\/tmp\.\w+\/preview\.json$/),
    "stackyard lab down",
  ]);
});

test.each(["stackyard lab up", "stackyard lab guest", "pulumi up", "pulumi preview"])(
  "the recipe takes the lab down after a failed %s, and fails",
  (fails) => {
    const { exitCode, commands } = runRecipe("preview.sh", [".", ".", "comment.md"], { fails, code: 1 });
    expect(exitCode).toBe(1);
    expect(commands.at(-1)).toBe(down);
  },
);

test("the recipe ends as the report does, when something unexpected is in it", () => {
  const { exitCode, commands } = runRecipe("preview.sh", [".", ".", "comment.md"], {
    fails: "stackyard diff-report",
    code: 3,
  });
  expect(exitCode).toBe(3);
  expect(commands.at(-1)).toBe(down);
});

test("the recipe tells of a lab that it could not take down", () => {
  const { exitCode, message } = runRecipe("preview.sh", [".", ".", "comment.md"], {
    fails: "stackyard lab down",
    code: 1,
  });
  expect(exitCode).toBe(1);
  expect(message).toBe("the lab ci is still there: stackyard lab down --name ci");
});

test("the recipe leaves what was deployed before as it is", () => {
  const { exitCode, commands } = runRecipe("preview.sh", ["--deployed", ".", ".", "comment.md"]);
  expect(exitCode).toBe(0);
  expect(commands.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
    "pulumi preview",
    "stackyard diff-report",
  ]);
});

test("the recipe says what it wants", () => {
  const { exitCode, message } = runRecipe("preview.sh", ["."]);
  expect(exitCode).toBe(2);
  expect(message).toBe("usage: preview.sh [--deployed] MAIN BRANCH COMMENT");
});
