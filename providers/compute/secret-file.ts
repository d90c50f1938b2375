import { readFile, stat } from "node:fs/promises";
import { StackyardError } from "../core/errors.ts";

/** A file with a secret, on the machine that runs the stack. */
export interface SecretFile {
  /** Absolute. */
  readonly path: string;
  /** Input that names it. */
  readonly field: string;
  /** What it holds, in the words of an error: `keyring`. */
  readonly content: "keyring" | "key";
}

/** Most that is read of one: a keyring of many users is far smaller. */
const maxBytes = 1_048_576;

/** What is wrong with a secret's file: `invalid-input` for the field that names it. No error holds any of its text. */
export function refuseFile(
  { path, field, content }: SecretFile,
  problem: string,
  remedy: string,
  cause?: unknown,
): StackyardError {
  return new StackyardError("invalid-input", {
    message: `The ${content} file ${problem}`,
    field,
    value: path,
    remedy,
    cause,
  });
}

/** The bytes of a secret's file. Raises {@link refuseFile} for one that is not there, is no file, cannot be read, or is open to everybody. */
export async function readSecretFile(file: SecretFile): Promise<Buffer> {
  const { path, content } = file;
  try {
    const found = await stat(path);
    if (found.isDirectory())
      throw refuseFile(file, "cannot be read: it is a folder", `Name the ${content} file itself.`);
    if (!found.isFile() || found.size > maxBytes)
      throw refuseFile(
        file,
        found.isFile()
          ? "is larger than 1 MiB"
          : "is a pipe or a device, which cannot be read more than once",
        `Name the ${content} file itself.`,
      );
    if ((found.mode & 0o007) !== 0)
      throw refuseFile(
        file,
        "can be read or written by everybody",
        "Close it: chmod o= FILE. If others had it, renew the key.",
      );
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof StackyardError) throw cause;
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw refuseFile(
      file,
      isMissing ? "is not there" : "cannot be read",
      isMissing
        ? `Put the ${content} there, on the machine that runs the stack, or name where it is.`
        : "Make it a file that the user who runs the stack may read.",
      cause,
    );
  }
}
