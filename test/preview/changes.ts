import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { isReplacing, type ChangeLabel } from "../../providers/core/change.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { definitions } from "../../providers/registry.ts";
import { cephInputs } from "../support/ceph.ts";
import {
  addressOfHost,
  hostInputs,
  makeFullWorld,
  TestCloud,
  textOf,
  type FullWorld,
} from "../support/cloud.ts";
import { specimenOf } from "../support/specimens.ts";
import { listChanges, type ChangeCase, type Others } from "./change-table.ts";

/** What an engine's preview says of a change: in place or anew, the fields that force a new one, what it warns of. */
export interface Verdict {
  readonly action: "none" | "update" | "replace";
  /** Top-level fields that make it anew. */
  readonly replacing: readonly string[];
  /** The worse labels that it warns of; the words are the engine's own. */
  readonly warned: readonly ChangeLabel[];
}

/** A resource as an engine remembers it. */
export interface Remembered {
  readonly id: string;
  readonly state: JsonObject;
}

/** An engine over a cloud: what a user's declaration goes through, without the engine's own process. */
export interface ChangeDriver {
  create(type: string, name: string, inputs: JsonObject): Promise<Remembered>;
  preview(type: string, name: string, prior: Remembered, inputs: JsonObject): Promise<Verdict>;
  /** Carries out what the preview said. */
  apply(type: string, name: string, prior: Remembered, inputs: JsonObject): Promise<Remembered>;
}

/** The label that a warning of an engine is for. */
export function labelOfWarning(warning: string): ChangeLabel {
  if (warning.includes("reboots the guest")) return "reboot";
  if (warning.includes("restarts the server (power cycle)")) return "restart";
  expect(warning).toContain("the data on it is lost");
  return "data-loss";
}

/** What an engine must say of a label: only what is worse than its own words tell is warned of. */
export function verdictOf(label: ChangeLabel, field: string): unknown {
  const warns = label !== "live" && label !== "replace";
  return {
    action: isReplacing(label) ? "replace" : "update",
    // What follows from the field, such as an address from its subnet, is made anew with it.
    replacing: isReplacing(label) ? (expect.arrayContaining([field]) as unknown) : [],
    warned: warns ? [label] : [],
  };
}

/** The process of a server's domain, its uuid, and how often its guest has booted. */
export interface Running {
  readonly id: string;
  readonly processId: number | undefined;
  readonly boots: number | undefined;
}

/** What runs of a server; of anything else only its id. */
export function observe(test1: TestCloud, id: string): Running {
  return { id, processId: test1.compute.processOf(id), boots: test1.compute.bootsOf(id) };
}

/** For the titles only. */
export const noOthers: Others = {
  project: "",
  user: "",
  host: "",
  cluster: "",
  keyring: "",
  diskPool: "",
  imagePool: "",
  flavor: "",
  image: "",
  keypair: "",
  network: "",
  subnet: "",
  group: "",
  firstHost: "",
  pool: "",
  volumeType: "",
  worldType: "",
  fileType: "",
  volume: "",
  spareVolume: "",
  system: "",
  nextSystem: "",
  sharedVolume: "",
  instance: "",
  snapshot: "",
};

/** What a test of this row is called. */
export function titleOf({ type, field, how, label }: ChangeCase): string {
  return `${type}.${field}${how === undefined ? "" : ` that ${how}`} is ${label}`;
}

const titles = listChanges(noOthers).map((row, index) => ({ title: titleOf(row), index }));

