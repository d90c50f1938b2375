import { expect, test } from "vitest";
import { handOver, requireProgram, runProgram } from "../../../lab/setup/program.ts";

test("gives the exit code and the standard output", async () => {
  const result = await runProgram("sh", ["-c", "echo out; echo err >&2; exit 3"]);
  expect(result).toMatchObject({ exitCode: 3, stdout: "out" });
});

test("a failure that matters is told with the last lines of both streams", async () => {
  await expect(
    requireProgram("frying an egg", "sh", ["-c", "echo hot; echo burnt >&2; exit 3"]),
  ).rejects.toMatchObject({
    code: "command-failed",
    message: "frying an egg failed: sh ended with exit code 3",
    notes: expect.arrayContaining(["hot", "burnt"]) as string[],
  });
});

test("a program that is not there is told by name", async () => {
  await expect(runProgram("/nowhere/pulumi", [])).rejects.toMatchObject({
    code: "command-failed",
    message: "starting /nowhere/pulumi failed",
  });
});

test("a program is handed our signals, where that is asked for", async () => {
  const script = "trap 'kill $!; echo told; exit 0' HUP; sleep 60 & echo ready; wait";
  const onLine = (line: string): void => {
    if (line === "ready") process.emit("SIGHUP", "SIGHUP");
  };
  const result = await runProgram("sh", ["-c", script], { passSignals: true, timeoutMs: 20_000, onLine });
  expect(result).toMatchObject({ exitCode: 0, stdout: "ready\ntold" });
});

test("a program that passes its limit is ended", async () => {
  await expect(runProgram("sleep", ["60"], { timeoutMs: 50 })).rejects.toMatchObject({
    message: "sleep was ended by SIGTERM",
  });
});

test.each([
  ["that ends", "exit 3", 3],
  ["that a signal ends", "kill -TERM $$", 143],
])("a program %s gives its exit code to whoever handed over to it", async (_how, script, code) => {
  expect(await handOver("sh", ["-c", script], process.env)).toBe(code);
});
