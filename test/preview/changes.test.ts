import { describe, expect, test } from "vitest";
import { isReplacing } from "../../providers/core/change.ts";
import { shapeOf } from "../../providers/core/fields.ts";
import type { JsonObject } from "../../providers/core/json.ts";
import { createDynamicProvider } from "../../providers/engines/pulumi/dynamic-provider.ts";
import { definitions, findDefinition } from "../../providers/registry.ts";
import { makerOf, type TestCloud } from "../support/cloud.ts";
import { listChanges } from "./change-table.ts";
import { describeChanges, noOthers, type ChangeDriver, type Verdict } from "./changes.ts";

describe.each(definitions)("the change table of $type", ({ type, inputs }) => {
  test("has a row for each field", () => {
    const rows = listChanges(noOthers).filter((row) => row.type === type);
    expect([...new Set(rows.map(({ field }) => field))].toSorted()).toEqual(
      Object.keys(shapeOf(inputs)).toSorted(),
    );
  });
});

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

/** Pulumi's engine, from check to delete, in the order in which Pulumi calls. */
function openPulumi(test1: TestCloud): ChangeDriver {
  const warnings: string[] = [];
  const log = {
    follow: <T>(_urn: string, work: (onProgress: (line: string) => void) => Promise<T>) =>
      work(() => undefined),
    warn: (_urn: string, message: string) => void warnings.push(message),
  };
  const providerOf = (type: string) => {
    const definition = findDefinition(type);
    if (definition === undefined) throw new Error(`no type ${type}`);
    return createDynamicProvider(definition, {
      openCloud: () => Promise.resolve(test1.cloud),
      log,
      definitions,
    });
  };
  const declare = (type: string, name: string, inputs: JsonObject): JsonObject => ({
    ...inputs,
    __urn: `urn:pulumi:dev::p::${type}::${name}`,
    __defaultName: name,
    __provider: "text",
  });
  const check = async (type: string, name: string, inputs: JsonObject, olds: JsonObject) => {
    const { inputs: news, failures } = await providerOf(type).check(olds, declare(type, name, inputs));
    expect(failures).toEqual([]);
    return news;
  };
  const create = async (type: string, news: JsonObject) => {
    const { id, outs } = await providerOf(type).create(news);
    return { id, state: { outs, inputs: news } };
  };
  const partsOf = (state: JsonObject) => state as { outs: JsonObject; inputs: JsonObject };
  return {
    create: async (type, name, inputs) => create(type, await check(type, name, inputs, {})),
    preview: async (type, name, { id, state }, inputs) => {
      warnings.length = 0;
      const { outs, inputs: olds } = partsOf(state);
      const news = await check(type, name, inputs, olds);
      const { changes, replaces = [] } = await providerOf(type).diff(id, outs, news);
      return {
        action: changes === false ? "none" : replaces.length > 0 ? "replace" : "update",
        replacing: replaces,
        warned: warnings.map(labelOf),
      };
    },
    apply: async (type, name, prior, inputs) => {
      const { outs, inputs: olds } = partsOf(prior.state);
      const provider = providerOf(type);
      const news = await check(type, name, inputs, olds);
      const { replaces = [], deleteBeforeReplace } = await provider.diff(prior.id, outs, news);
      if (replaces.length === 0) {
        const { outs: after } = await provider.update(prior.id, outs, news);
        return { id: prior.id, state: { outs: after, inputs: news } };
      }
      // Pulumi checks a replacement anew, without what was.
      const fresh = await check(type, name, inputs, {});
      if (deleteBeforeReplace === true) await provider.delete(prior.id, outs);
      const made = await create(type, fresh);
      if (deleteBeforeReplace !== true) await provider.delete(prior.id, outs);
      return made;
    },
  };
}

/** The label that a warning of Pulumi's engine is for. */
function labelOf(warning: string): "reboot" | "restart" | "data-loss" {
  if (warning.includes("reboots the guest")) return "reboot";
  if (warning.includes("restarts the server (power cycle)")) return "restart";
  expect(warning).toContain("the data on it is lost");
  return "data-loss";
}

describeChanges("the facade", openFacade);
describeChanges("Pulumi", openPulumi);
