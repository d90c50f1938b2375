import { afterEach, expect, test, vi } from "vitest";
import { runVerb } from "../../../lab/verb.ts";

afterEach(() => vi.restoreAllMocks());

test("tells its progress on standard error, and leaves standard output to the result", async () => {
  let said = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const stdout = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const result = await runVerb("lab trial up", ({ onProgress }) => {
    onProgress("h1: ready");
    return Promise.resolve("up");
  });
  expect(result).toBe("up");
  expect(said).toContain("h1: ready");
  expect(stdout).not.toHaveBeenCalled();
});

test("ends what it waits for at Ctrl-C", async () => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const isAborted = await runVerb("lab trial up", ({ signal }) => {
    process.emit("SIGTERM");
    return Promise.resolve(signal.aborted);
  });
  expect(isAborted).toBe(true);
});
