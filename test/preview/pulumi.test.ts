import { rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { JsonValue } from "../../providers/core/json.ts";
import { unknownMarker } from "../../providers/engines/pulumi/properties.ts";
import { PulumiEngine, type Run } from "../support/pulumi-engine.ts";
import { makePulumiProject } from "../support/pulumi-project.ts";
import { DeepBox, Shelf, type DeepBoxArgs } from "../support/sample-resources.gen.ts";

const boxUrn = "urn:pulumi:test::project::pulumi-nodejs:dynamic/stackyard:DeepBox::box";

let folder: string;
let engine: PulumiEngine;

beforeAll(async () => {
  folder = makePulumiProject();
  engine = await PulumiEngine.start(folder);
});

afterEach(async () => {
  await engine.steer({ what: "recover" });
  await engine.destroy();
  engine.display.length = 0;
});

afterAll(async () => {
  await engine.stop();
  rmSync(folder, { recursive: true });
});

/** A shelf in a room. */
function shelfProgram(room = "cellar"): () => Promise<object> {
  return () => {
    const shelf = new Shelf("shelf", { room });
    return Promise.resolve({ shelf: shelf.uuid });
  };
}

/** A shelf with a box on it. */
function boxProgram(args: Partial<DeepBoxArgs> = {}): () => Promise<object> {
  return () => {
    const shelf = new Shelf("shelf", { room: "cellar" });
    const box = new DeepBox("box", { shelf, passphrase: "open sesame", ...args });
    return Promise.resolve({ mac: box.mac, address: box.address });
  };
}

function stepOf(run: Run, name: string): Run["steps"][number] | undefined {
  return run.steps.find((step) => step.name === name);
}

function boxId(): string {
  return engine.state.get(boxUrn)?.id ?? "";
}

function boxOutput(key: string): JsonValue | undefined {
  return engine.state.get(boxUrn)?.outputs[key];
}

describe("preview", () => {
  it("knows identity and derived inputs before anything is made", async () => {
    const { exports } = await engine.preview(boxProgram());
    expect(exports["mac"]).toMatch(/^fa:16:3e:/);
  });

  it("leaves outputs unknown before anything is made", async () => {
    const { exports } = await engine.preview(boxProgram());
    expect(exports["address"]).toBe(unknownMarker);
  });

  it("takes a resource where an id is wanted, in nested inputs too", async () => {
    const run = await engine.preview(() => {
      const shelf = new Shelf("shelf", { room: "cellar" });
      new DeepBox("box", { shelf, neighbours: [shelf], sides: [{ label: "front", faces: shelf }] });
      return Promise.resolve({});
    });
    const uuid = run.seen.get("shelf")?.["uuid"];
    expect(run.seen.get("box")).toMatchObject({ shelf: uuid, neighbours: [uuid], sides: [{ faces: uuid }] });
  });

  it("tells beside a resource what would be done on the hosts, and an update does not tell it again", async () => {
    await engine.steer({ what: "foretell", host: "host-1" });
    const told = (): readonly string[] =>
      engine.display
        .filter(({ urn, text }) => urn === boxUrn && text.includes("host-1"))
        .map(({ text }) => text);
    await engine.preview(boxProgram());
    expect(told()).toEqual(["it stays on host host-1"]);
    await engine.up(boxProgram());
    await engine.preview(boxProgram());
    expect(told()).toHaveLength(1);
    await engine.preview(boxProgram({ color: "red" }));
    expect(told()).toHaveLength(2);
    const { inputs, outputs } = engine.state.get(boxUrn) ?? {};
    expect({ ...inputs, ...outputs }).not.toHaveProperty("__preview");
  });

  it("tells it of a resource that drifted, and once of one that is made anew", async () => {
    await engine.up(boxProgram());
    await engine.steer({ what: "foretell", host: "host-1" });
    await engine.steer({ what: "drift", id: boxId(), field: "running", expected: "on", found: "off" });
    await engine.refresh();
    engine.display.length = 0;
    const told = (): number => engine.display.filter(({ text }) => text.includes("host-1")).length;
    await engine.preview(boxProgram());
    expect(told()).toBe(1);
    await engine.steer({ what: "recover" });
    await engine.up(boxProgram());
    await engine.steer({ what: "foretell", host: "host-1" });
    engine.display.length = 0;
    await engine.preview(boxProgram({ mac: "fa:16:3e:00:00:01" }));
    expect(told()).toBe(1);
  });

  it("promises the id that the update then gives", async () => {
    const { seen } = await engine.preview(boxProgram());
    await engine.up(boxProgram());
    expect(boxId()).toBe(seen.get("box")?.["uuid"]);
  });

  it("writes nothing", async () => {
    await engine.preview(boxProgram());
    const run = await engine.up(boxProgram());
    expect(run.steps.map(({ op }) => op)).toEqual(["create", "create"]);
  });

  it("takes an input that is not known yet", async () => {
    const run = await engine.preview(() => {
      const shelf = new Shelf("shelf", { room: "cellar" });
      const box = new DeepBox("box", { shelf });
      new DeepBox("second", { shelf, labels: { first: box.address } });
      return Promise.resolve({});
    });
    expect(run.errors).toEqual([]);
    expect(run.seen.get("second")).toMatchObject({ labels: { first: unknownMarker } });
  });

  it("refuses a wrong input with field, code and remedy", async () => {
    const { errors } = await engine.preview(boxProgram({ ramMib: 9999 }));
    expect(errors[0]).toBe("ramMib: is larger than 4096 MiB [invalid-input]\n  remedy: Use at most 4096.");
  });

  it("names the place of a wrong nested input", async () => {
    const { errors } = await engine.preview(boxProgram({ sides: [{ label: "front", faces: "nowhere" }] }));
    expect(errors[0]).toMatch(
      /^sides: refers to a shelf .* \(field sides\.0\.faces = "nowhere"\) \[unknown-reference\]/,
    );
  });

  it("is empty after an update", async () => {
    await engine.up(boxProgram());
    const run = await engine.preview(boxProgram());
    expect(run.steps.map(({ op }) => op)).toEqual(["same", "same"]);
  });
});

describe("a change", () => {
  it("that is live updates in place, and names the field", async () => {
    await engine.up(boxProgram());
    const run = await engine.up(boxProgram({ color: "red" }));
    expect(stepOf(run, "box")).toEqual({ name: "box", op: "update", keys: ["color"] });
  });

  it("that restarts warns of it in the preview", async () => {
    await engine.up(boxProgram());
    await engine.preview(boxProgram({ ramMib: 128 }));
    await expect
      .poll(() => engine.display.map(({ urn, text }) => ({ urn, text })))
      .toContainEqual({ urn: boxUrn, text: "changing ramMib restarts the server (power cycle)" });
  });

  it("of an immutable field replaces", async () => {
    await engine.up(shelfProgram("cellar"));
    const run = await engine.up(shelfProgram("attic"));
    expect(run.steps).toEqual([{ name: "shelf", op: "replace", keys: ["room"] }]);
  });

  it("that replaces what others keep referring to makes the new one first", async () => {
    await engine.up(shelfProgram("cellar"));
    const { calls } = await engine.up(shelfProgram("attic"));
    expect(calls).toEqual(["create shelf", "delete shelf"]);
  });

  it("that replaces what nothing refers to removes the old one first", async () => {
    await engine.up(boxProgram({ mac: "fa:16:3e:00:00:01" }));
    const { calls } = await engine.up(boxProgram({ mac: "fa:16:3e:00:00:02" }));
    expect(calls).toEqual(["delete box", "create box"]);
  });

  it("of what the cloud had filled in replaces only once it is given", async () => {
    await engine.up(boxProgram());
    expect(boxOutput("owner")).toBe("admin");
    const run = await engine.preview(boxProgram({ owner: "eve" }));
    expect(stepOf(run, "box")).toMatchObject({ op: "replace", keys: ["owner"] });
  });

  it("keeps what the cloud gives only once", async () => {
    await engine.up(boxProgram());
    await engine.up(boxProgram({ color: "blue" }));
    expect(boxOutput("privateKey")).toBe("PRIVATE");
  });
});

describe("a failed create", () => {
  it("is recorded, with its provider, and taken up by the next update", async () => {
    const { seen } = await engine.preview(boxProgram());
    await engine.steer({ what: "fail", id: seen.get("box")?.["uuid"] });
    const failed = await engine.up(boxProgram());
    expect(failed.errors.join()).toContain("folding the box failed [command-failed]");
    expect(engine.state.get(boxUrn)).toMatchObject({ id: seen.get("box")?.["uuid"] });
    const repaired = await engine.up(boxProgram());
    expect(stepOf(repaired, "box")?.op).toBe("update");
  });
});

describe("refresh", () => {
  it("shows drift, and the next update repairs it", async () => {
    await engine.up(boxProgram());
    const drift = { field: "state", expected: "running", found: "shut off" };
    await engine.steer({ what: "drift", id: boxId(), ...drift });
    const refreshed = await engine.refresh();
    expect(stepOf(refreshed, "box")?.keys).toEqual(["drift"]);
    expect(boxOutput("drift")).toEqual([
      "state: expected running, found shut off; the next update starts it (live)",
    ]);
    const repaired = await engine.up(boxProgram());
    expect(stepOf(repaired, "box")).toEqual({ name: "box", op: "update", keys: ["drift"] });
  });

  it("changes nothing when nothing drifted", async () => {
    await engine.up(boxProgram());
    const run = await engine.refresh();
    expect(run.steps.flatMap(({ keys }) => keys)).toEqual([]);
  });

  it("forgets what is proved absent", async () => {
    await engine.up(boxProgram());
    await engine.steer({ what: "vanish", type: "deep-box", id: boxId() });
    const run = await engine.refresh();
    expect(stepOf(run, "box")?.op).toBe("delete");
  });

  it("never takes an unreachable host for absence", async () => {
    await engine.up(boxProgram());
    await engine.steer({ what: "unreachable", id: boxId() });
    const { errors } = await engine.refresh();
    expect(errors.join()).toContain("[host-unreachable]");
    expect(engine.state.has(boxUrn)).toBe(true);
  });

  it("keeps secrets that the cloud does not give back", async () => {
    await engine.up(boxProgram());
    await engine.up(boxProgram({ color: "blue" }));
    await engine.refresh();
    expect(boxOutput("passphrase")).toBe("open sesame");
    expect(boxOutput("privateKey")).toBe("PRIVATE");
  });
});

it("marks secret inputs and outputs for the state", async () => {
  await engine.up(boxProgram());
  expect(engine.state.get(boxUrn)?.secrets).toEqual(["passphrase", "privateKey"]);
});

it("shows each step of an apply in the Info column of its resource", async () => {
  await engine.up(boxProgram());
  await expect
    .poll(() => engine.display)
    .toContainEqual({ urn: boxUrn, text: "fold", severity: 1, isEphemeral: true });
});

it("deletes what the program no longer has", async () => {
  await engine.up(boxProgram());
  const run = await engine.up(shelfProgram());
  expect(stepOf(run, "box")?.op).toBe("delete");
});
