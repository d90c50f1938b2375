import { z } from "zod";
import { describeChange } from "../../core/change-text.ts";
import {
  listSecretKeys,
  presetOf,
  policyOf,
  shapeOf,
  unwrapSchema,
  type FieldPolicy,
} from "../../core/fields.ts";
import type { JsonValue } from "../../core/json.ts";
import { toSnakeCase } from "../../core/names.ts";
import type { Definition } from "../../core/resource.ts";

/** Version of the state's layout. Raise it when a stored attribute changes its meaning; new and dropped ones need no version. */
export const schemaVersion = 0;

/** Part of the names of all resource types: `stackyard_server`. */
const typePrefix = "stackyard_";

/** A Terraform type, as far as definitions have one. */
export type AttributeType =
  | {
      readonly kind: "string";
      /** The only values, where there are such. */
      readonly options?: readonly string[];
    }
  | { readonly kind: "number" | "bool" }
  | { readonly kind: "list" | "map"; readonly element: AttributeType }
  | { readonly kind: "object" | "objects"; readonly attributes: readonly Attribute[] };

/** One attribute of a resource, a data source or the provider. */
export interface Attribute {
  /** As Terraform has it: `ram_mib`. */
  readonly name: string;
  /** As the cloud has it: `ramMib`. */
  readonly key: string;
  readonly type: AttributeType;
  readonly required: boolean;
  readonly optional: boolean;
  /** Filled in where the configuration leaves it open. */
  readonly computed: boolean;
  readonly sensitive: boolean;
  /** Reaches the provider, but neither plan nor state. */
  readonly writeOnly: boolean;
  readonly description: string;
  /** The definition's fields of this key: what is declared, and what is found. */
  readonly input?: FieldPolicy;
  readonly output?: FieldPolicy;
  /** What an input is where nothing says otherwise. */
  readonly preset?: JsonValue;
}

/** The write-only twin of a secret input, and the number that tells when it has changed. */
export function writeOnlyKeys(key: string): { readonly value: string; readonly version: string } {
  return { value: `${key}Wo`, version: `${key}WoVersion` };
}

/** Name of a definition's resource and data source: `stackyard_server_group`. */
export function typeNameOf(definition: Definition): string {
  return `${typePrefix}${toSnakeCase(definition.type)}`;
}

/** A computed attribute that no definition declares. */
function computedAttribute(key: string, type: AttributeType, description: string): Attribute {
  return { ...plain, name: toSnakeCase(key), key, type, computed: true, description };
}

const plain = { required: false, optional: false, computed: false, sensitive: false, writeOnly: false };
const text: AttributeType = { kind: "string" };

/** Attributes of a definition's resource: inputs, outputs, `id`, `drift`, and the write-only twins of secrets. */
export function resourceAttributes(definition: Definition): readonly Attribute[] {
  const inputs = Object.entries(shapeOf(definition.inputs)).flatMap(([key, schema]) => {
    const attribute = inputAttribute(key, schema);
    if (attribute.sensitive) return withWriteOnly(attribute);
    // The id follows from the name, and Terraform tells a provider nothing else that could stand in for it.
    return key === "name"
      ? [{ ...attribute, required: true, optional: false, computed: false }]
      : [attribute];
  });
  const outputs = Object.entries(shapeOf(definition.outputs)).map(([key, schema]) =>
    outputAttribute(key, schema),
  );
  const merged = inputs.map((input) => {
    const output = outputs.find(({ key }) => key === input.key);
    return output === undefined
      ? input
      : {
          ...input,
          computed: !input.required,
          sensitive: input.sensitive || output.sensitive,
          ...(output.output === undefined ? {} : { output: output.output }),
        };
  });
  return [
    computedAttribute("id", text, "Id in the cloud. The plan knows it before the resource is made."),
    ...merged,
    ...outputs.filter(({ key }) => !inputs.some((input) => input.key === key)),
    computedAttribute(
      "drift",
      { kind: "list", element: text },
      "What the last refresh found different from the declaration, one line each. The next apply repairs it.",
    ),
  ];
}

/** Attributes of a definition's data source: found by `id` or `name`, everything else as found. Secrets are not told. */
export function dataSourceAttributes(definition: Definition): readonly Attribute[] {
  return resourceAttributes(definition)
    .filter(({ sensitive, writeOnly, key }) => !sensitive && !writeOnly && !isVersionOf(definition, key))
    .map((attribute): Attribute => {
      const isKey = attribute.key === "id" || attribute.key === "name";
      return { ...asFound(attribute), optional: isKey, description: attribute.description };
    });
}

function isVersionOf(definition: Definition, key: string): boolean {
  return listSecretKeys(definition.inputs).some((secret) => writeOnlyKeys(secret).version === key);
}

/** The same attribute, as something that is only read. */
function asFound(attribute: Attribute): Attribute {
  const { type } = attribute;
  return {
    ...attribute,
    required: false,
    optional: false,
    computed: true,
    type: "attributes" in type ? { ...type, attributes: type.attributes.map(asFound) } : type,
  };
}

