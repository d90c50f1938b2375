import { describe, expect, test } from "vitest";
import { diffInputs } from "../../../providers/core/diff.ts";
import { checkRules, parseInputs } from "../../../providers/core/validate.ts";
import { serverGroup } from "../../../providers/servers/server-group.ts";
import { inEmptyWorld } from "../../support/world.ts";

test.each(["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"])(
  "takes the policy %s",
  (policy) => {
    expect(parseInputs(serverGroup, { policy }, []).issues).toEqual([]);
  },
);

test("refuses another policy", () => {
  expect(parseInputs(serverGroup, { policy: "spread" }, []).issues).toMatchObject([
    { field: "policy", value: "spread" },
  ]);
});

test("takes maxServersPerHost with anti-affinity", () => {
  expect(
    checkRules(serverGroup, { policy: "anti-affinity", maxServersPerHost: 2 }, [], inEmptyWorld()),
  ).toEqual([]);
});

describe("refuses maxServersPerHost with another policy, and says how to go on", () => {
  test.each(["affinity", "soft-affinity", "soft-anti-affinity"])("%s", (policy) => {
    expect(checkRules(serverGroup, { policy, maxServersPerHost: 2 }, [], inEmptyWorld())).toMatchObject([
      {
        code: "invalid-input",
        field: "maxServersPerHost",
        value: 2,
        remedy: "Leave maxServersPerHost out, or set the policy to anti-affinity.",
      },
    ]);
  });
});

test("waits with the rule until the policy is known", () => {
  expect(checkRules(serverGroup, { maxServersPerHost: 2 }, ["policy"], inEmptyWorld())).toEqual([]);
});

test("is replaced when the policy changes", () => {
  expect(diffInputs(serverGroup, { policy: "affinity" }, { policy: "anti-affinity" })).toMatchObject({
    action: "replace",
  });
});
