import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  connectEngineLog,
  createEngineLog,
  type EngineMessage,
} from "../../../../providers/engines/pulumi/engine-log.ts";

let sent: EngineMessage[];

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
});

afterEach(() => {
  vi.useRealTimers();
});

function texts(): string[] {
  return sent.map(({ text }) => text);
}

it("keeps what it is to inform of", () => {
  createEngineLog((message) => sent.push(message)).inform("urn", "it stays on host host-1");
  expect(sent).toEqual([{ urn: "urn", severity: "info", text: "it stays on host host-1", ephemeral: false }]);
});

describe("follow", () => {
  it("shows the first line at once, and of those that come fast only the latest", async () => {
    const log = createEngineLog((message) => sent.push(message));
    await log.follow("urn", async (show) => {
      ["one", "two", "three"].forEach(show);
      expect(texts()).toEqual(["one"]);
      await vi.advanceTimersByTimeAsync(250);
    });
    expect(texts()).toEqual(["one", "three"]);
  });

  it("shows nothing after the work has ended", async () => {
    const log = createEngineLog((message) => sent.push(message));
    await log.follow("urn", (show) => {
      ["one", "two"].forEach(show);
      return Promise.resolve();
    });
    await vi.advanceTimersByTimeAsync(1000);
    expect(texts()).toEqual(["one"]);
  });

  it("marks lines as passing, on the resource's URN", async () => {
    const log = createEngineLog((message) => sent.push(message));
    await log.follow("urn:pulumi:x", (show) => {
      show("one");
      return Promise.resolve();
    });
    expect(sent).toEqual([{ urn: "urn:pulumi:x", severity: "info", text: "one", ephemeral: true }]);
  });

  it("gives what the work gives", async () => {
    const log = createEngineLog((message) => sent.push(message));
    await expect(log.follow("urn", () => Promise.resolve(42))).resolves.toBe(42);
  });
});

describe("warn", () => {
  it("leaves a lasting warning", () => {
    createEngineLog((message) => sent.push(message)).warn("urn", "careful");
    expect(sent).toEqual([{ urn: "urn", severity: "warning", text: "careful", ephemeral: false }]);
  });
});

describe("connectEngineLog", () => {
  it("is silent outside Pulumi", () => {
    expect(() => connectEngineLog(undefined).warn("urn", "nobody hears")).not.toThrow();
  });
});
