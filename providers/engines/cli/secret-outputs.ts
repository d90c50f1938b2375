import { open, rm, writeFile } from "node:fs/promises";
import { Option, type Command } from "commander";
import { StackyardError } from "../../core/errors.ts";
import { policyOf, shapeOf } from "../../core/fields.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Definition } from "../../core/resource.ts";
import { toKebabCase } from "./text.ts";

/** A secret that creating gives, and the new file that it goes to. Secrets never go to a terminal. */
interface SecretOutput {
  readonly output: string;
  readonly option: Option;
}

function listSecretOutputs(definition: Definition): readonly SecretOutput[] {
  return Object.entries(shapeOf(definition.outputs)).flatMap(([output, schema]) => {
    const policy = policyOf(schema);
    if (policy?.secret !== true) return [];
    const option = new Option(
      `--save-${toKebabCase(output)} <path>`,
      `${policy.doc} It is written to this new file.`,
    );
    return [{ output, option }];
  });
}

/** Adds `--save-… <path>` for each secret output. */
export function addSaveOptions(command: Command, definition: Definition): void {
  for (const { option } of listSecretOutputs(definition)) command.addOption(option);
}

/**
 * Makes the files that the `--save-…` options name, readable by their owner only, runs `create`, and writes its secret outputs to
 * them. The files are made first, so that no secret is given out that then cannot be kept. Returns the secrets that no file was
 * named for. Raises `invalid-input` when a file is there already or cannot be made.
 */
export async function saveSecretOutputs(
  command: Command,
  definition: Definition,
  create: () => Promise<JsonObject>,
): Promise<readonly SecretOutput[]> {
  const secrets = listSecretOutputs(definition);
  const made = new Map<string, string>();
  try {
    for (const { output, option } of secrets) {
      const path: unknown = command.getOptionValue(option.attributeName());
      if (typeof path !== "string") continue;
      await makeSecretFile(path, option.long ?? option.flags);
      made.set(output, path);
    }
    const outputs = await create();
    const unsaved: SecretOutput[] = [];
    for (const secret of secrets) {
      const value = outputs[secret.output];
      const path = made.get(secret.output);
      if (typeof value !== "string") continue;
      if (path === undefined) unsaved.push(secret);
      else await writeFile(path, value);
      made.delete(secret.output);
    }
    return unsaved;
  } finally {
    for (const path of made.values()) await rm(path);
  }
}

async function makeSecretFile(path: string, option: string): Promise<void> {
  try {
    await (await open(path, "wx", 0o600)).close();
  } catch (cause) {
    throw new StackyardError("invalid-input", {
      message: `cannot make the file of ${option}`,
      field: option,
      value: path,
      remedy: "Name a file that does not exist yet, in a folder that you may write.",
      cause,
    });
  }
}
