import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { runSideBySide } from "../../../lab/side-by-side.ts";

/** Ends by its signal only, and takes a moment for that. */
const endless = (ended: string[]) => async (signal: AbortSignal) => {
  try {
    await sleep(600_000, undefined, { signal });
  } finally {
    await sleep(20);
    ended.push("ended");
  }
};

test("actions side by side give their results in order", async () => {
  const actions = [30, 0].map((delayMs) => () => sleep(delayMs, delayMs));
  expect(await runSideBySide(actions, undefined)).toEqual([30, 0]);
});

test("the failure of one is raised when the others have ended", async () => {
  const ended: string[] = [];
  const failing = () => Promise.reject(new Error("the disk is full"));
  await expect(runSideBySide([endless(ended), failing, endless(ended)], undefined)).rejects.toThrow(
    "the disk is full",
  );
  expect(ended).toEqual(["ended", "ended"]);
});

test("all end when they are told from outside", async () => {
  const ended: string[] = [];
  const abort = new AbortController();
  const all = runSideBySide([endless(ended), endless(ended)], abort.signal);
  abort.abort();
  await expect(all).rejects.toThrow("aborted");
  expect(ended).toHaveLength(2);
});
