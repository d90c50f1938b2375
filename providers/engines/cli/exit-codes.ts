import { CommanderError } from "commander";
import { StackyardError, type ErrorCode } from "../../core/errors.ts";

/** What each exit code of `stackyard` means. Part of the interface: codes never change their meaning. */
export const exitCodes = {
  ok: { code: 0, meaning: "Done." },
  error: { code: 1, meaning: "The operation failed; the error says why and what to do." },
  usage: {
    code: 2,
    meaning: "The command line is wrong: unknown command or option, missing argument, bad value.",
  },
  notFound: { code: 3, meaning: "There is no such resource." },
  unreachable: {
    code: 4,
    meaning: "A host cannot be reached: no answer, not the known key, or the login is refused.",
  },
  interrupted: {
    code: 130,
    meaning: "Interrupted by Ctrl-C or SIGTERM; what was begun is taken up by the next run.",
  },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>;

/** Something is not as declared, and every host was asked (terraform: `plan -detailed-exitcode`). */
export const driftExitCode = 2;

const kindsOfErrors: Partial<Record<ErrorCode, keyof typeof exitCodes>> = {
  "not-found": "notFound",
  "host-unreachable": "unreachable",
  "host-key-changed": "unreachable",
  "host-key-unknown": "unreachable",
  "host-login-refused": "unreachable",
  interrupted: "interrupted",
};

/** The exit code of a command that ended with `error`. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok.code : exitCodes.usage.code;
  if (error instanceof StackyardError) return exitCodes[kindsOfErrors[error.code] ?? "error"].code;
  return exitCodes.error.code;
}
