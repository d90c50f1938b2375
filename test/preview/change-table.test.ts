import { describe, expect, test } from "vitest";
import { shapeOf } from "../../providers/core/fields.ts";
import { definitions } from "../../providers/registry.ts";
import { listChanges } from "./change-table.ts";
import { noOthers } from "./changes.ts";

describe.each(definitions)("the change table of $type", ({ type, inputs }) => {
  test("has a row for each field", () => {
    const rows = listChanges(noOthers).filter((row) => row.type === type);
    expect([...new Set(rows.map(({ field }) => field))].toSorted()).toEqual(
      Object.keys(shapeOf(inputs)).toSorted(),
    );
  });
});
