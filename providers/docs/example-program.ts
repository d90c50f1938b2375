import { listSecretKeys } from "../core/fields.ts";
import { toCamelCase, toClassName, toSnakeCase } from "../core/names.ts";
import { findDefinition } from "../registry.ts";
import {
  resourceAttributes,
  typeNameOf,
  writeOnlyKeys,
  type Attribute,
} from "../engines/terraform/schema.ts";
import {
  findExample,
  isList,
  listSecrets,
  Reference,
  SecretValue,
  type Example,
  type ExampleObject,
  type ExampleValue,
} from "./examples.ts";

/** Examples as a Pulumi program in TypeScript: imports, then a statement each. */
export function printPulumi(examples: readonly Example[]): string {
  const hasSecrets = examples.some((example) => listSecrets(example).length > 0);
  const secret = ({ name }: SecretValue): string => `config.requireSecret(${JSON.stringify(name)})`;
  return printBlocks([
    [
      ...(hasSecrets ? ['import * as pulumi from "@pulumi/pulumi";'] : []),
      printImport(examples, "stackyard"),
    ].join("\n"),
    ...(hasSecrets ? ["const config = new pulumi.Config();"] : []),
    ...examples.map((example) => {
      const { type, name, inputs, after = [] } = example;
      const options = after.length === 0 ? "" : `, { dependsOn: [${after.map(variableOf).join(", ")}] }`;
      return `const ${variableOf(type)} = new ${toClassName(type)}(${JSON.stringify(name)}, ${printFields(inputs, secret)}${options});`;
    }),
  ]);
}

/** Examples as constructs of cdktf: imports, then what the constructor of a stack holds. */
export function printCdktf(examples: readonly Example[]): string {
  const secrets = examples.flatMap(listSecrets);
  const secret = ({ name }: SecretValue): string => `${name}.stringValue`;
  return printBlocks([
    [
      ...(secrets.length > 0 ? ['import { TerraformVariable } from "cdktf";'] : []),
      printImport(examples, "stackyard/cdktf"),
    ].join("\n"),
    ...secrets.map(
      (name) =>
        `const ${name} = new TerraformVariable(this, ${JSON.stringify(toSnakeCase(name))}, { type: "string", sensitive: true });`,
    ),
    ...examples.map(({ type, name, inputs, after = [] }) => {
      const dependsOn = after.length === 0 ? {} : { dependsOn: after.map((other) => new Reference(other)) };
      const config = { ...writeSecretsOnly(type, inputs), ...dependsOn };
      return `const ${variableOf(type)} = new ${toClassName(type)}(this, ${JSON.stringify(name)}, ${printFields(config, secret)});`;
    }),
  ]);
}

/** Examples as blocks of HCL, laid out as `terraform fmt` does. */
export function printHcl(examples: readonly Example[]): string {
  return printBlocks([
    ...examples.flatMap(listSecrets).map((name) =>
      printBlock(`variable ${JSON.stringify(toSnakeCase(name))}`, [
        ["type", "string"],
        ["sensitive", "true"],
        ["ephemeral", "true"],
      ]),
    ),
    ...examples.map((example) => {
      const { type, name, inputs, after = [] } = example;
      const attributes = resourceAttributes(definitionOf(type));
      const isNamed = attributes.some(({ key }) => key === "name");
      const given = { ...(isNamed ? { name } : {}), ...writeSecretsOnly(type, inputs) };
      return printBlock(
        `resource ${JSON.stringify(typeNameOf(definitionOf(type)))} ${JSON.stringify(labelOf(example))}`,
        [
          ...Object.entries(given).map(([key, value]): [string, string] => {
            const attribute = findAttribute(attributes, key);
            return [attribute.name, printHclValue(value, attribute)];
          }),
          ...(after.length === 0 ? [] : [["depends_on", `[${after.map(addressOf).join(", ")}]`] as const]),
        ],
      );
    }),
  ]);
}

