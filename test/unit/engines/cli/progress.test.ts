import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startProgress } from "../../../../providers/engines/cli/progress.ts";
import { Recorder } from "../../../support/command-line.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("progress in a log", () => {
  it("writes a line for each step, with the time since the start", () => {
    const log = new Recorder(undefined);
    const progress = startProgress(log, "create server web");
    vi.advanceTimersByTime(1500);
    progress.step("starting the domain");
    expect(log.text).toBe("[1.5 s] create server web: starting the domain\n");
  });

  it("says every 10 s what it still waits for", () => {
    const log = new Recorder(undefined);
    startProgress(log, "create server web").step("waiting for the guest");
    vi.advanceTimersByTime(20_000);
    expect(log.text.split("\n").slice(1)).toEqual([
      "[10.0 s] create server web: still waiting for the guest",
      "[20.0 s] create server web: still waiting for the guest",
      "",
    ]);
  });

  it("names the hosts that it still waits for when that takes long", () => {
    const log = new Recorder(undefined);
    const progress = startProgress(log, "drift");
    progress.await(["h1", "h2"]);
    progress.await(["h2"]);
    vi.advanceTimersByTime(10_000);
    expect(log.text).toBe("[10.0 s] drift: still waiting for h2\n");
  });

  it("is silent once stopped", () => {
    const log = new Recorder(undefined);
    startProgress(log, "create server web").stop();
    vi.advanceTimersByTime(60_000);
    expect(log.text).toBe("");
  });

  it("escapes what a host says", () => {
    const log = new Recorder(undefined);
    startProgress(log, "show").step("host h\u001b[2J\n");
    expect(log.text).toContain("host h\\u001b[2J\\n\n");
  });
});

describe("progress on a terminal", () => {
  it("redraws one line with the time since the start", () => {
    const terminal = new Recorder(80);
    startProgress(terminal, "create server web").step("starting the domain");
    vi.advanceTimersByTime(300);
    expect(terminal.text.split("\r\u001b[2K").at(-1)).toBe("create server web 0.30 s  starting the domain");
    expect(terminal.text).not.toContain("\n");
  });

  it("names a few of the hosts that it waits for", () => {
    const terminal = new Recorder(80);
    startProgress(terminal, "drift").await(["h1", "h2", "h3", "h4", "h5"]);
    expect(terminal.text.split("\r\u001b[2K").at(-1)).toBe("drift 0.00 s  waiting for h1, h2, h3 and 2 more");
  });

  it("never fills the line, so that it cannot wrap", () => {
    const terminal = new Recorder(30);
    startProgress(terminal, "create").step("日".repeat(40));
    expect(terminal.text.split("\r\u001b[2K").at(-1)).toBe(`create 0.00 s  ${"日".repeat(6)}…`);
  });

  it("takes its line away when it stops", () => {
    const terminal = new Recorder(80);
    startProgress(terminal, "create").stop();
    expect(terminal.text.endsWith("\r\u001b[2K")).toBe(true);
  });
});
