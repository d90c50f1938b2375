import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../providers/core/json.ts";
import { Claims } from "../../providers/engines/terraform/claims.ts";
import { planResource, type ResourcePlan } from "../../providers/engines/terraform/plan.ts";
import {
  applyResource,
  destroyResource,
  readResource,
  type Stored,
} from "../../providers/engines/terraform/resource.ts";
import { resourceAttributes } from "../../providers/engines/terraform/schema.ts";
import type { Session } from "../../providers/engines/terraform/session.ts";
import {
  containsUnknown,
  equalValues,
  fromJson,
  type Values,
} from "../../providers/engines/terraform/values.ts";
import { definitions } from "../../providers/registry.ts";
import { makeFullWorld, TestCloud } from "../support/cloud.ts";
import { specimenName, specimenOf, type Specimen } from "../support/specimens.ts";

describe.each(definitions)("$type, by Terraform,", (definition) => {
  const attributes = resourceAttributes(definition);
  const type = { definition, attributes };
  const logged: string[] = [];
  let test1: TestCloud;
  let specimen: Specimen;
  let bare: readonly string[];

  /** Each phase of a command has a process of its own. */
  function openPhase(): Session {
    return {
      stack: "law",
      isApplying: false,
      claims: new Claims(),
      log: (_level, message) => void logged.push(message),
      signal: new AbortController().signal,
      openCloud: () => Promise.resolve(test1.cloud),
      close: () => Promise.resolve(),
    };
  }

  function configOf(inputs: JsonObject): Values {
    const named: JsonObject = {
      ...("name" in definition.inputs.shape ? { name: specimenName } : {}),
      ...inputs,
    };
    return Object.fromEntries(attributes.map(({ key, type: kind }) => [key, fromJson(named[key], kind)]));
  }

  function plan(inputs: JsonObject, before?: Stored): Promise<ResourcePlan> {
    return planResource(openPhase(), {
      ...type,
      config: configOf(inputs),
      prior: before?.state,
      priorPrivate: before?.kept ?? { filled: [] },
      isReplacement: false,
    });
  }

  async function apply(inputs: JsonObject, before?: Stored): Promise<Stored> {
    const { planned } = await plan(inputs, before);
    return applyResource(openPhase(), type, {
      prior: before?.state,
      planned,
      config: configOf(inputs),
      kept: before?.kept ?? { filled: [] },
    });
  }

  beforeAll(async () => {
    test1 = await TestCloud.open();
    specimen = specimenOf(definition.type, test1, await makeFullWorld(test1));
    bare = await test1.holdings();
  });

  afterAll(async () => {
    await test1[Symbol.asyncDispose]();
  });

  test("is made as planned, read as made, and leaves nothing to plan; then it is changed, and removed", async () => {
    const made = await apply(specimen.inputs);
    expect(made.diagnostics).toEqual([]);
    expect(containsUnknown(made.state ?? {})).toBe(false);

    const read = await readResource(openPhase(), type, made.state ?? {});
    expect(equalValues(read.state, made.state)).toBe(true);
    const again = await plan(specimen.inputs, read);
    expect(equalValues(again.planned, made.state)).toBe(true);
    expect(again.requiresReplace).toEqual([]);

    const changed = await apply(specimen.changed, read);
    expect(changed.diagnostics).toEqual([]);
    expect(changed.state?.["id"]).toBe(made.state?.["id"]);
    const last = await readResource(openPhase(), type, changed.state ?? {});
    expect(equalValues((await plan(specimen.changed, last)).planned, last.state)).toBe(true);
    expect(logged).not.toContain("the resource is not as planned");

    await destroyResource(openPhase(), type, last.state ?? {});
    expect(await test1.holdings()).toEqual(bare);
  });
});
