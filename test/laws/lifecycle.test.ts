import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ResourceView } from "../../providers/core/cloud.ts";
import { listLeaves } from "../../providers/core/fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../providers/core/json.ts";
import { definitions } from "../../providers/registry.ts";
import { addressOfHost, makerOf, makeFullWorld, TestCloud } from "../support/cloud.ts";
import { putToUse, specimenName, specimenOf, type Specimen } from "../support/specimens.ts";

describe.each(definitions)("$type", (definition) => {
  const { type } = definition;
  const request = { type, maker: makerOf(type, specimenName), defaultName: specimenName };
  let test1: TestCloud;
  let specimen: Specimen;
  let bare: readonly string[];

  function apply(inputs: JsonObject = specimen.inputs): Promise<ResourceView> {
    return test1.make(type, specimenName, inputs);
  }

  beforeAll(async () => {
    test1 = await TestCloud.open();
    specimen = specimenOf(type, test1, await makeFullWorld(test1));
    bare = await test1.holdings();
  });

  afterAll(async () => {
    await test1[Symbol.asyncDispose]();
  });

  test("is planned without anything being written anywhere", async () => {
    const store = test1.storeBytes();
    const hosts = test1.compute.dump();
    const changes = test1.compute.changes.length;

    await test1.cloud.plan({ ...request, inputs: specimen.inputs });

    expect(test1.storeBytes().equals(store)).toBe(true);
    expect(test1.compute.dump()).toBe(hosts);
    expect(test1.compute.changes).toHaveLength(changes);
  });

  test("is planned with all filled in that a preview is to show", async () => {
    const { inputs } = await test1.cloud.plan({ ...request, inputs: specimen.inputs });
    const paths = [...listLeaves(definition.inputs)]
      .filter(({ policy }) => policy?.computed === "plan")
      .map(({ path }) => path)
      // Nothing is filled in within an object that is not there.
      .filter((path) => !path.includes(".") || valueAt(inputs, path.replace(/\.[^.]*$/, "")) !== undefined);

    expect(paths.filter((path) => valueAt(inputs, path) === undefined)).toEqual([]);
    expect(inputs["id"]).toEqual(expect.any(String));
  });

  test("is made as it was planned, under the id that was planned", async () => {
    const planned = await test1.cloud.plan({ ...request, inputs: specimen.inputs });

    const made = await apply();

    expect(made.inputs).toMatchObject(planned.inputs);
    expect(made.id).toBe(planned.inputs["id"]);
    expect(made.record.status).toBe("active");
    expect(definition.outputs.safeParse(made.outputs)).toMatchObject({ success: true });
  });

  test("leaves nothing to plan once it is made", async () => {
    const made = await apply();

    const { change, inputs } = await test1.plan(made, specimenName, specimen.inputs);

    expect(change).toEqual({ action: "none", fields: [] });
    expect(inputs).toEqual(made.inputs);
  });

  test("is left as it is by a second apply", async () => {
    await apply();
    const hosts = test1.compute.dump();

    const again = await apply();

    expect(test1.compute.dump()).toBe(hosts);
    expect(again.record.status).toBe("active");
  });

  test("is observed without drift, as it was made", async () => {
    const made = await apply();

    expect(await test1.cloud.read(type, made.id)).toMatchObject({
      id: made.id,
      drift: [],
      record: { inputs: made.record.inputs },
    });
  });

  test("changes as the plan said, and leaves nothing to plan then", async () => {
    const made = await apply();
    const planned = await test1.plan(made, specimenName, specimen.changed);

    const changed = await test1.cloud.apply({ ...request, inputs: planned.inputs });

    expect(planned.issues).toEqual([]);
    expect(planned.change.action).not.toBe("replace");
    expect(changed.id).toBe(made.id);
    expect(await test1.plan(changed, specimenName, specimen.changed)).toMatchObject({
      change: { action: "none" },
    });
    expect(await test1.cloud.read(type, made.id)).toMatchObject({ drift: [] });
    // Renamed ones would stay beside the next.
    await test1.cloud.remove(type, made.id);
  });

  test("is listed, and found by its name", async () => {
    const made = await apply();

    expect((await test1.cloud.list(type)).map((view) => view.id)).toContain(made.id);
    expect(await test1.cloud.find(type, made.record.name)).toMatchObject({ id: made.id });
  });

  test("is removed completely, and removed again without complaint", async () => {
    const made = await apply();

    await test1.cloud.remove(type, made.id);
    await test1.cloud.remove(type, made.id);

    expect(await test1.cloud.read(type, made.id)).toBeUndefined();
    expect((await test1.cloud.list(type)).map((view) => view.id)).not.toContain(made.id);
    expect(await test1.holdings()).toEqual(bare);
  });
});

describe.each(definitions.filter((definition) => definition.observe !== undefined))("$type", ({ type }) => {
  test("is not taken for absent, or for sound, when its host cannot be reached", async () => {
    await using test1 = await TestCloud.open();
    const world = await makeFullWorld(test1);
    const specimen = specimenOf(type, test1, world);
    const made = await test1.make(type, specimenName, specimen.inputs);
    await putToUse(made, test1, world);
    for (const n of [1, 9]) test1.compute.unreachable.add(addressOfHost(n));

    await expect(test1.cloud.read(type, made.id)).rejects.toMatchObject({ code: "host-unreachable" });
    const { findings, failures } = await test1.cloud.drift({ resource: { type, id: made.id } });
    expect({ findings, failures }).toMatchObject({
      findings: [],
      failures: [{ error: { code: "host-unreachable" }, resources: [{ id: made.id }] }],
    });
  });

  test("is not removed when its host cannot be reached", async () => {
    await using test1 = await TestCloud.open();
    const specimen = specimenOf(type, test1, await makeFullWorld(test1));
    const made = await test1.make(type, specimenName, specimen.inputs);
    for (const n of [1, 9]) test1.compute.unreachable.add(addressOfHost(n));

    await expect(test1.cloud.remove(type, made.id)).rejects.toMatchObject({ code: "host-unreachable" });
    expect((await test1.cloud.list(type)).map((view) => view.id)).toContain(made.id);
  });
});

/** The value at a path of a definition; of a list its first entry's. */
function valueAt(value: JsonValue | undefined, path: string): JsonValue | undefined {
  return path
    .replaceAll("[]", ".0")
    .split(".")
    .reduce<JsonValue | undefined>((at, key) => {
      if (Array.isArray(at)) return (at as readonly JsonValue[])[0];
      return isJsonObject(at) ? at[key] : undefined;
    }, value);
}
