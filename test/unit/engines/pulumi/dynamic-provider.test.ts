import { describe, expect, it, vi } from "vitest";
import type { JsonObject } from "../../../../providers/core/json.ts";
import { StackyardError } from "../../../../providers/core/errors.ts";
import {
  createDynamicProvider,
  type DynamicProvider,
} from "../../../../providers/engines/pulumi/dynamic-provider.ts";
import type { EngineLog } from "../../../../providers/engines/pulumi/engine-log.ts";
import { previewKey, unknownMarker } from "../../../../providers/engines/pulumi/properties.ts";
import { FakeCloud } from "../../../fakes/cloud.ts";
import { deepBox, sampleDefinitions, shelf } from "../../../support/sample-definitions.ts";

const urn = "urn:pulumi:dev::p::pulumi-nodejs:dynamic/stackyard:Shelf::shelf";
const news: JsonObject = { room: "cellar", __urn: urn, __defaultName: "shelf", __provider: "text" };

const quietLog: EngineLog = {
  follow: (_urn, work) => work(() => undefined),
  inform: () => undefined,
  warn: () => undefined,
};

interface Setting {
  readonly cloud: FakeCloud;
  readonly provider: DynamicProvider;
}

function makeShelves(log = quietLog): Setting {
  const cloud = new FakeCloud({ definitions: sampleDefinitions });
  const openCloud = (): Promise<FakeCloud> => Promise.resolve(cloud);
  return {
    cloud,
    provider: createDynamicProvider(shelf, { openCloud, log, definitions: sampleDefinitions }),
  };
}

async function checkShelf(
  { provider }: Setting,
  given: JsonObject = news,
  olds: JsonObject = {},
): Promise<JsonObject> {
  const { inputs } = await provider.check(olds, given);
  return inputs;
}

async function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("check", () => {
  it.each([
    ["unknown-reference", "inform"],
    ["no-valid-host", "warn"],
  ] as const)("of a preview that ends with %s on the hosts: %s", async (code, told) => {
    const log = { ...quietLog, inform: vi.fn(), warn: vi.fn() };
    const cloud = new FakeCloud({ definitions: sampleDefinitions });
    vi.spyOn(cloud, "preview").mockResolvedValue({
      inputs: {},
      issues: [],
      change: { action: "create", fields: [] },
      domains: [],
      commands: [{ host: "h1", step: "place", purpose: "look", command: "true" }],
      incomplete: { step: "place", error: new StackyardError(code, { message: "no room" }) },
    });
    const openCloud = (): Promise<FakeCloud> => Promise.resolve(cloud);
    const provider = createDynamicProvider(deepBox, { openCloud, log, definitions: sampleDefinitions });
    await provider.check({}, { shelf: unknownMarker, __urn: urn, __defaultName: "box", [previewKey]: true });
    const text = "command on host h1: look\nnot known further than step place: no room";
    expect([log.inform.mock.calls, log.warn.mock.calls]).toEqual(
      told === "inform" ? [[[urn, text]], []] : [[], [[urn, text]]],
    );
  });

  it("names a resource as the program does", async () => {
    expect(await checkShelf(makeShelves())).toMatchObject({
      name: "shelf",
      room: "cellar",
      drift: [],
      __v: 1,
    });
  });

  it("puts unknown inputs back as they were given", async () => {
    const inputs = await checkShelf(makeShelves(), { ...news, room: unknownMarker });
    expect(inputs).toMatchObject({ room: unknownMarker });
  });

  it("keeps the maker of a resource that was renamed under an alias", async () => {
    const setting = makeShelves();
    const olds = await checkShelf(setting);
    const inputs = await checkShelf(setting, { ...news, __urn: `${urn}-renamed` }, olds);
    expect(inputs).toMatchObject({ __urn: `${urn}-renamed`, __maker: urn, uuid: olds["uuid"] });
  });

  it("shows a cloud that cannot be opened as a failure of the resource", async () => {
    const refuse = (): Promise<never> =>
      Promise.reject(new StackyardError("unauthenticated", { message: "the login failed" }));
    const provider = createDynamicProvider(shelf, { openCloud: refuse, log: quietLog, definitions: [] });
    const { failures } = await provider.check({}, news);
    expect(failures).toMatchObject([
      { property: "", reason: expect.stringContaining("[unauthenticated]") as string },
    ]);
  });
});

