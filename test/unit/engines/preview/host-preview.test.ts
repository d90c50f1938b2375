import { beforeEach, expect, test, vi, type MockInstance } from "vitest";
import type { Change, Cloud, PlanRequest } from "../../../../providers/core/cloud.ts";
import { StackyardError } from "../../../../providers/core/errors.ts";
import { describeHostPreview } from "../../../../providers/engines/preview/host-preview.ts";
import { server } from "../../../../providers/servers/server.ts";
import { flavor } from "../../../../providers/servers/flavor.ts";
import type { Definition } from "../../../../providers/core/resource.ts";
import { definitions, findDefinition } from "../../../../providers/registry.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";

const request: PlanRequest = { type: "server", inputs: {}, maker: "urn:web", defaultName: "web" };
const kept = { host: "host-1", isKept: true, hosts: 1, filters: [] };

let cloud: FakeCloud;
let preview: MockInstance<Cloud["preview"]>;

beforeEach(() => {
  cloud = new FakeCloud({ definitions });
  preview = vi.spyOn(cloud, "preview").mockResolvedValue({
    ...planOf("update"),
    placement: kept,
    domains: [],
    commands: [],
  });
});

function planOf(action: Change["action"]) {
  return { inputs: {}, issues: [], change: { action, fields: [] } };
}

function definitionOf(type: string): Definition {
  const found = findDefinition(type);
  if (found === undefined) throw new Error(`no ${type}`);
  return found;
}

function tellIt(action: Change["action"], isDrifted = false, type: string = server.type) {
  const planned = planOf(action);
  return describeHostPreview(cloud, { definition: definitionOf(type), request, planned, isDrifted });
}

async function describeIt(...given: Parameters<typeof tellIt>): Promise<string | undefined> {
  return (await tellIt(...given))?.text;
}

test.each([
  ["create", false],
  ["update", false],
  ["replace", false],
  ["none", true],
] as const)("%s, drifted %s: tells what would be done", async (action, isDrifted) => {
  expect(await describeIt(action, isDrifted)).toBe("it stays on host host-1");
});

test.each([
  ["none", "server"],
  ["update", flavor.type],
] as const)("%s of a %s: asks no host", async (action, type) => {
  expect(await describeIt(action, false, type)).toBeUndefined();
  expect(preview).not.toHaveBeenCalled();
});

test("asks no host when the user does not want it", async () => {
  cloud.previewDetail = "off";
  expect(await describeIt("update")).toBeUndefined();
  expect(preview).not.toHaveBeenCalled();
});

test("what would be refused on the hosts says so", async () => {
  expect(await tellIt("update")).toMatchObject({ isRefused: false });
  const error = new StackyardError("no-valid-host", { message: "host host-1 has no room" });
  preview.mockResolvedValue({
    ...planOf("update"),
    domains: [],
    commands: [],
    incomplete: { step: "placement", error },
  });
  expect(await tellIt("update")).toEqual({
    text: "not known further than step placement: host host-1 has no room",
    isRefused: true,
  });
});

test("a preview that fails is told, and fails no plan", async () => {
  const error = new StackyardError("host-unreachable", { message: "host host-1 does not answer" });
  vi.spyOn(cloud, "preview").mockRejectedValue(error);
  expect(await describeIt("update")).toMatch(
    /^what it would do on the hosts is not known: host host-1 does not answer/,
  );
});

test("what hosts say is shown with nothing that a terminal acts on", async () => {
  const placement = { ...kept, host: "host\u001b[2J" };
  vi.spyOn(cloud, "preview").mockResolvedValue({ ...planOf("update"), placement, domains: [], commands: [] });
  expect(await describeIt("update")).toBe("it stays on host host\\u001b[2J");
});

test("a plan waits five seconds for hosts, and goes on without them", async () => {
  vi.useFakeTimers();
  try {
    const limit = new AbortController();
    vi.spyOn(AbortSignal, "timeout").mockImplementation((milliseconds) => {
      setTimeout(() => limit.abort(), milliseconds);
      return limit.signal;
    });
    vi.spyOn(cloud, "preview").mockImplementation(
      () =>
        new Promise((_, reject) =>
          limit.signal.addEventListener("abort", () => reject(new Error("aborted"))),
        ),
    );
    const described = describeIt("update");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await described).toBe(
      "what it would do on the hosts is not known: they did not answer within 5 s",
    );
  } finally {
    vi.useRealTimers();
    vi.restoreAllMocks();
  }
});
