import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readSchedulerFile } from "../../../providers/config/scheduler-file.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stackyard-config-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("without a file there are no options", async () => {
  expect(await readSchedulerFile({ folder, schedulerFile: undefined })).toBeUndefined();
});

test("the file of the cloud's folder is read", async () => {
  const path = write("scheduler.yaml", "scheduler: { max_attempts: 5 }");
  expect(await readSchedulerFile({ folder, schedulerFile: undefined })).toEqual({
    path,
    options: { scheduler: { max_attempts: 5 } },
  });
});

test("a file that is named takes its place, and may be JSON", async () => {
  write("scheduler.yaml", "scheduler: { max_attempts: 5 }");
  const path = write("other.json", '{"scheduler": {"max_attempts": 6}}');
  expect(await readSchedulerFile({ folder, schedulerFile: path })).toEqual({
    path,
    options: { scheduler: { max_attempts: 6 } },
  });
});

test("a file that is named must be there", async () => {
  const path = join(folder, "missing.yaml");
  await expect(readSchedulerFile({ folder, schedulerFile: path })).rejects.toThrow(
    expect.objectContaining({ code: "invalid-input", field: "STACKYARD_SCHEDULER_CONFIG", value: path }),
  );
});

test.each([
  ["a broken list", "scheduler: [1"],
  ["a key given twice", "scheduler: {}\nscheduler: {}"],
  [
    "aliases that grow without end",
    `a: &a [x, x, x]\nb: &b [${"*a, ".repeat(99)}*a]\nc: [${"*b, ".repeat(99)}*b]`,
  ],
])("%s is an error that names the file", async (_what, text) => {
  const path = write("scheduler.yaml", text);
  await expect(readSchedulerFile({ folder, schedulerFile: undefined })).rejects.toThrow(
    expect.objectContaining({ code: "invalid-input", field: "scheduler.yaml", value: path }),
  );
});
