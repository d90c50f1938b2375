import { describe, expect, test } from "vitest";
import { z } from "zod";
import { changeLabels } from "../../providers/core/change.ts";
import { diffInputs } from "../../providers/core/diff.ts";
import { listLeaves, policyOf, shapeOf, unwrapSchema } from "../../providers/core/fields.ts";
import { quotaNames } from "../../providers/core/quota.ts";
import { definitions } from "../../providers/registry.ts";

/** Every input field of the registry: type, key and schema. */
const inputFields = definitions.flatMap((definition) =>
  Object.entries(shapeOf(definition.inputs)).map(([key, schema]) => ({ definition, key, schema })),
);

const immutableFields = inputFields.filter(({ schema }) => policyOf(schema)?.change === "replace");

describe.each(definitions)("$type", (definition) => {
  test("documents each of its fields, nested ones and those of its actions too", () => {
    const actions = Object.values(definition.actions ?? {}).map((action) => action.input);
    const leaves = [definition.inputs, definition.outputs, ...actions].flatMap((object) => [
      ...listLeaves(object),
    ]);
    const bare = leaves.filter(({ policy }) => (policy?.doc ?? "").length < 5).map(({ path }) => path);

    expect(bare).toEqual([]);
  });

  test("is described by a sentence, as are its rules and actions", () => {
    const sentences = [
      definition.summary,
      ...definition.rules.map((rule) => rule.says),
      ...Object.values(definition.actions ?? {}).map((action) => action.doc),
    ];

    expect(sentences.filter((sentence) => !/^[^\n]{10,}\.$/.test(sentence))).toEqual([]);
  });

  test("can be written down as a JSON schema, by which any engine may know it", () => {
    const schemas = [definition.inputs, definition.outputs].map((object) =>
      z.toJSONSchema(object, { unrepresentable: "throw", io: "input" }),
    );

    expect(schemas.map((schema) => Object.keys(schema.properties ?? {}))).toEqual([
      Object.keys(shapeOf(definition.inputs)),
      Object.keys(shapeOf(definition.outputs)),
    ]);
  });

  test("has its secret inputs at the top, as text: there they are digested", () => {
    const secrets = [...listLeaves(definition.inputs)].filter(({ policy }) => policy?.secret === true);
    const wrong = secrets.filter(
      ({ path, schema }) => path.includes(".") || !(unwrapSchema(schema) instanceof z.ZodString),
    );

    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test("names its rules' fields as it names its inputs", () => {
    const named = definition.rules.flatMap((rule) => [rule.field.split(".")[0] ?? "", ...rule.reads]);

    expect(named.filter((field) => !(field in shapeOf(definition.inputs)))).toEqual([]);
  });

  test("names its steps once: journals and hosts tell them apart by name", () => {
    const names = definition.reconcile.map((step) => step.name);

    expect(names).toEqual([...new Set(names)]);
  });
});

test.each(inputFields)("a change of $definition.type.$key has a label", ({ definition, key }) => {
  const { fields, label } = diffInputs(definition, { [key]: "before" }, { [key]: "after" });

  expect(fields).toMatchObject([{ field: key, from: "before", to: "after", label }]);
  expect(changeLabels).toContain(label);
});

test.each(immutableFields)(
  "$definition.type.$key never changes, so that another value makes another resource",
  ({ definition, key }) => {
    const change = diffInputs(definition, { [key]: "before" }, { [key]: "after" });

    expect(change).toMatchObject({ action: "replace", label: "replace" });
  },
);

test("types and plurals are told apart by every engine", () => {
  const names = definitions.flatMap(({ type, plural }) => [type, plural]);

  expect(names.filter((name) => !/^[a-z]+(-[a-z]+)*$/.test(name))).toEqual([]);
  expect(new Set(names).size).toBe(names.length);
});

test("every quota is counted, by resources of projects alone", () => {
  const counting = definitions.filter(({ quotas }) => quotas !== undefined);

  expect(new Set(counting.flatMap(({ quotas = {} }) => Object.keys(quotas)))).toEqual(new Set(quotaNames));
  expect(counting.filter(({ scope }) => scope !== "project")).toEqual([]);
});

test("references lead to types that are there", () => {
  const types = definitions.map(({ type }) => type);
  const references = definitions.flatMap((definition) =>
    [...listLeaves(definition.inputs)].flatMap(({ policy }) => policy?.references ?? []),
  );

  expect(references.filter((type) => !types.includes(type))).toEqual([]);
});
