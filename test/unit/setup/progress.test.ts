import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { withPulse } from "../../../lab/setup/progress.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("a long step says what it waits for every 10 s, and how long it took", async () => {
  const lines: string[] = [];
  const step = withPulse(
    (line) => lines.push(line),
    "building",
    async (waitFor) => {
      waitFor("compiling net/http");
      await vi.advanceTimersByTimeAsync(20_500);
    },
  );
  await step;
  expect(lines).toEqual([
    "building …",
    "building: 10.0 s, compiling net/http",
    "building: 20.0 s, compiling net/http",
    "building: done in 20.5 s",
  ]);
});

test("a step that fails falls silent and hands its error on", async () => {
  const lines: string[] = [];
  const step = withPulse(
    (line) => lines.push(line),
    "building",
    () => Promise.reject(new Error("no disk")),
  );
  await expect(step).rejects.toThrow("no disk");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(lines).toEqual(["building …"]);
});
