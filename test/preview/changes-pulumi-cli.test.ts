import { beforeAll, describe, expect, test } from "vitest";
import { verdictOf } from "./changes.ts";
import { runCovering } from "./covering-pulumi.ts";
import { coveringRows, type Outcome } from "./covering-rows.ts";

describe("pulumi: the change table", () => {
  let outcomes: ReadonlyMap<string, Outcome>;

  beforeAll(async () => {
    outcomes = await runCovering();
  }, 240_000);

  test.each(coveringRows)("$title", ({ title, label, field }) => {
    expect(outcomes.get(title)).toEqual({
      verdict: verdictOf(label, field),
      again: "same",
      happened: label,
    });
  });
});
