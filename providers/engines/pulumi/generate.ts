/**
 * Prints the classes that programs use, `resources.gen.ts`, from the definitions: plain types with the docs of each field, so that an
 * editor shows them on hover, and so that a program loads no definition. Run it after a change of a definition:
 * `node providers/engines/pulumi/generate.ts`.
 */
import { writeFileSync } from "node:fs";
import { z } from "zod";
import { describeChange } from "../../core/change-text.ts";
import { printComment } from "../../core/doc-comment.ts";
import { policyOf, shapeOf, unwrapSchema, type FieldPolicy } from "../../core/fields.ts";
import { toClassName } from "../../core/names.ts";
import type { Definition } from "../../core/resource.ts";
import { definitions } from "../../registry.ts";
import { keysWith } from "./definition-keys.ts";

/** Whether types are of what a program gives (`Input`, resources for ids) or of what it gets. */
type Direction = "args" | "result";

/** The source text of all classes. `baseModule` is where `StackyardResource` comes from. */
export function generateResources(all: readonly Definition[], baseModule = "./resource.ts"): string {
  const header = [
    "// Generated from the definitions by providers/engines/pulumi/generate.ts. Do not edit.",
    'import type * as pulumi from "@pulumi/pulumi";',
    `import { StackyardResource } from ${JSON.stringify(baseModule)};`,
  ];
  return `${[header.join("\n"), ...all.flatMap(printDefinition)].join("\n\n")}\n`;
}

function printDefinition(definition: Definition): string[] {
  const name = toClassName(definition.type);
  return [
    ...printInterfaces(definition.inputs, name, "args"),
    ...printInterfaces(definition.inputs, name, "result"),
    ...printInterfaces(definition.outputs, name, "result"),
    printClass(definition, name),
  ];
}

/** The interface of an object's fields, after those of the objects in it. The top level of results is the class itself. */
function printInterfaces(object: z.ZodObject, name: string, direction: Direction, isTop = true): string[] {
  const fields = Object.entries(shapeOf(object));
  const inner = fields.flatMap(([key, schema]) => {
    const nested = findObject(schema);
    return nested === undefined ? [] : printInterfaces(nested, nestedName(name, key), direction, false);
  });
  if (isTop && direction === "result") return inner;
  const members = fields.map(([key, schema]) => {
    const mark = isOptional(schema, direction) ? "?" : "";
    const type = printType(schema, nestedName(name, key), direction, policyOf(schema));
    const suffix = mark === "" || direction === "result" ? "" : " | undefined";
    return `${printComment(documentField(schema, direction, isTop), "  ")}  readonly ${key}${mark}: ${type}${suffix};`;
  });
  const title = isTop ? printComment([`What a {@link ${name}} is to be.`], "") : "";
  return [...inner, `${title}export interface ${interfaceName(name, direction)} {\n${members.join("\n")}\n}`];
}

function printClass(definition: Definition, name: string): string {
  const inputs = shapeOf(definition.inputs);
  const outputs = shapeOf(definition.outputs);
  const properties = Object.entries({ ...inputs, ...outputs });
  const members = properties.map(([key, schema]) => {
    const isSure = !isOptional(schema, "result") || isFilled(key, schema);
    const type = printType(schema, nestedName(name, key), "result", undefined);
    const input = inputs[key];
    if (input !== undefined && printType(input, nestedName(name, key), "result", undefined) !== type) {
      throw new TypeError(
        `${definition.type}: input and output ${key} must be of one type: they are one property`,
      );
    }
    const comment = printComment(documentField(schema, "result", true), "  ");
    return `${comment}  declare readonly ${key}: pulumi.Output<${isSure ? type : `${type} | undefined`}>;`;
  });
  const isOptionalArgs = Object.values(inputs).every((schema) => isOptional(schema, "args"));
  const shape = [
    `      type: ${JSON.stringify(definition.type)},`,
    `      className: ${JSON.stringify(name)},`,
    `      properties: ${printList(properties.map(([key]) => key))},`,
    `      secretInputs: ${printList(keysWith(definition.inputs, ({ secret }) => secret === true))},`,
    `      secretOutputs: ${printList(keysWith(definition.outputs, ({ secret }) => secret === true))},`,
  ];
  return [
    printComment([definition.summary], "") + `export class ${name} extends StackyardResource {`,
    ...members,
    "",
    `  constructor(name: string, args: ${name}Args${isOptionalArgs ? " = {}" : ""}, options?: pulumi.CustomResourceOptions) {`,
    "    const shape = {",
    ...shape,
    "    };",
    "    super(shape, name, args, options);",
    "  }",
    "}",
  ].join("\n");

  /** A computed input, or an input that is an output as well, always has a value in the end. */
  function isFilled(key: string, schema: z.core.$ZodType): boolean {
    return policyOf(schema)?.computed !== undefined || (key in inputs && key in outputs);
  }
}

