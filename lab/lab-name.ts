import { StackyardError } from "../providers/core/errors.ts";
import { parseLabName } from "./topology.ts";

/**
 * Judges a lab's name that is given by itself, not in a topology.
 * @throws StackyardError `invalid-input`.
 */
export function requireLabName(name: string): string {
  try {
    return parseLabName(name);
  } catch (error) {
    if (!(error instanceof StackyardError)) throw error;
    throw new StackyardError("invalid-input", {
      message: "this is not the name of a lab",
      field: "name",
      value: name,
      remedy: error.remedy,
    });
  }
}
