import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isAlive, killProcess, listProcesses, runProcess } from "../../../lab/process.ts";
import { withLock } from "../../../lab/lock.ts";

function startTicksOf(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
}

test("a process is told from a later one of the same pid", () => {
  const startTicks = startTicksOf(process.pid);
  expect(isAlive({ pid: process.pid, startTicks })).toBe(true);
  expect(isAlive({ pid: process.pid, startTicks: startTicks - 1 })).toBe(false);
});

test("a process is ended only when it is the very one", async () => {
  const child = spawn("sleep", ["60"]);
  const pid = child.pid ?? 0;
  const startTicks = startTicksOf(pid);
  await killProcess({ pid, startTicks: startTicks - 1 });
  expect(isAlive({ pid, startTicks })).toBe(true);
  const ended = once(child, "exit");
  await killProcess({ pid, startTicks });
  expect(await ended).toEqual([null, "SIGKILL"]);
});

test("a process of another user is none of ours, whatever its command line says", async () => {
  const uid = process.getuid?.() === 0 ? { uid: 65_534 } : {};
  const child = spawn("sleep", ["60"], uid);
  await once(child, "spawn");
  const has = (processes: ReturnType<typeof listProcesses>): boolean =>
    processes.some(({ identity }) => identity.pid === child.pid);
  expect(has(listProcesses())).toBe(true); // its own user, or root
  expect(has(listProcesses(12_345))).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("a program takes its words as they are, and its input", async () => {
  const result = await runProcess("cat", ["-", "/$(nothing)"], { stdin: "given" });
  expect(result).toMatchObject({ exitCode: 1, stdout: "given" });
  expect(result.stderr).toContain("/$(nothing)");
});

test("a program that does not stop talking is ended", async () => {
  const { exitCode, stderr, stdout } = await runProcess("head", ["-c", "100M", "/dev/zero"]);
  expect([exitCode, stderr]).toEqual([128, "more than 64 MiB of output; ended by SIGKILL"]);
  expect(stdout.length).toBeLessThanOrEqual(64 * 1024 ** 2);
});

test("a program that is not there is an error that names it", async () => {
  await expect(runProcess("no-such-program", [])).rejects.toMatchObject({
    code: "command-failed",
    message: "no-such-program cannot be run",
  });
});

test("a lock lets one in at a time", async () => {
  const order: string[] = [];
  const work = (name: string) =>
    withLock("test of the lock", { waitMs: 5000 }, async () => {
      order.push(`${name} in`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push(`${name} out`);
    });
  const first = work("a");
  const second = work("b");
  await Promise.all([first, second]);
  expect(order).toEqual(["a in", "a out", "b in", "b out"]);
});

test("a lock that is not freed in time is an error that says what is worked on, and the way out", async () => {
  await withLock("test of the limit", { waitMs: 0 }, async () => {
    await expect(
      withLock("test of the limit", { waitMs: 60, what: 'lab "ci"' }, () => Promise.resolve()),
    ).rejects.toMatchObject({
      code: "wrong-state",
      message: 'another command has been working on lab "ci" for more than 0.06 s',
      remedy: "Wait until it has ended, or end it, then run again.",
    });
  });
});

test("a program that is interrupted is ended, and gives what it said until then", async () => {
  const abort = new AbortController();
  const running = runProcess("sleep", ["60"], { signal: abort.signal });
  abort.abort();
  expect(await running).toMatchObject({ exitCode: 128, stderr: "ended by SIGKILL" });
});
