import { describe, expect, test } from "vitest";

import { resourcesOf } from "../../../providers/scheduler/placement.ts";
import type { Schedule } from "../../../providers/scheduler/schedule.ts";
import { schedule } from "../../../providers/scheduler/schedule.ts";
import type { NovaCase } from "../../support/nova-case.ts";
import { readNovaCases } from "../../support/nova-case.ts";

const cases = readNovaCases();

/** Errors of Nova that are errors here too, by type, with our code. */
const errorCodes: Readonly<Record<string, string>> = {
  KeyError: "invalid-input", // unknown operator in a JSON query, quirk 21
  AttributeError: "invalid-input", // `$host.sub` in a JSON query, quirk 21
  ComputeHostMetricNotFound: "host-unsuitable", // metrics.required, quirk 14
};

/** Kind `error`, quirk 19: aggregate metadata that is no number fails every request of Nova's; here the host is filtered out. */
const refusedError = "ValueError";

const answered = cases.filter(({ answer }) => answer.error === undefined);
const failed = cases.filter(({ answer }) => answer.error !== undefined && answer.error.type !== refusedError);
const refused = cases.filter(({ answer }) => answer.error?.type === refusedError);

const titled = (list: readonly NovaCase[]) =>
  list.map((one) => [`${String(one.id)} (${one.kind})`, one] as const);

test("the fixture holds 392 answers, 6 errors that are errors here, and 2 of the quirk that is refused", () => {
  expect([answered.length, failed.length, refused.length]).toEqual([392, 6, 2]);
});

describe("every answer of Nova's comes out the same", () => {
  test.each(titled(answered))("case %s", (_title, { hosts, request, options, answer }) => {
    const result = schedule(hosts, request, options, { weights: true });

    expect({ ...summaryOf(result), resources: resourcesOf(request).amounts }).toEqual({
      removedBy: answer.removedBy,
      filtersRun: answer.filtersRun,
      order: answer.weighed.map(({ name }) => name),
      selected: answer.selected,
      alternates: answer.alternates,
      resources: answer.resources,
    });
    expect(weightsOf(result)).toEqual(answer.weighed.map(({ weight }) => relativelyCloseTo(weight)));
  });
});

describe("where Nova itself raises, so do we", () => {
  test.each(titled(failed))("case %s", (_title, { hosts, request, options, answer }) => {
    expect(() => schedule(hosts, request, options)).toThrow(
      expect.objectContaining({ name: "StackyardError", code: errorCodes[answer.error?.type ?? ""] }),
    );
  });
});

describe("metadata that is no number takes its hosts away instead of failing the request", () => {
  test.each(titled(refused))("case %s", (_title, { hosts, request, options }) => {
    const { trace } = schedule(hosts, request, options);

    const stage = trace.rounds[0]?.stages.at(-1);

    expect(stage?.name).toBe("AggregateInstanceExtraSpecsFilter");
    expect(stage?.removed).not.toEqual([]);
  });
});

function summaryOf({ selected, alternates, trace }: Schedule): object {
  const [round] = trace.rounds;
  const stages = round?.stages ?? [];
  return {
    removedBy: Object.fromEntries(
      stages.filter(({ removed }) => removed.length > 0).map(({ name, removed }) => [name, removed]),
    ),
    filtersRun: stages
      .map(({ name }) => name)
      .filter((name) => name !== "placement" && name !== "requested hosts"),
    order: round?.weighed?.map(({ name }) => name),
    selected: selected.map(({ name }) => name),
    alternates: alternates.map((hosts) => hosts.map(({ name }) => name)),
  };
}

function weightsOf({ trace }: Schedule): readonly number[] {
  return trace.rounds[0]?.weighed?.map(({ weight }) => weight) ?? [];
}

/** Equal but for a 1e-12th of the value. */
function relativelyCloseTo(expected: number): unknown {
  return {
    asymmetricMatch: (actual: unknown) =>
      typeof actual === "number" && Math.abs(actual - expected) <= 1e-12 * Math.abs(expected),
    toString: () => `close to ${String(expected)}`,
    toAsymmetricMatcher: () => `close to ${String(expected)}`,
  };
}
