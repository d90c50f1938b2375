import { expect, test } from "vitest";
import { describeError, StackyardError } from "../../../providers/core/errors.ts";

test("an error shows nothing that a terminal acts on, wherever a host has put it", () => {
  const error = new StackyardError("command-failed", {
    message: "it said \u001b]0;owned\u0007",
    notes: ["first\n\u001b[2Jsecond", "\u202egpj.exe"],
    cause: new Error("\u009b31m"),
  });

  expect(describeError(error)).toBe(
    [
      String.raw`it said \u001b]0;owned\u0007 [command-failed]`,
      String.raw`  because: \u009b31m`,
      "  first",
      String.raw`  \u001b[2Jsecond`,
      String.raw`  \u202egpj.exe`,
      "  remedy: See the message of the command.",
    ].join("\n"),
  );
});
