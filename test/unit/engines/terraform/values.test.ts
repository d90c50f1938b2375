import { decode, encode, ExtData } from "@msgpack/msgpack";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  dataSourceAttributes,
  resourceAttributes,
  type Attribute,
  type AttributeType,
} from "../../../../providers/engines/terraform/schema.ts";
import {
  decodeObject,
  decodeState,
  encodeObject,
  equalValues,
  fromJson,
  toJson,
  unknown,
  type Value,
  type Values,
} from "../../../../providers/engines/terraform/values.ts";
import { definitions } from "../../../../providers/registry.ts";
import { sampleDefinitions } from "../../../support/sample-definitions.ts";

const all = [...definitions, ...sampleDefinitions];

/** Any value of a type, null and unknown included. */
function anyValue(type: AttributeType): fc.Arbitrary<Value> {
  return fc.oneof(fc.constant(null), fc.constant(unknown), anySet(type));
}

function anySet(type: AttributeType): fc.Arbitrary<Value> {
  switch (type.kind) {
    case "string":
      return fc.string({ unit: "binary" });
    case "number":
      return fc.oneof(
        fc.maxSafeInteger(),
        fc.integer(),
        fc
          .double({ noNaN: true, noDefaultInfinity: true, max: 2 ** 53 - 1, min: -(2 ** 53 - 1) })
          .map((number) => number + 0),
      );
    case "bool":
      return fc.boolean();
    case "list":
      return fc.array(anyValue(type.element), { maxLength: 3 });
    case "map":
      return fc.dictionary(
        fc.string().filter((key) => key !== "__proto__"),
        anyValue(type.element),
        { maxKeys: 3 },
      );
    case "object":
      return anyObject(type.attributes);
    case "objects":
      return fc.array(anyObject(type.attributes), { maxLength: 3 });
  }
}

function anyObject(attributes: readonly Attribute[]): fc.Arbitrary<Values> {
  return fc.record(Object.fromEntries(attributes.map(({ key, type }) => [key, anyValue(type)])));
}

function decodeWire(bytes: Uint8Array): unknown {
  return decode(bytes);
}

const number: readonly Attribute[] = [
  {
    name: "ram_mib",
    key: "ramMib",
    type: { kind: "number" },
    required: true,
    optional: false,
    computed: false,
    sensitive: false,
    writeOnly: false,
    description: "",
  },
];

describe.each(all)("values of a $type", (definition) => {
  it.each([
    ["resource", resourceAttributes(definition)],
    ["data source", dataSourceAttributes(definition)],
  ])("of its %s come back as they went, null and unknown ones too", (_kind, attributes) => {
    fc.assert(
      fc.property(anyObject(attributes), (values) => {
        const back = decodeObject(encodeObject(values, attributes), attributes);
        expect(equalValues(back, values)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it("have every attribute on the wire and nothing else, whatever is set", () => {
    const attributes = resourceAttributes(definition);
    const names = attributes.map(({ name }) => name).toSorted();
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (values) => {
        const wire = decodeWire(encodeObject(values, attributes));
        expect(Object.keys(wire as object).toSorted()).toEqual(names);
      }),
      { numRuns: 30 },
    );
  });
});

describe("what Terraform sends", () => {
  it("may be an unknown of any kind", () => {
    const refined = encode({ ram_mib: new ExtData(12, new Uint8Array([0x81, 0x01, 0xc2])) });
    expect(decodeObject(refined, number)).toEqual({ ramMib: unknown });
  });

  it("may lack attributes, and have others", () => {
    expect(decodeObject(encode({ other: 1 }), number)).toEqual({ ramMib: null });
  });

  it("may be nothing", () => {
    expect(decodeObject(encode(null), number)).toBeUndefined();
    expect(decodeObject(new Uint8Array(), number)).toBeUndefined();
  });

  it.each([9007199254740992n, -9007199254740992n, 2n ** 63n - 1n])("may not be the number %s", (ramMib) => {
    const bytes = encode({ ram_mib: ramMib }, { useBigInt64: true });
    expect(() => decodeObject(bytes, number)).toThrow(
      expect.objectContaining({ code: "invalid-input", field: "ramMib", value: String(ramMib) }) as Error,
    );
  });

  it.each(["18446744073709551616", "0.1000000000000000055511151231257827"])(
    "may not be the number %s, which comes as text",
    (ramMib) => {
      expect(() => decodeObject(encode({ ram_mib: ramMib }), number)).toThrow("too large or too exact");
    },
  );

  it.each([9007199254740991n, -9007199254740991n, 0n])("may be the number %s", (ramMib) => {
    const bytes = encode({ ram_mib: ramMib }, { useBigInt64: true });
    expect(decodeObject(bytes, number)).toEqual({ ramMib: Number(ramMib) });
  });

  it("is refused when it cannot be read", () => {
    expect(() => decodeObject(Buffer.from("c1", "hex"), number)).toThrow(
      expect.objectContaining({ code: "invalid-input" }) as Error,
    );
  });
});

it("a stored object is read whatever it lacks and whatever it has too much", () => {
  expect(decodeState(`{"ram_mib": 64, "gone": {"deep": [1]}}`, number)).toEqual({ ramMib: 64 });
  expect(decodeState("{}", number)).toEqual({ ramMib: null });
});

it("plain data has no nulls and no unknowns, at any depth", () => {
  expect(toJson({ a: null, b: unknown, c: { d: null, e: [1, null] } })).toEqual({ c: { e: [1, null] } });
});

it("plain data of another shape than the type is nothing", () => {
  expect(fromJson("64", { kind: "number" })).toBeNull();
  expect(fromJson([1], { kind: "map", element: { kind: "string" } })).toBeNull();
});