function printList(keys: readonly string[]): string {
  return `[${keys.map((key) => JSON.stringify(key)).join(", ")}]`;
}

function interfaceName(name: string, direction: Direction): string {
  return direction === "args" ? `${name}Args` : name;
}

function nestedName(name: string, key: string): string {
  return name + key.charAt(0).toUpperCase() + key.slice(1);
}

/** Whether a program may leave a field out; whether a result may lack it, defaults being filled in. */
function isOptional(schema: z.core.$ZodType, direction: Direction): boolean {
  const { optin, optout } = schema._zod;
  return (direction === "args" ? optin : optout) !== undefined;
}

/** The object that a field is, or is a list of. */
function findObject(schema: z.core.$ZodType): z.ZodObject | undefined {
  const inner = unwrapSchema(schema);
  if (inner instanceof z.ZodObject) return inner;
  return inner instanceof z.ZodArray ? findObject(inner.element) : undefined;
}

function printType(
  schema: z.core.$ZodType,
  name: string,
  direction: Direction,
  policy: FieldPolicy | undefined,
): string {
  const inner = unwrapSchema(schema);
  const nullable = isNullable(schema) ? " | null" : "";
  const reference =
    direction === "args" && policy?.references !== undefined ? toClassName(policy.references) : undefined;
  if (inner instanceof z.ZodArray) {
    const element = printType(inner.element, name, direction, undefined);
    const list = `${element.includes(" | ") ? `(${element})` : element}[]`;
    if (direction === "result") return list + nullable;
    const lists =
      reference === undefined
        ? `pulumi.Input<${list}>`
        : `pulumi.Input<${list}> | (${element} | ${reference})[]`;
    return lists + nullable;
  }
  const type = printScalar(inner, name, direction) + nullable;
  if (direction === "result") return type;
  return reference === undefined ? `pulumi.Input<${type}>` : `pulumi.Input<${type}> | ${reference}`;
}

function isNullable(schema: z.core.$ZodType): boolean {
  if (schema instanceof z.ZodNullable) return true;
  return (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) && isNullable(schema.unwrap());
}

function printScalar(schema: z.core.$ZodType, name: string, direction: Direction): string {
  if (schema instanceof z.ZodString || schema instanceof z.ZodStringFormat) return "string";
  if (schema instanceof z.ZodNumber) return "number";
  if (schema instanceof z.ZodBoolean) return "boolean";
  if (schema instanceof z.ZodEnum) return schema.options.map((option) => JSON.stringify(option)).join(" | ");
  if (schema instanceof z.ZodLiteral)
    return [...schema.values].map((value) => JSON.stringify(value)).join(" | ");
  if (schema instanceof z.ZodObject) return interfaceName(name, direction);
  if (schema instanceof z.ZodRecord)
    return `Record<string, ${printType(schema.valueType, name, direction, undefined)}>`;
  if (schema instanceof z.ZodUnion)
    return schema.options.map((option) => printScalar(unwrapSchema(option), name, direction)).join(" | ");
  throw new TypeError(`${name}: the generator has no TypeScript type for this schema; add it to printScalar`);
}

/** The paragraphs of a field's comment. Only a whole top-level input is compared, so only there a change has a label. */
function documentField(schema: z.core.$ZodType, direction: Direction, isTop: boolean): string[] {
  const policy = policyOf(schema);
  if (policy === undefined) return [];
  const lines = [policy.doc];
  if (direction === "args") {
    if (policy.references !== undefined) {
      const link = `{@link ${toClassName(policy.references)}}`;
      const isList = unwrapSchema(schema) instanceof z.ZodArray;
      lines.push(isList ? `Takes ${link} resources, or their ids.` : `Takes the ${link} itself, or its id.`);
    }
    if (policy.secret === true) lines.push("Secret: encrypted in the state, never shown.");
    if (isTop) lines.push(describeChange(policy.change ?? "live"));
    if (schema instanceof z.ZodDefault) lines.push(`@default ${JSON.stringify(schema.def.defaultValue)}`);
  }
  return lines;
}

/** {@link generateResources} in the project's style. Development only: prettier is not there in an installed package. */
export async function formatResources(all: readonly Definition[], baseModule?: string): Promise<string> {
  const { format } = await import("prettier");
  return format(generateResources(all, baseModule), { parser: "typescript", printWidth: 110 });
}

if (import.meta.main) {
  writeFileSync(new URL("./resources.gen.ts", import.meta.url), await formatResources(definitions));
}