describe("check of an import", () => {
  it("leaves all as it was written, a drift that the next update repairs too", async () => {
    const setting = makeShelves();
    const { outs } = await setting.provider.create(await checkShelf(setting));
    const written = { ...outs, name: "shelf", drift: ["resource: expected whole, found broken"] };
    await expect(setting.provider.check({}, written)).resolves.toEqual({ inputs: written, failures: [] });
  });

  it("refuses what is not in the cloud", async () => {
    const written = { ...news, __maker: urn, uuid: "00000000-0000-4000-8000-000000000000" };
    const error = await thrownBy(makeShelves().provider.check({}, written));
    expect(error).toMatchObject({
      message: expect.stringContaining("there is no shelf of this id in the cloud") as string,
    });
  });
});

describe("diff", () => {
  it("says that nothing changes when only internals differ", async () => {
    const { provider } = makeShelves();
    const olds = { room: "cellar", name: "shelf", __urn: "old", drift: [] };
    await expect(provider.diff("id", olds, { ...olds, __urn: "new" })).resolves.toEqual({ changes: false });
  });

  it("leaves the details to the engine where something changes", async () => {
    const { provider } = makeShelves();
    const diff = await provider.diff(
      "id",
      { room: "cellar", drift: [] },
      { room: "cellar", name: "x", drift: [] },
    );
    expect(diff).toEqual({ replaces: [], deleteBeforeReplace: false });
  });
});

describe("an error", () => {
  it("of an update keeps what the state needs to repair and to delete", async () => {
    const setting = makeShelves();
    const inputs = await checkShelf(setting);
    const { id, outs } = await setting.provider.create(inputs);
    setting.cloud.failures.set(id, new StackyardError("command-failed", { message: "moving it failed" }));
    const error = await thrownBy(setting.provider.update(id, outs, { ...inputs, name: "moved" }));
    expect(error).toMatchObject({
      id,
      message: "moving it failed [command-failed]\n  remedy: See the message of the command.",
      properties: { name: "moved", __provider: "text" },
      reasons: ["moving it failed [command-failed]\n  remedy: See the message of the command."],
    });
  });

  it("before anything was made leaves no trace in the state", async () => {
    const setting = makeShelves();
    const inputs = await checkShelf(setting);
    vi.spyOn(setting.cloud, "apply").mockRejectedValue(
      new StackyardError("forbidden", { message: "not yours" }),
    );
    const error = await thrownBy(setting.provider.create(inputs));
    expect(error).toMatchObject({ message: expect.stringContaining("not yours [forbidden]") as string });
    expect(error).not.toHaveProperty("id");
  });

  it("has no stack for the SDK to print", async () => {
    const setting = makeShelves();
    setting.cloud.unreachable.add("some-id");
    const error = await thrownBy(setting.provider.read("some-id", {}));
    expect(error).toMatchObject({ stack: "" });
  });
});

describe("read", () => {
  it("gives no id for what is proved absent", async () => {
    await expect(makeShelves().provider.read("00000000-0000-4000-8000-000000000000", {})).resolves.toEqual(
      {},
    );
  });
});

describe("delete", () => {
  it("after a create under the same id, as `--replace` has it, keeps the resource and says so", async () => {
    const warn = vi.fn<EngineLog["warn"]>();
    const { cloud, provider } = makeShelves({ ...quietLog, warn });
    const inputs = await checkShelf({ cloud, provider });
    const { id, outs } = await provider.create(inputs);
    await provider.create(await checkShelf({ cloud, provider }));
    await provider.delete(id, outs);
    expect(warn).toHaveBeenCalledWith(urn, expect.stringContaining("kept as it is"));
    await expect(cloud.read("shelf", id)).resolves.toMatchObject({ id });
  });

  it("of what was made in the same process removes it", async () => {
    const setting = makeShelves();
    const { id, outs } = await setting.provider.create(await checkShelf(setting));
    await setting.provider.delete(id, outs);
    await expect(setting.cloud.read("shelf", id)).resolves.toBeUndefined();
  });

  it("of what is gone already is fine", async () => {
    await expect(makeShelves().provider.delete("gone", { __urn: urn })).resolves.toBeUndefined();
  });
});
