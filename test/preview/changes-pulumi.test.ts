import { expect } from "vitest";
import type { JsonObject } from "../../providers/core/json.ts";
import { createDynamicProvider } from "../../providers/engines/pulumi/dynamic-provider.ts";
import { definitions, findDefinition } from "../../providers/registry.ts";
import type { TestCloud } from "../support/cloud.ts";
import { describeChanges, labelOfWarning, type ChangeDriver } from "./changes.ts";

/** Pulumi's engine, from check to delete, in the order in which Pulumi calls. */
function openPulumi(test1: TestCloud): ChangeDriver {
  const warnings: string[] = [];
  const log = {
    follow: <T>(_urn: string, work: (onProgress: (line: string) => void) => Promise<T>) =>
      work(() => undefined),
    inform: () => undefined,
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
        warned: warnings.map(labelOfWarning),
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

describeChanges("Pulumi", openPulumi);
