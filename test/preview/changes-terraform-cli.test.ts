import { beforeAll, describe, expect, test } from "vitest";
import { findTerraformCommands } from "../support/terraform.ts";
import { verdictOf } from "./changes.ts";
import { coveringRows, type Outcome } from "./covering-rows.ts";
import { runCovering } from "./covering-terraform.ts";

describe.each(await findTerraformCommands())("$name: the change table", (command) => {
  let outcomes: ReadonlyMap<string, Outcome>;

  beforeAll(async () => {
    outcomes = await runCovering(command);
  }, 120_000);

  test.each(coveringRows)("$title", ({ title, label, field }) => {
    expect(outcomes.get(title)).toEqual({
      verdict: verdictOf(label, field),
      again: "no-op",
      happened: label,
    });
  });
});