function withWriteOnly(secret: Attribute): readonly Attribute[] {
  const keys = writeOnlyKeys(secret.key);
  const name = (key: string): string => toSnakeCase(key);
  return [
    {
      ...secret,
      required: false,
      optional: true,
      description: `${secret.description} It is kept in the state; \`${name(keys.value)}\` is not. Give one of the two.`,
    },
    {
      ...plain,
      name: name(keys.value),
      key: keys.value,
      type: text,
      optional: true,
      sensitive: true,
      writeOnly: true,
      description: `As \`${secret.name}\`, but kept neither in the plan nor in the state. Needs Terraform or OpenTofu 1.11, and \`${name(keys.version)}\`.`,
    },
    {
      ...plain,
      name: name(keys.version),
      key: keys.version,
      type: { kind: "number" },
      optional: true,
      description: `Any number; a change of it says that \`${name(keys.value)}\` has changed.`,
    },
  ];
}

function inputAttribute(key: string, schema: z.core.$ZodType): Attribute {
  const policy = policyOf(schema);
  const isOptional = schema._zod.optin !== undefined;
  const preset = presetOf(schema);
  return {
    ...plain,
    name: toSnakeCase(key),
    key,
    type: typeOf(schema, inputAttribute),
    required: !isOptional,
    optional: isOptional,
    computed: isOptional && (policy?.computed !== undefined || preset !== undefined),
    sensitive: policy?.secret === true,
    description: describe(policy),
    ...(policy === undefined ? {} : { input: policy }),
    ...(preset === undefined ? {} : { preset }),
  };
}

function outputAttribute(key: string, schema: z.core.$ZodType): Attribute {
  const policy = policyOf(schema);
  return {
    ...computedAttribute(key, typeOf(schema, outputAttribute), policy?.doc ?? ""),
    sensitive: policy?.secret === true,
    ...(policy === undefined ? {} : { output: policy }),
  };
}

function describe(policy: FieldPolicy | undefined): string {
  const parts = [
    policy?.doc ?? "",
    ...(policy?.references === undefined
      ? []
      : [`The id of a \`${typePrefix}${toSnakeCase(policy.references)}\`.`]),
    ...(policy?.change === undefined || policy.change === "live" ? [] : [describeChange(policy.change)]),
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function typeOf(
  schema: z.core.$ZodType,
  attributeOf: (key: string, schema: z.core.$ZodType) => Attribute,
): AttributeType {
  const inner = unwrapSchema(schema);
  if (inner instanceof z.ZodObject)
    return { kind: "object", attributes: nestedAttributes(inner, attributeOf) };
  if (inner instanceof z.ZodArray) {
    const element = unwrapSchema(inner.element);
    return element instanceof z.ZodObject
      ? { kind: "objects", attributes: nestedAttributes(element, attributeOf) }
      : { kind: "list", element: typeOf(element, attributeOf) };
  }
  if (inner instanceof z.ZodRecord) return { kind: "map", element: typeOf(inner.valueType, attributeOf) };
  const kind = inner._zod.def.type;
  if (kind === "number") return { kind: "number" };
  if (kind === "boolean") return { kind: "bool" };
  if (inner instanceof z.ZodEnum) return { kind: "string", options: inner.options.map(String) };
  if (kind === "string" || kind === "literal") return text;
  throw new TypeError(`Terraform has no type for a field of kind ${kind}`);
}

function nestedAttributes(
  object: z.ZodObject,
  attributeOf: (key: string, schema: z.core.$ZodType) => Attribute,
): readonly Attribute[] {
  return Object.entries(shapeOf(object)).map(([key, schema]) => attributeOf(key, schema));
}

/** The attributes as the wire has a schema (tfplugin6: `Schema`). */
export function toWireSchema(attributes: readonly Attribute[], description: string): object {
  return {
    version: schemaVersion,
    block: {
      version: schemaVersion,
      attributes: attributes.map(toWireAttribute),
      block_types: [],
      description,
      description_kind: markdown,
    },
  };
}

/** tfplugin6: `StringKind.MARKDOWN`, and `Object.NestingMode`. */
const markdown = 1;
const nestingModes = { object: 1, objects: 2 } as const;

function toWireAttribute({ name, type, description, ...flags }: Attribute): object {
  return {
    name,
    description,
    description_kind: markdown,
    required: flags.required,
    optional: flags.optional,
    computed: flags.computed,
    sensitive: flags.sensitive,
    write_only: flags.writeOnly,
    ...("attributes" in type
      ? {
          nested_type: {
            attributes: type.attributes.map(toWireAttribute),
            nesting: nestingModes[type.kind],
          },
        }
      : { type: Buffer.from(JSON.stringify(toWireType(type))) }),
  };
}

function toWireType(type: AttributeType): JsonValue {
  if ("element" in type) return [type.kind, toWireType(type.element)];
  if ("attributes" in type)
    return [
      "object",
      Object.fromEntries(type.attributes.map((attribute) => [attribute.name, toWireType(attribute.type)])),
    ];
  return type.kind;
}
