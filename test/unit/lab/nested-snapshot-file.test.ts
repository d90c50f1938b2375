import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { NestedPlan } from "../../../lab/nested/plan.ts";
import {
  findSnapshot,
  listSnapshotNames,
  listSnapshots,
  readSnapshot,
  snapshotFolder,
  unfinishedSnapshot,
} from "../../../lab/nested/snapshot-file.ts";
import { planBelow } from "../../support/nested-plan.ts";

let home: string;
let plan: NestedPlan;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "stackyard-snapshots-"));
  plan = planBelow(home);
});

afterEach(() => {
  rmSync(home, { recursive: true });
});

function write(folder: string, takenAt: string, name = folder): void {
  const path = snapshotFolder(plan, folder);
  mkdirSync(path, { recursive: true });
  writeFileSync(
    join(path, "snapshot.json"),
    JSON.stringify({ version: 1, name, takenAt, hosts: [], links: [] }),
  );
}

test("snapshots are listed from the oldest on, without one that is being taken", () => {
  expect(listSnapshots(plan)).toEqual([]);
  write("a", "2026-01-03T00:00:00Z");
  write("b", "2026-01-01T00:00:00Z");
  write("c", "2026-01-02T00:00:00Z");
  write(unfinishedSnapshot, "2026-01-04T00:00:00Z");
  mkdirSync(snapshotFolder(plan, "empty"));
  expect(listSnapshots(plan).map(({ name }) => name)).toEqual(["b", "c", "a"]);
  expect(listSnapshotNames(plan).sort()).toEqual(["a", "b", "c"]);
});

test("a record that is another snapshot's, or of another version, is a damaged one, and none to others", () => {
  write("a", "2026-01-01T00:00:00Z");
  write("b", "2026-01-02T00:00:00Z", "a");
  const path = snapshotFolder(plan, "c");
  mkdirSync(path);
  writeFileSync(
    join(path, "snapshot.json"),
    JSON.stringify({ version: 2, name: "c", takenAt: "", hosts: [], links: [] }),
  );
  expect(listSnapshots(plan).map(({ name }) => name)).toEqual(["a"]);
  expect(findSnapshot(plan, "a")?.takenAt).toBe("2026-01-01T00:00:00Z");
  for (const name of ["b", "c"])
    expect(() => readSnapshot(plan, name)).toThrow(
      expect.objectContaining({ code: "image-checksum", field: "snapshot", value: name }),
    );
});

test("a snapshot that is not there is told apart from a name that none can have, with those that are", () => {
  write("a", "2026-01-01T00:00:00Z");
  expect(() => readSnapshot(plan, "b")).toThrow(
    expect.objectContaining({ code: "not-found", remedy: "Its snapshots: a." }),
  );
  expect(() => readSnapshot(plan, "../a")).toThrow(expect.objectContaining({ code: "invalid-input" }));
});
