import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { StackyardError } from "../providers/core/errors.ts";
import { labFiles, labFolder, labsFolder } from "./folders.ts";
import { labPlanSchema } from "./namespace/plan.ts";
import { nestedPlanSchema } from "./nested/plan.ts";
import { replaceFile } from "./state-files.ts";

const common = {
  version: z.literal(1),
  /** The topology as given, to tell a repeated `up` from a changed one. */
  topology: z.json(),
  /** Outermost folders that the lab made; `down` removes them again when nothing else has come into them. */
  madeFolders: z.array(z.string()),
};

const labStateSchema = z.discriminatedUnion("driver", [
  z.object({ ...common, driver: z.literal("namespace"), plan: labPlanSchema }),
  z.object({ ...common, driver: z.literal("nested"), plan: nestedPlanSchema }),
]);

/** The record of a lab, written before anything is made for it, so that a killed `up` leaves nothing unknown. */
export type LabState = z.infer<typeof labStateSchema>;

/** The record of a lab; undefined when it has none. */
export function findState(name: string): LabState | undefined {
  return findStateIn(labFolder(name));
}

/**
 * The record in a lab's folder, be it one of another state folder than ours.
 * @throws StackyardError `invalid-input` when it cannot be read.
 */
export function findStateIn(folder: string): LabState | undefined {
  const file = labFiles(folder).state;
  if (!existsSync(file)) return undefined;
  try {
    return labStateSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new StackyardError("invalid-input", {
      message: "the record of a lab cannot be read",
      field: "lab",
      value: file,
      remedy: "Correct the file; or end what runs of the lab, and remove the folder.",
      cause,
    });
  }
}

/** @throws StackyardError `not-found` when there is no such lab. */
export function readState(name: string): LabState {
  const state = findState(name);
  if (state !== undefined) return state;
  const names = listNames();
  const [first] = names;
  throw new StackyardError("not-found", {
    message: `there is no lab "${name}"`,
    field: "lab",
    value: name,
    remedy:
      first === undefined
        ? `Bring it up: stackyard lab up --name ${name}`
        : `Labs here: ${names.join(", ")}. Name one: --name ${first}`,
  });
}

export async function writeState(state: LabState): Promise<void> {
  await replaceFile(labFiles(state.plan.folder).state, `${JSON.stringify(state, null, 2)}\n`);
}

/** The names of all labs, in their order. */
export function listNames(): string[] {
  const folder = labsFolder();
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => existsSync(labFiles(join(folder, name)).state))
    .sort();
}

/** The records of all labs, in order of their names. */
export function listStates(): LabState[] {
  return listNames()
    .map(findState)
    .filter((state) => state !== undefined);
}
