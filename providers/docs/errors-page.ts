import { errorCatalogue, errorCodes, StackyardError } from "../core/errors.ts";
import { exitCodeOf, exitCodes } from "../engines/cli/exit-codes.ts";
import { page, table } from "./markdown.ts";

/** The page of all error codes, each with an anchor of its own. */
export function describeErrors(): string {
  return page("Errors", [
    "Every error has a code that never changes its meaning, the field and the value at fault where there is one, and a way out. The command line prints them as `message (field NAME = VALUE) [code]` with the reasons below; with `--json` as one object `error`. `try again` says whether the same call may succeed later without a change.",
    table(
      ["code", "HTTP status in OpenStack", "try again", "exit code", "usual way out"],
      errorCodes.map((code) => {
        const { status, retryable, remedy } = errorCatalogue[code];
        const exitCode = exitCodeOf(new StackyardError(code, { message: "" }));
        const anchored = `<a id="${code}"></a>\`${code}\``;
        return [anchored, String(status), retryable ? "yes" : "no", String(exitCode), remedy];
      }),
    ),
    "## Exit codes of `stackyard`",
    table(
      ["code", "meaning"],
      Object.values(exitCodes).map(({ code, meaning }) => [String(code), meaning]),
    ),
  ]);
}
