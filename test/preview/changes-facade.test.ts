import { expect } from "vitest";
import { isReplacing } from "../../providers/core/change.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { makerOf, type TestCloud } from "../support/cloud.ts";
import { describeChanges, type ChangeDriver, type Verdict } from "./changes.ts";

/** The facade itself, as the command line uses it. */
function openFacade(test1: TestCloud): ChangeDriver {
  const { cloud } = test1;
  const plan = (type: string, name: string, inputs: JsonObject, prior?: JsonObject) =>
    cloud.plan({
      type,
      inputs,
      ...(prior === undefined ? {} : { prior }),
      maker: makerOf(type, name),
      defaultName: name,
    });
  const apply = async (type: string, name: string, inputs: JsonObject) => {
    const { id, inputs: state } = await cloud.apply({
      type,
      inputs,
      maker: makerOf(type, name),
      defaultName: name,
    });
    return { id, state };
  };
  return {
    create: async (type, name, inputs) => apply(type, name, (await plan(type, name, inputs)).inputs),
    preview: async (type, name, { state }, inputs): Promise<Verdict> => {
      const { change, issues } = await plan(type, name, inputs, state);
      expect(issues).toEqual([]);
      expect(change.action).not.toBe("create");
      const replacing = change.fields.filter(({ label }) => isReplacing(label)).map(({ field }) => field);
      const warned = change.fields
        .map(({ label }) => label)
        .filter((label) => label !== "live" && label !== "replace");
      return { action: change.action === "create" ? "none" : change.action, replacing, warned };
    },
    apply: async (type, name, prior, inputs) => {
      const planned = await plan(type, name, inputs, prior.state);
      if (planned.change.action !== "replace") return apply(type, name, planned.inputs);
      await cloud.remove(type, prior.id);
      return apply(type, name, (await plan(type, name, inputs)).inputs);
    },
  };
}

describeChanges("the facade", openFacade);
