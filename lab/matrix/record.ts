import { existsSync, readFileSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { labsFolder } from "../folders.ts";
import { makeFolder, replaceFile } from "../state-files.ts";

const recordSchema = z.object({
  version: z.literal(1),
  /** Value of `STACKYARD_RUN_ID` in the environment of all processes of the run's commands. */
  runId: z.uuid(),
  labs: z.array(z.string()),
});

/** What a run may have made: written before anything is, removed when nothing of it is left. */
export type MatrixRecord = z.infer<typeof recordSchema>;

/** The files of a matrix, below the state folder of the labs' user. */
export function matrixFiles(name: string) {
  const folder = join(dirname(labsFolder()), "matrices", name);
  return {
    folder,
    record: join(folder, "run.json"),
    logs: join(folder, "logs"),
    /** Of the cell that runs: empty when it begins. */
    cell: join(folder, "cell"),
  };
}

/** The record of a run that has not ended, or did not clean up; undefined when there is none. */
export function findRecord(name: string): MatrixRecord | undefined {
  const { record } = matrixFiles(name);
  return existsSync(record) ? recordSchema.parse(JSON.parse(readFileSync(record, "utf8"))) : undefined;
}

export async function writeRecord(name: string, record: MatrixRecord): Promise<void> {
  const files = matrixFiles(name);
  await makeFolder(files.folder, 0o700);
  await replaceFile(files.record, `${JSON.stringify(record, undefined, 2)}\n`);
}

/** Removes the record, and the folders of it that nothing is in, such as logs. */
export async function removeRecord(name: string): Promise<void> {
  const { record, folder } = matrixFiles(name);
  await rm(record, { force: true });
  for (const each of [folder, dirname(folder)]) await rmdir(each).catch(() => undefined);
}
