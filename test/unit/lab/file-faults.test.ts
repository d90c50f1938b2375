import { describe, expect, test } from "vitest";
import { explainFileFault } from "../../../lab/file-faults.ts";
import { StackyardError } from "../../../providers/core/errors.ts";

/** As Node raises them. */
const fault = (code: string, path?: string): Error =>
  Object.assign(new Error(`${code}: what is wrong, open`), { code, ...(path === undefined ? {} : { path }) });

describe("an error about files", () => {
  test.each<[string, unknown]>([
    ["Node", fault("ENOSPC")],
    ["Node, of a user's share of the disk", fault("EDQUOT")],
    [
      "a program",
      new StackyardError("command-failed", {
        message: "making the disk failed",
        notes: ["qemu-img: No space left on device"],
      }),
    ],
    [
      "what another one was caused by",
      new StackyardError("internal", { message: "it failed", cause: fault("ENOSPC") }),
    ],
  ])("that %s has said is of a full disk", (_, error) => {
    expect(explainFileFault(error, "/labs/trial")).toMatchObject({
      code: "host-disk-full",
      value: "/labs/trial",
      cause: error,
    });
  });

  test("of a folder that is not the user's names the folder", () => {
    expect(explainFileFault(fault("EACCES", "/var/labs/trial/lab.json"), "/labs/trial")).toMatchObject({
      code: "forbidden",
      value: "/var/labs/trial",
    });
    expect(explainFileFault(fault("EROFS"), "/labs/trial")).toMatchObject({
      code: "forbidden",
      value: "/labs/trial",
    });
  });

  test.each([
    new StackyardError("host-disk-full", { message: "full, with the numbers", cause: fault("ENOSPC") }),
    new StackyardError("in-use", { message: "port 22", cause: fault("EACCES") }),
    new TypeError("a fault of ours"),
    "no error at all",
  ])("of another kind stays as it is: %s", (error) => {
    expect(explainFileFault(error, "/labs/trial")).toBe(error);
  });
});