function printBlocks(blocks: readonly string[]): string {
  return `${blocks.join("\n\n")}\n`;
}

function printImport(examples: readonly Example[], module: string): string {
  return `import { ${examples.map(({ type }) => toClassName(type)).join(", ")} } from ${JSON.stringify(module)};`;
}

/** `role-assignment` as a program names one: `roleAssignment`. */
function variableOf(type: string): string {
  return toCamelCase(toSnakeCase(type));
}

/** Inputs of a construct: a secret goes the way that keeps it out of the state. */
function writeSecretsOnly(type: string, inputs: ExampleObject): ExampleObject {
  const secret = listSecretKeys(definitionOf(type).inputs);
  return Object.fromEntries(
    Object.entries(inputs).flatMap(([key, value]): [string, ExampleValue][] => {
      if (!secret.includes(key)) return [[key, value]];
      const keys = writeOnlyKeys(key);
      return [
        [keys.value, value],
        [keys.version, 1],
      ];
    }),
  );
}

/** An object of TypeScript with a line for each of its fields. */
function printFields(inputs: ExampleObject, secret: (value: SecretValue) => string): string {
  const fields = Object.entries(inputs).map(([key, value]) => `  ${printField(key, value, secret)},\n`);
  return `{\n${fields.join("")}}`;
}

function printField(key: string, value: ExampleValue, secret: (value: SecretValue) => string): string {
  const text = printValue(value, secret);
  return text === key ? key : `${isName(key) ? key : JSON.stringify(key)}: ${text}`;
}

function printValue(value: ExampleValue, secret: (value: SecretValue) => string): string {
  if (value instanceof Reference) return variableOf(value.type);
  if (value instanceof SecretValue) return secret(value);
  if (typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map((item) => printValue(item, secret)).join(", ")}]`;
  return `{ ${Object.entries(value)
    .map(([key, item]) => printField(key, item, secret))
    .join(", ")} }`;
}

/** A block with its arguments' values in one column. */
function printBlock(header: string, fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return `${header} {\n${fields.map(([name, value]) => `  ${name.padEnd(width)} = ${value}\n`).join("")}}`;
}

function printHclValue(value: ExampleValue, attribute: Attribute): string {
  if (value instanceof Reference) return `${addressOf(value.type)}.id`;
  if (value instanceof SecretValue) return `var.${toSnakeCase(value.name)}`;
  if (typeof value === "string") return printHclText(value);
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map((item) => printHclValue(item, attribute)).join(", ")}]`;
  const { type } = attribute;
  const fields = Object.entries(value).map(([key, item]) => {
    const inner = "attributes" in type ? findAttribute(type.attributes, key) : undefined;
    const name = inner?.name ?? key;
    return `${isName(name) ? name : JSON.stringify(name)} = ${printHclValue(item, inner ?? attribute)}`;
  });
  return `{ ${fields.join(", ")} }`;
}

/** A string of HCL: as JSON has it, without the marks of a template. */
function printHclText(text: string): string {
  return JSON.stringify(text).replaceAll(/[$%](?=\{)/g, "$&$&");
}

function isName(key: string): boolean {
  return /^[A-Za-z_]\w*$/.test(key);
}

function addressOf(type: string): string {
  return `${typeNameOf(definitionOf(type))}.${labelOf(findExample(type))}`;
}

function labelOf({ name }: Example): string {
  return toSnakeCase(name);
}

function findAttribute(attributes: readonly Attribute[], key: string): Attribute {
  const attribute = attributes.find((candidate) => candidate.key === key);
  if (attribute === undefined) throw new TypeError(`an example gives ${key}, which is no attribute`);
  return attribute;
}

function definitionOf(type: string): NonNullable<ReturnType<typeof findDefinition>> {
  const definition = findDefinition(type);
  if (definition === undefined) throw new TypeError(`an example is of ${type}, which is no type`);
  return definition;
}