/** Drives the whole change table through an engine: the verdict, what then happens, and that nothing is left to change. */
export function describeChanges(engine: string, open: (test: TestCloud) => ChangeDriver): void {
  describe(`${engine}: the change table`, () => {
    let test1: TestCloud;
    let world: Awaited<ReturnType<typeof makeChangeWorld>>;
    let kept: ReadonlySet<string>;
    let driver: ChangeDriver;

    beforeAll(async () => {
      test1 = await TestCloud.open();
      world = await makeChangeWorld(test1);
      const views = await Promise.all(definitions.map(({ type }) => test1.cloud.list(type)));
      kept = new Set(views.flat().map(({ id }) => id));
      driver = open(test1);
    });

    afterEach(async () => {
      for (const { type } of definitions.toReversed()) {
        for (const { id } of await test1.cloud.list(type))
          if (!kept.has(id)) await test1.cloud.remove(type, id);
      }
    });

    afterAll(async () => {
      await test1[Symbol.asyncDispose]();
    });

    function caseAt(index: number): ChangeCase {
      const found = listChanges(world.other)[index];
      if (found === undefined) throw new Error(`the change table has no row ${String(index)}`);
      return found;
    }

    test.each(titles)("$title", async ({ index }) => {
      const { type, field, label, before = {}, change } = caseAt(index);
      const name = `case-${String(index)}`;
      const first = { ...specimenOf(type, test1, world.small).inputs, ...before };
      const second = withChange(first, change);
      const made = await driver.create(type, name, first);
      const running = observe(test1, made.id);

      const verdict = await driver.preview(type, name, made, second);
      const after = await driver.apply(type, name, made, second);
      const again = await driver.preview(type, name, after, second);

      expect(verdict).toEqual(verdictOf(label, field));
      expect(again.action).toBe("none");
      expect(whatHappened(label, running, observe(test1, after.id))).toBe(label);
    });
  });
}

/** The label that fits what became of the resource; of the two that make it anew, the one that was promised. */
export function whatHappened(promised: ChangeLabel, before: Running, after: Running): ChangeLabel {
  if (before.id !== after.id) return promised === "data-loss" ? "data-loss" : "replace";
  // Who was not running is not stopped by being started.
  if (before.processId === undefined) return "live";
  if (before.processId !== after.processId) return "restart";
  return before.boots === after.boots ? "live" : "reboot";
}

/** One more of everything that cases refer to, in the same world. */
export async function makeChangeWorld(
  test1: TestCloud,
): Promise<{ readonly small: FullWorld; readonly other: Others }> {
  const small = await makeFullWorld(test1);
  const make = async (type: string, inputs: JsonObject): Promise<string> =>
    (await test1.make(type, "other", inputs)).id;
  const network = await make("network", {});
  const [first] = small.hosts;
  const makePool = async (content: string): Promise<string> =>
    (await test1.make("storage-pool", `other ${content}`, { cluster: small.ceph.id, content })).id;
  // While there is no other host where it could come to lie.
  const instance = await make("server", { ...small.server, networks: [] });
  test1.compute.addMachine(addressOfHost(8));
  const pool = await make("storage-pool", { cluster: small.ceph.id, content: "volumes", pool: "more-disks" });
  const volume = await make("volume", { volumeType: small.volumeType.id, sizeGib: 1 });
  const shared = await test1.make("volume-type", "shared", { storagePool: small.pool.id, multiattach: true });
  const makeVolume = async (name: string, volumeType: string): Promise<string> =>
    (await test1.make("volume", name, { volumeType, sizeGib: 1 })).id;
  const fileType = await test1.make("volume-type", "files");
  return {
    small,
    other: {
      project: await make("project", {}),
      user: await make("user", { password: "open sesame" }),
      host: await make("host", hostInputs(8)),
      keyring: textOf(cephInputs("spare", test1.folder, first?.id, "copy.keyring"), "keyringFile"),
      cluster: await make("ceph-cluster", cephInputs("other", test1.folder, first?.id)),
      diskPool: await makePool("vms"),
      imagePool: await makePool("images"),
      flavor: await make("flavor", { vcpus: 2, ramMib: 512, diskGib: 1 }),
      image: await make("image", { disk: { location: "/images/cirros.qcow2" } }),
      keypair: await make("keypair", {}),
      network,
      subnet: await make("subnet", { network, cidr: "10.2.0.0/24" }),
      group: await make("server-group", { policy: "affinity" }),
      firstHost: first?.id ?? "",
      pool,
      volumeType: await make("volume-type", { storagePool: pool }),
      worldType: small.volumeType.id,
      fileType: fileType.id,
      volume,
      spareVolume: await makeVolume("spare", small.volumeType.id),
      system: await makeVolume("system", small.volumeType.id),
      nextSystem: await makeVolume("next system", small.volumeType.id),
      sharedVolume: await makeVolume("shared", shared.id),
      instance,
      snapshot: await make("snapshot", { volume }),
    },
  };
}

/** Inputs after a change. */
export function withChange(inputs: JsonObject, change: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries({ ...inputs, ...change }).filter(([, value]) => value !== null));
}
