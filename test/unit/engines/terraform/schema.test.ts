import { describe, expect, it, test } from "vitest";
import {
  dataSourceAttributes,
  resourceAttributes,
  toWireSchema,
  typeNameOf,
  type Attribute,
} from "../../../../providers/engines/terraform/schema.ts";
import { definitions } from "../../../../providers/registry.ts";
import { deepBox } from "../../../support/sample-definitions.ts";

const attributes = resourceAttributes(deepBox);

function find(key: string, among: readonly Attribute[] = attributes): Attribute | undefined {
  return among.find((attribute) => attribute.key === key);
}

describe("an attribute", () => {
  it.each([
    ["name", { required: true, optional: false, computed: false }],
    ["shelf", { required: true, optional: false, computed: false }],
    ["ramMib", { required: false, optional: true, computed: true }],
    ["color", { required: false, optional: true, computed: false }],
    ["mac", { required: false, optional: true, computed: true }],
    ["owner", { required: false, optional: true, computed: true }],
    ["address", { required: false, optional: false, computed: true }],
    ["id", { required: false, optional: false, computed: true }],
    ["drift", { required: false, optional: false, computed: true }],
  ])("%s is required, optional or computed as its field is", (key, flags) => {
    expect(find(key)).toMatchObject(flags);
  });

  it("of a secret input is sensitive, and has a write-only twin with a version", () => {
    expect(find("passphrase")).toMatchObject({ sensitive: true, writeOnly: false });
    expect(find("passphraseWo")).toMatchObject({ name: "passphrase_wo", sensitive: true, writeOnly: true });
    expect(find("passphraseWoVersion")).toMatchObject({ name: "passphrase_wo_version", writeOnly: false });
  });

  it("of a secret output is sensitive", () => {
    expect(find("privateKey")).toMatchObject({ sensitive: true, computed: true });
  });

  it("of a list of objects has their attributes", () => {
    expect(find("sides")?.type).toMatchObject({
      kind: "objects",
      attributes: [
        { name: "label", required: true },
        { name: "faces", optional: true },
      ],
    });
  });

  it("says what changing it does, and what it refers to", () => {
    expect(find("ramMib")?.description).toBe("Memory in MiB. Changing it restarts the server (power cycle).");
    expect(find("shelf")?.description).toContain("The id of a `stackyard_shelf`.");
  });
});

describe("a data source", () => {
  const found = dataSourceAttributes(deepBox);

  it("is found by id or name", () => {
    expect(found.filter(({ optional }) => optional).map(({ name }) => name)).toEqual(["id", "name"]);
  });

  it("tells no secret", () => {
    expect(found.map(({ key }) => key).filter((key) => /passphrase|privateKey/.test(key))).toEqual([]);
  });
});

it("the wire has types as Terraform writes them", () => {
  const wire = JSON.stringify(toWireSchema(attributes, ""), (_key, value: unknown) =>
    value !== null &&
    typeof value === "object" &&
    "type" in value &&
    value.type === "Buffer" &&
    "data" in value
      ? Buffer.from(value.data as number[]).toString()
      : value,
  );
  expect(wire).toContain(JSON.stringify({ x: '["map","string"]' }).slice(5, -1));
  expect(wire).toContain(JSON.stringify({ x: '["list","string"]' }).slice(5, -1));
});

test.each(definitions)("$type has the type name of Terraform's conventions", (definition) => {
  expect(typeNameOf(definition)).toMatch(/^stackyard_[a-z]+(_[a-z]+)*$/);
});

/** Every attribute of the registry at any depth. */
function* everyAttribute(list: readonly Attribute[]): Generator<Attribute> {
  for (const attribute of list) {
    yield attribute;
    if ("attributes" in attribute.type) yield* everyAttribute(attribute.type.attributes);
  }
}

test.each(definitions)("attributes of a $type are what Terraform accepts as a schema", (definition) => {
  // terraform: internal/configs/configschema/internal_validate.go
  const wrong = [...everyAttribute(resourceAttributes(definition))].filter(
    ({ required, optional, computed, writeOnly }) =>
      (required && (optional || computed)) || !(required || optional || computed) || (writeOnly && computed),
  );
  expect(wrong).toEqual([]);
});

test.each(definitions)("names of a $type's attributes are told apart", (definition) => {
  const names = resourceAttributes(definition).map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});

test.each(definitions)("what outputs of a $type follow are inputs of it", ({ inputs, outputs }) => {
  const followed = resourceAttributes({ ...deepBox, inputs, outputs }).flatMap(
    ({ output }) => output?.follows ?? [],
  );
  expect(followed.filter((key) => !(key in inputs.shape))).toEqual([]);
});
