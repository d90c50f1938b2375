import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ResourceView } from "../../providers/core/cloud.ts";
import type { ErrorCode } from "../../providers/core/errors.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { definitions } from "../../providers/registry.ts";
import type { Moment } from "../fakes/fault.ts";
import { makerOf, makeFullWorld, TestCloud, type FullWorld } from "../support/cloud.ts";
import {
  specimenName,
  specimenOf,
  specimenOfVariant,
  variants,
  type Specimen,
} from "../support/specimens.ts";

/** One that concerns the host, after which another host is tried, and one that concerns what was asked for. */
const codes: readonly ErrorCode[] = ["command-failed", "image-format"];
const moments: readonly Moment[] = ["before", "after"];

/** A failure of one call to compute, or of that and the next: then what takes things back fails too. */
interface Failure {
  readonly call: number;
  readonly moment: Moment;
  readonly code: ErrorCode;
  readonly times: number;
}

/** Every failure of a task that makes so many calls. A create is taken back, which may fail too. */
function listFailures(calls: number, isCreate: boolean): readonly Failure[] {
  return Array.from({ length: calls }, (_, index) => index + 1).flatMap((call) =>
    moments.flatMap((moment) =>
      (isCreate ? codes : codes.slice(0, 1)).flatMap((code) =>
        (isCreate ? [1, 2] : [1]).map((times) => ({ call, moment, code, times })),
      ),
    ),
  );
}

/** How many calls to compute the tasks of a definition make when nothing fails. */
async function countCalls(
  type: string,
  makeSpecimen: (test: TestCloud, world: FullWorld) => Specimen,
  isEncrypted: boolean,
): Promise<Readonly<Record<"create" | "update" | "remove", readonly Failure[]>>> {
  await using test1 = await TestCloud.open();
  const specimen = makeSpecimen(test1, await makeFullWorld(test1, { isEncrypted }));
  // What the first one leaves in caches is there for all after it.
  await test1.cloud.remove(type, (await test1.make(type, specimenName, specimen.inputs)).id);
  const counts: number[] = [];
  const count = (): number => counts[counts.push(test1.compute.calls.length) - 1] ?? 0;
  const start = count();
  const { id } = await test1.make(type, specimenName, specimen.inputs);
  const made = count();
  await test1.make(type, specimenName, specimen.changed);
  const changed = count();
  await test1.cloud.remove(type, id);
  return {
    create: listFailures(made - start, true),
    update: listFailures(changed - made, false),
    remove: listFailures(count() - changed, false),
  };
}

const suites = await Promise.all(
  [
    ...definitions.map(({ type }) => ({
      title: type,
      type,
      isEncrypted: false,
      makeSpecimen: (test: TestCloud, world: FullWorld) => specimenOf(type, test, world),
    })),
    ...variants.map((variant) => ({
      title: `${variant.type} ${variant.shape}`,
      type: variant.type,
      isEncrypted: variant.isEncrypted ?? false,
      makeSpecimen: (test: TestCloud, world: FullWorld) => specimenOfVariant(variant, test, world),
    })),
  ].map(async (suite) => ({
    ...suite,
    failures: await countCalls(suite.type, suite.makeSpecimen, suite.isEncrypted),
  })),
);

describe.each(suites.filter(({ failures }) => failures.create.length > 0))(
  "$title",
  ({ type, makeSpecimen, isEncrypted, failures }) => {
    const request = { type, maker: makerOf(type, specimenName), defaultName: specimenName };
    let test1: TestCloud;
    let specimen: Specimen;
    let id: string;
    /** What the cloud holds without the specimen, with it, and with it when it was changed. */
    let bare: readonly string[];
    let made: readonly string[];
    let changed: readonly string[];

    function apply(inputs: JsonObject): Promise<ResourceView> {
      return test1.make(type, specimenName, inputs);
    }

    /** The task fails, and what made it fail is mended then. */
    async function expectFailure({ call, moment, code, times }: Failure, task: () => Promise<unknown>) {
      test1.compute.failCall(call, moment, code, times);
      await expect(task()).rejects.toMatchObject({ name: "StackyardError" });
      test1.compute.mend();
    }

    beforeAll(async () => {
      test1 = await TestCloud.open();
      specimen = makeSpecimen(test1, await makeFullWorld(test1, { isEncrypted }));
      bare = await test1.holdings();
      ({ id } = await apply(specimen.inputs));
      made = await test1.holdings();
      await apply(specimen.changed);
      changed = await test1.holdings();
    });

    beforeEach(async () => {
      await test1.cloud.remove(type, id);
    });

    afterAll(async () => {
      await test1[Symbol.asyncDispose]();
    });

    async function expectConverged(inputs: JsonObject, holdings: readonly string[]): Promise<void> {
      const view = await test1.cloud.read(type, id);
      expect(view).toMatchObject({ drift: [], record: { status: "active" } });
      expect(view?.record).not.toHaveProperty("fault");
      const prior = { ...view?.inputs, id };
      expect((await test1.cloud.plan({ ...request, inputs, prior })).change.action).toBe("none");
      expect(await test1.holdings()).toEqual(holdings);
    }

    describe.each(failures.create)(
      "a create whose call $call fails $moment it, $times x $code,",
      (failure) => {
        test("is finished by the next apply", async () => {
          await expectFailure(failure, () => apply(specimen.inputs));

          await apply(specimen.inputs);

          await expectConverged(specimen.inputs, made);
        });

        test("leaves nothing but its journal when it is given up", async () => {
          const before = await test1.cloud.journal(id);
          await expectFailure(failure, () => apply(specimen.inputs));

          await test1.cloud.remove(type, id);

          expect(await test1.holdings()).toEqual(bare);
          const journal = (await test1.cloud.journal(id)).slice(before.length);
          expect(journal.map((entry) => entry.phase)).toContain("failure");
        });
      },
    );

    describe.each(failures.update)(
      "an update whose call $call fails $moment it, $times x $code,",
      (failure) => {
        beforeEach(async () => {
          await apply(specimen.inputs);
          await expectFailure(failure, () => apply(specimen.changed));
        });

        test("is finished by the next apply", async () => {
          await apply(specimen.changed);

          await expectConverged(specimen.changed, changed);
        });

        test("is reverted by an apply of what was before", async () => {
          await apply(specimen.inputs);

          await expectConverged(specimen.inputs, made);
        });

        test("leaves nothing when it is removed then", async () => {
          await test1.cloud.remove(type, id);

          expect(await test1.holdings()).toEqual(bare);
        });
      },
    );

    describe.each(failures.remove)(
      "a removal whose call $call fails $moment it, $times x $code,",
      (failure) => {
        beforeEach(async () => {
          await apply(specimen.inputs);
          await expectFailure(failure, () => test1.cloud.remove(type, id));
        });

        test("is finished by the next removal", async () => {
          await test1.cloud.remove(type, id);
          await test1.cloud.remove(type, id);

          expect(await test1.holdings()).toEqual(bare);
        });

        test("is made up for by an apply", async () => {
          await apply(specimen.inputs);

          await expectConverged(specimen.inputs, made);
        });
      },
    );
  },
);
