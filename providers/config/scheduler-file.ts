import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { StackyardError } from "../core/errors.ts";
import type { Config } from "./config.ts";

/** Name of the file in a cloud's folder. */
const fileName = "scheduler.yaml";

/** Options of the scheduler as somebody wrote them, unchecked, and where. */
export interface SchedulerFile {
  /** Absolute path. */
  readonly path: string;
  readonly options: unknown;
}

/**
 * Reads the file that `STACKYARD_SCHEDULER_CONFIG` names, else `scheduler.yaml` of the cloud's folder, so that all programs on one cloud schedule alike;
 * `undefined` when there is neither. JSON is YAML too. Raises `invalid-input` naming the file.
 */
export async function readSchedulerFile({
  folder,
  schedulerFile,
}: Pick<Config, "folder" | "schedulerFile">): Promise<SchedulerFile | undefined> {
  const path = resolve(schedulerFile ?? join(folder, fileName));
  if (schedulerFile === undefined && !existsSync(path)) return undefined;
  const refuse = (message: string, remedy: string, cause: unknown): StackyardError =>
    new StackyardError("invalid-input", {
      message,
      field: schedulerFile === undefined ? fileName : "STACKYARD_SCHEDULER_CONFIG",
      value: path,
      remedy,
      cause,
    });
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw refuse(
      "the file of the scheduler's options cannot be read",
      "Name a file that exists and can be read, or leave the setting out.",
      cause,
    );
  }
  // Most clouds have no such file, and are spared the time that the library takes to load.
  const { parse } = await import("yaml");
  try {
    const options: unknown = parse(text);
    return { path, options };
  } catch (cause) {
    throw refuse("the file of the scheduler's options is no YAML", "Correct the line that is named.", cause);
  }
}
