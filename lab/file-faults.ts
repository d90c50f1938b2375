import { dirname } from "node:path";
import { StackyardError } from "../providers/core/errors.ts";

/** What an error and its causes say, codes and paths of the operating system with it. */
function* listCauses(
  error: unknown,
): Generator<{ readonly text: string; readonly path: string | undefined }> {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const notes = cause instanceof StackyardError ? cause.notes : [];
    const path = "path" in cause && typeof cause.path === "string" ? cause.path : undefined;
    yield { text: [cause.message, ...notes].join("\n"), path };
  }
}

/** Whether a disk or a user's share of it was full, as Node or a program has said it. */
export function isDiskFull(error: unknown): boolean {
  return [...listCauses(error)].some(({ text }) =>
    /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/.test(text),
  );
}

/**
 * An error of the operating system about files as one that a user can act on: `host-disk-full`, `forbidden`. Others pass
 * through.
 * @param folder where the files are, for errors that name no path.
 */
export function explainFileFault(error: unknown, folder: string): unknown {
  if (isDiskFull(error)) {
    if (error instanceof StackyardError && error.code === "host-disk-full") return error;
    return new StackyardError("host-disk-full", {
      message: "the disk is full",
      value: folder,
      remedy: "Free space, and run again.",
      cause: error,
    });
  }
  if (error instanceof StackyardError) return error;
  for (const { text, path } of listCauses(error)) {
    if (!/^(EACCES|EPERM|EROFS):/.test(text)) continue;
    return new StackyardError("forbidden", {
      message: "a folder cannot be written to",
      value: path === undefined ? folder : dirname(path),
      remedy:
        "Give this user the folder, or name another one: XDG_STATE_HOME, or diskFolder in the topology.",
      cause: error,
    });
  }
  return error;
}
